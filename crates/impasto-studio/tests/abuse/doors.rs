//! Every route, as the router has it, refuses who may not come in.

use impasto_studio::{Route, routes};
use serde_json::json;

use crate::support::{Answer, Client, TOKEN, Workshop};

/// Every route with something in the place of its identifiers.
fn all() -> Vec<(Route, String)> {
    let routes = routes();
    assert!(routes.len() > 25, "{}", routes.len());
    let filled = |route: &Route| {
        let id = if route.path.contains("/runs/") { "0123456789abcdef".to_owned() } else { "0".repeat(64) };
        route.path.replace("{id}", &id).replace("{revision}", "1.jpg").replace("{name}", "main.js")
    };
    routes.into_iter().map(|route| (route.clone(), filled(&route))).collect()
}

fn ask(client: &Client, route: &Route, path: &str) -> Answer {
    match route.method.as_str() {
        "POST" => client.post(path, &json!({})),
        method => client.send(method, path, &[], b""),
    }
}

#[test]
fn every_route_refuses_a_forged_host_or_origin_and_who_has_no_token() {
    let workshop = Workshop::new();
    let address = workshop.address();
    let port = address.port();
    let browser = Client::browser(address, TOKEN);
    let script = workshop.client();
    let forged_hosts = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{}", port ^ 1),
        format!("127.0.0.1.evil.example:{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost.:{port}"),
        format!("[::1]:{port}"),
        String::new(),
    ];
    let forged_origins = [
        "null".to_owned(),
        "http://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{}", port ^ 1),
        format!("http://127.0.0.1:{port}.evil.example"),
        format!("http://user@127.0.0.1:{port}"),
        format!("HTTP://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}/"),
    ];
    for (route, path) in all() {
        let name = format!("{} {path}", route.method);
        for client in [&browser, &script] {
            for host in &forged_hosts {
                let said = ask(&client.with("host", host), &route, &path);
                // Without any, the request is not even one.
                assert!(
                    said.status == 403 || host.is_empty() && said.status == 400,
                    "{name}, Host {host:?}: {}",
                    said.status
                );
            }
            for origin in &forged_origins {
                assert_eq!(ask(&client.with("origin", origin), &route, &path).status, 403, "{name}, Origin {origin}");
            }
            let cross = client.with("sec-fetch-site", "cross-site");
            assert_eq!(ask(&cross, &route, &path).status, 403, "{name}, from another site");
            let same = client.with("sec-fetch-site", "same-site");
            assert_eq!(ask(&same, &route, &path).status, 403, "{name}, from another port");
        }
        let cookie = format!("impasto-{port}={}", "0".repeat(32));
        for stranger in [
            browser.with("cookie", ""),
            browser.with("cookie", &cookie),
            script.with("authorization", ""),
            script.with("authorization", "Bearer "),
            script.with("authorization", &format!("Bearer {}x", TOKEN)),
            script.with("authorization", &format!("Basic {TOKEN}")),
        ] {
            assert_eq!(ask(&stranger, &route, &path).status, 401, "{name}, without a token");
        }
        if route.method != "GET" {
            assert_eq!(ask(&browser.with("origin", ""), &route, &path).status, 403, "{name}, without an Origin");
            let plain = browser.with("x-impasto", "").send(
                route.method.as_str(),
                &path,
                &[("content-type", "text/plain")],
                b"{}",
            );
            assert_eq!(plain.status, 403, "{name}, as a form would");
        }
        // And lets in who may: whatever the route makes of it, it is asked.
        for client in [&browser, &script] {
            let status = if path == "/api/events" { 200 } else { ask(client, &route, &path).status };
            assert!(![401, 403, 405].contains(&status), "{name}: {status}");
        }
    }
}

/// What a browser may do with an answer is said in every one, be it an error.
#[test]
fn every_answer_is_dressed() {
    let workshop = Workshop::new();
    let script = workshop.client();
    let mut answers: Vec<(String, Answer)> = Vec::new();
    for (route, path) in all().iter().filter(|(_, path)| path != "/api/events") {
        answers.push((path.clone(), ask(&script, route, path)));
        answers.push((format!("{path} to a stranger"), ask(&Client::stranger(workshop.address()), route, path)));
    }
    answers.push(("nothing".to_owned(), script.get("/nothing")));
    answers.push(("a forged host".to_owned(), script.with("host", "evil.example").get("/")));
    for (name, answer) in answers {
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{name} has no policy"));
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{name}: {policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{name}: {policy}");
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(header), Some(value), "{name}");
        }
        assert!(answer.header("cache-control").is_some(), "{name}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{name}");
    }
}

#[test]
fn a_request_is_one_request() {
    use std::io::{Read, Write};
    let workshop = Workshop::new();
    let address = workshop.address();
    let authorised = format!("authorization: Bearer {TOKEN}\r\nx-impasto: 1\r\nconnection: close\r\n");
    for (name, request) in [
        ("two hosts", format!("GET /api/runs HTTP/1.1\r\nhost: {address}\r\nhost: evil.example\r\n{authorised}\r\n")),
        (
            "a whole address",
            format!("GET http://evil.example/api/runs HTTP/1.1\r\nhost: {address}\r\n{authorised}\r\n"),
        ),
        ("our whole address", format!("GET http://{address}/api/runs HTTP/1.1\r\nhost: {address}\r\n{authorised}\r\n")),
        ("an old protocol", format!("GET /api/runs HTTP/1.0\r\nhost: {address}\r\n{authorised}\r\n")),
        (
            "two lengths",
            format!(
                "POST /api/runs HTTP/1.1\r\nhost: {address}\r\n{authorised}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"
            ),
        ),
        ("a space before the colon", format!("GET /api/runs HTTP/1.1\r\nhost : {address}\r\n{authorised}\r\n")),
        (
            "two tokens",
            format!("GET /api/runs HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer x\r\n{authorised}\r\n"),
        ),
        ("a proxy", format!("CONNECT evil.example:80 HTTP/1.1\r\nhost: {address}\r\n{authorised}\r\n")),
        ("nonsense", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned()),
        (
            "a long header",
            format!("GET /api/runs HTTP/1.1\r\nhost: {address}\r\nx: {}\r\n{authorised}\r\n", "x".repeat(20 << 10)),
        ),
        (
            "many headers",
            format!("GET /api/runs HTTP/1.1\r\nhost: {address}\r\n{}{authorised}\r\n", "x: y\r\n".repeat(100)),
        ),
    ] {
        let mut stream = Client::stranger(address).connect();
        let _ = stream.write_all(request.as_bytes());
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!said.starts_with("HTTP/1.1 2") && !said.contains("\"runs\""), "{name}: {said}");
    }
}
