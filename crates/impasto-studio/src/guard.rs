//! Who may come in. Every request passes here before any route is looked for.
//!
//! ```text
//!   path       letters, digits and a few signs, no dots before dots, nothing encoded          else 404
//!   Host       exactly one, and exactly one of this server's, port included                    else 403
//!   Origin     where there is one: exactly this server; `null` is another                      else 403
//!   fetched    from this server's page, or typed by a person; no other page's form or picture  else 403
//!   who        Authorization: Bearer TOKEN (a script), or this server's cookie (a browser)     else 401, but for `/`
//!   changes    from a browser an Origin; and a header that no form can send                    else 403
//! ```
//!
//! A page of another site can make a browser send requests here, and by a name of its own that leads here (rebinding) even call
//! itself the same site: it cannot know the token, choose Host or Origin, or be sent the cookie.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Version, header};

use crate::problem::Problem;
use crate::secrets::{Sessions, is_same};

/// The header that a change may have in place of a JSON body.
pub const OURS: HeaderName = HeaderName::from_static("x-impasto");

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Longest path that is looked at, in bytes.
const PATH_LIMIT: usize = 200;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A browser, by its cookie.
    Browser(String),
    /// A script, by the token.
    Script,
    /// Nobody in particular, who may see the door.
    Stranger,
}

/// Knows the token, the browsers that have shown it, and the names of this server.
#[derive(Debug)]
pub struct Guard {
    port: u16,
    /// The address that was asked to be listened on.
    listen: IpAddr,
    token: String,
    sessions: Sessions,
}

impl Guard {
    /// The guard of a server that listens there.
    pub fn new(address: SocketAddr, token: String) -> Guard {
        Guard { port: address.port(), listen: address.ip(), token, sessions: Sessions::default() }
    }

    /// The cookie's name.
    fn cookie(&self) -> String {
        format!("impasto-{}", self.port)
    }

    /// The cookie of a browser that shows the token; `None` where it shows another.
    ///
    /// # Errors
    /// The system's.
    pub fn exchange(&self, token: &str) -> Result<Option<String>, Problem> {
        if !is_same(token, &self.token) {
            return Ok(None);
        }
        let session = self.sessions.begin()?;
        Ok(Some(format!("{}={session}; Path=/; HttpOnly; SameSite=Strict", self.cookie())))
    }

    /// Who asks, where they may come in. `local` is the address that the connection came to.
    ///
    /// # Errors
    /// They may not.
    pub fn admit(&self, head: &Parts, local: SocketAddr) -> Result<Caller, Problem> {
        check_path(head)?;
        let host = self.check_host(head, local)?;
        let origin = self.check_origin(&head.headers, host)?;
        check_fetch(head)?;
        let caller = self.caller(&head.headers)?;
        if caller == Caller::Stranger && !is_door(head) {
            return Err(Problem::new(
                axum::http::StatusCode::UNAUTHORIZED,
                "open the address that the terminal printed; its token lets you in",
            ));
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            check_change(&head.headers, &caller, origin)?;
        }
        Ok(caller)
    }

    /// The Host, where it is one of this server's.
    fn check_host<'head>(&self, head: &'head Parts, local: SocketAddr) -> Result<&'head str, Problem> {
        let strange = || Problem::forbidden("this server has another name; open the address that the terminal printed");
        if head.version != Version::HTTP_11 || head.uri.authority().is_some() || head.uri.scheme().is_some() {
            return Err(strange());
        }
        let host = one(&head.headers, &header::HOST)?.ok_or_else(strange)?;
        let is_ours = host == self.host_of(&local.ip().to_canonical());
        // By the name of the machine itself, which no server of names is asked about.
        let has_name = self.listen.is_loopback() || self.listen.is_unspecified();
        let is_here = host == self.host_of(&"localhost") || host == self.host_of(&"127.0.0.1");
        if is_ours || has_name && is_here { Ok(host) } else { Err(strange()) }
    }

    /// A name of this server as browsers write it: with its port, unless it is the usual one.
    fn host_of(&self, name: &dyn fmt::Display) -> String {
        let name = name.to_string();
        let name = if name.contains(':') { format!("[{name}]") } else { name };
        if self.port == 80 { name } else { format!("{name}:{}", self.port) }
    }

    /// Whether there is an Origin; where there is, it is this server.
    fn check_origin(&self, headers: &HeaderMap, host: &str) -> Result<bool, Problem> {
        match one(headers, &header::ORIGIN)? {
            None => Ok(false),
            Some(origin) if origin == format!("http://{host}") => Ok(true),
            Some(_) => Err(Problem::forbidden("this server answers its own page alone, and no other site's")),
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        if let Some(said) = one(headers, &header::AUTHORIZATION)? {
            return match said.strip_prefix("Bearer ").is_some_and(|token| is_same(token, &self.token)) {
                true => Ok(Caller::Script),
                false => Err(Problem::new(axum::http::StatusCode::UNAUTHORIZED, "this token is not this server's")),
            };
        }
        let name = self.cookie();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut sessions = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter(|(known, _)| *known == name);
        match sessions.find(|(_, session)| self.sessions.knows(session)) {
            Some((_, session)) => Ok(Caller::Browser(session.to_owned())),
            None => Ok(Caller::Stranger),
        }
    }
}

/// Whether this is the page's own address, at which a stranger is told how to come in.
fn is_door(head: &Parts) -> bool {
    head.method == Method::GET && head.uri.path() == "/"
}

/// Every path here is plain; whatever else a client writes leads nowhere.
fn check_path(head: &Parts) -> Result<(), Problem> {
    let path = head.uri.path();
    let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'/' | b'.' | b'-' | b'_');
    let has_odd_part = path[1.min(path.len())..].split('/').any(|part| part.starts_with('.') || part.ends_with('.'));
    let has_empty_part = path.len() > 1 && path[1..].split('/').any(str::is_empty);
    match path.starts_with('/')
        && path.len() <= PATH_LIMIT
        && path.bytes().all(is_plain)
        && !has_odd_part
        && !has_empty_part
    {
        true => Ok(()),
        false => Err(Problem::missing("there is nothing at this address; /api/openapi.json lists what there is")),
    }
}

/// What another site's page embeds, sends or opens has nothing to look for here, but a link may lead to the door.
fn check_fetch(head: &Parts) -> Result<(), Problem> {
    let site = one(&head.headers, &FETCH_SITE)?;
    let mode = one(&head.headers, &FETCH_MODE)?;
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if mode == Some("navigate") && is_door(head) => Ok(()),
        Some(_) => Err(Problem::forbidden("this server answers its own page alone, and no other site's")),
    }
}

/// What changes anything has to come from this server's page or from a script.
fn check_change(headers: &HeaderMap, caller: &Caller, has_origin: bool) -> Result<(), Problem> {
    if *caller != Caller::Script && !has_origin {
        return Err(Problem::forbidden(
            "a change needs the Origin of this server; a script sends Authorization: Bearer TOKEN instead",
        ));
    }
    let is_json = one(headers, &header::CONTENT_TYPE)?
        .is_some_and(|kind| kind.split(';').next().map(str::trim) == Some("application/json"));
    match is_json || one(headers, &OURS)? == Some("1") {
        true => Ok(()),
        false => Err(Problem::forbidden("a change needs the header X-Impasto: 1, or a body of application/json")),
    }
}

/// The value of a header that may stand once.
fn one<'head>(headers: &'head HeaderMap, name: &HeaderName) -> Result<Option<&'head str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Problem::forbidden(format_args!("the header {name} cannot be read"))),
        },
        (Some(_), Some(_)) => Err(Problem::forbidden(format_args!("the header {name} stands twice"))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn guard(listen: &str) -> Guard {
        Guard::new(format!("{listen}:8017").parse().unwrap(), TOKEN.to_owned())
    }

    /// Asks as a script with a right Host, but for these headers.
    fn admit(guard: &Guard, local: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Result<Caller, u16> {
        let mut request = Request::builder().method(method).uri(path);
        let defaults = [
            ("host", "127.0.0.1:8017"),
            ("authorization", "Bearer 0123456789abcdef0123456789abcdef"),
            ("x-impasto", "1"),
        ];
        for (name, value) in defaults.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name)) {
            request = request.header(*name, *value);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        guard.admit(&head, format!("{local}:8017").parse().unwrap()).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn a_host_is_one_of_the_servers_with_its_port() {
        let here = guard("127.0.0.1");
        for host in ["127.0.0.1:8017", "localhost:8017"] {
            assert_eq!(admit(&here, "127.0.0.1", "GET", "/api/runs", &[("host", host)]), Ok(Caller::Script), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "localhost",
            "evil.example:8017",
            "127.0.0.1:8018",
            "LOCALHOST:8017",
            "localhost.:8017",
            "127.0.0.1:8017.",
            "0.0.0.0:8017",
            "[::1]:8017",
            "127.1:8017",
        ] {
            assert_eq!(admit(&here, "127.0.0.1", "GET", "/api/runs", &[("host", host)]), Err(403), "{host}");
        }
        // Two, of which the first is right.
        assert_eq!(
            admit(&here, "127.0.0.1", "GET", "/", &[("host", "127.0.0.1:8017"), ("host", "evil.example")]),
            Err(403)
        );
        // Wherever it listens, it is the address that the connection came to.
        let everywhere = guard("0.0.0.0");
        assert!(admit(&everywhere, "192.168.1.7", "GET", "/api/runs", &[("host", "192.168.1.7:8017")]).is_ok());
        assert_eq!(admit(&everywhere, "192.168.1.7", "GET", "/api/runs", &[("host", "192.168.1.8:8017")]), Err(403));
        let there = guard("192.168.1.7");
        assert_eq!(admit(&there, "192.168.1.7", "GET", "/api/runs", &[("host", "localhost:8017")]), Err(403));
    }

    #[test]
    fn an_origin_is_this_server_or_not_there() {
        let here = guard("127.0.0.1");
        let ask = |origin| admit(&here, "127.0.0.1", "GET", "/api/runs", &[("origin", origin)]);
        assert!(ask("http://127.0.0.1:8017").is_ok() && ask("").is_ok());
        // `localhost` is another page, with storage of its own.
        for origin in [
            "null",
            "http://localhost:8017",
            "https://127.0.0.1:8017",
            "http://127.0.0.1",
            "http://127.0.0.1:80170",
            "http://evil.example",
            "file://",
        ] {
            assert_eq!(ask(origin), Err(403), "{origin}");
        }
    }

    #[test]
    fn a_change_needs_more_than_a_cookie() {
        let here = guard("127.0.0.1");
        let cookie = here.exchange(TOKEN).unwrap().unwrap();
        assert!(
            cookie.starts_with("impasto-8017=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        assert_eq!(here.exchange("0123456789abcdef0123456789abcdee"), Ok(None));
        let cookie = cookie.split(';').next().unwrap();
        let ask = |method, headers: &[(&str, &str)]| {
            let all = [&[("authorization", ""), ("cookie", cookie)], headers].concat();
            admit(&here, "127.0.0.1", method, "/api/runs", &all).is_ok()
        };
        let origin = ("origin", "http://127.0.0.1:8017");
        assert!(
            ask("GET", &[])
                && ask("POST", &[origin])
                && ask("POST", &[origin, ("x-impasto", ""), ("content-type", "application/json; charset=utf-8")])
        );
        assert!(
            !ask("POST", &[])
                && !ask("DELETE", &[])
                && !ask("POST", &[origin, ("x-impasto", "")])
                && !ask("POST", &[origin, ("x-impasto", "2")])
        );
        assert!(!ask("POST", &[origin, ("x-impasto", ""), ("content-type", "text/plain")]));
        assert!(
            !ask("GET", &[("sec-fetch-site", "cross-site")])
                && !ask("GET", &[("sec-fetch-site", "same-site")])
                && ask("GET", &[("sec-fetch-site", "same-origin")])
        );
        // The cookie of another server on this machine, and one that nobody was given.
        assert_eq!(
            admit(
                &here,
                "127.0.0.1",
                "GET",
                "/api/runs",
                &[("authorization", ""), ("cookie", &cookie.replace("8017", "8018"))]
            ),
            Err(401)
        );
        assert_eq!(
            admit(
                &here,
                "127.0.0.1",
                "GET",
                "/api/runs",
                &[("authorization", ""), ("cookie", "impasto-8017=0123456789abcdef0123456789abcdef")]
            ),
            Err(401)
        );
        assert_eq!(admit(&here, "127.0.0.1", "GET", "/api/runs", &[("authorization", "Bearer nothing")]), Err(401));
    }

    #[test]
    fn a_stranger_sees_the_door_alone() {
        let here = guard("127.0.0.1");
        let ask = |method, path, more: &[(&str, &str)]| {
            admit(&here, "127.0.0.1", method, path, &[&[("authorization", "")], more].concat())
        };
        assert_eq!(ask("GET", "/", &[]), Ok(Caller::Stranger));
        assert_eq!(ask("GET", "/?token=x", &[]), Ok(Caller::Stranger));
        let linked = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!(ask("GET", "/", &linked), Ok(Caller::Stranger));
        assert_eq!(ask("GET", "/api/runs", &linked), Err(403));
        for (method, path) in
            [("GET", "/api/health"), ("GET", "/studio.css"), ("POST", "/"), ("HEAD", "/"), ("GET", "/nothing")]
        {
            assert_eq!(ask(method, path, &[]), Err(401), "{method} {path}");
        }
    }

    #[test]
    fn paths_are_plain() {
        let here = guard("127.0.0.1");
        let ask = |path| admit(&here, "127.0.0.1", "GET", path, &[]);
        for path in ["/", "/api/runs", "/modules/wipe.js", "/api/runs/0123456789abcdef/preview/12.jpg?long_edge=512"] {
            assert!(ask(path).is_ok(), "{path}");
        }
        for path in [
            "/..",
            "/../etc/passwd",
            "/api/%2e%2e/x",
            "/api//runs",
            "/api/runs/",
            "/./api",
            "/api/.git",
            "/api/a.",
            "/api/runs%00",
            "/api/runs/a\\b",
            "/api;x",
            "/api/~",
        ] {
            assert_eq!(ask(path), Err(404), "{path}");
        }
        assert_eq!(ask(&format!("/{}", "a".repeat(300))), Err(404));
    }
}
