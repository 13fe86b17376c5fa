//! The page's files, which are inside the program, and the door.

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use super::App;
use super::extract::Query;
use super::table::{Route, Table};
use crate::guard::Caller;
use crate::problem::Problem;

macro_rules! modules {
    ($($name:ident)*) => {
        &[$((stringify!($name), include_bytes!(concat!("../../page/modules/", stringify!($name), ".js")))),*]
    };
}

/// What a stranger sees.
const DOOR: &str = include_str!("door.html");

/// The page's files: name, media type, bytes.
const FILES: [(&str, &str, &[u8]); 3] = [
    ("index.html", HTML, include_bytes!("../../page/index.html")),
    ("studio.css", "text/css; charset=utf-8", include_bytes!("../../page/studio.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../page/icon.svg")),
];

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page's modules, by name.
const MODULES: &[(&str, &[u8])] = modules![
    api branches curves dials editor elements kept keys main mask pictures regions runs setup stage steering store transport view
];

/// Adds them.
pub fn add(table: Table) -> Table {
    let door = Route::file("/", "The page; with the token in the query a cookie, and the way to it.", "text/html");
    table
        .add(door.with(&[("token", "What the terminal printed.")]), page)
        .add(Route::file("/studio.css", "How the page looks.", "text/css"), style)
        .add(Route::file("/icon.svg", "The page's icon.", "image/svg+xml"), icon)
        .add(Route::file("/modules/{name}", "What the page does, a module each.", "text/javascript"), module)
}

async fn page(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response<Body>, Problem> {
    if let Some(token) = query.get("token") {
        return match app.guard.exchange(token)? {
            Some(cookie) => {
                let cookie = HeaderValue::from_str(&cookie).map_err(Problem::failed)?;
                let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, HeaderValue::from_static("/"))];
                Ok((StatusCode::SEE_OTHER, headers).into_response())
            }
            None => Ok(door()),
        };
    }
    if caller == Caller::Stranger { Ok(door()) } else { Ok(file("index.html")) }
}

fn door() -> Response<Body> {
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, HTML)], DOOR).into_response()
}

async fn style() -> Response<Body> {
    file("studio.css")
}

async fn icon() -> Response<Body> {
    file("icon.svg")
}

async fn module(Path(name): Path<String>) -> Response<Body> {
    let name = name
        .strip_suffix(".js")
        .filter(|name| !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_lowercase()));
    let Some(name) = name else { return missing() };
    if let Some(bytes) = rehearsed(&format!("modules/{name}.js")) {
        return answer(SCRIPT, bytes.into());
    }
    MODULES.iter().find(|(known, _)| *known == name).map_or_else(missing, |(_, bytes)| answer(SCRIPT, (*bytes).into()))
}

fn file(name: &str) -> Response<Body> {
    let Some((_, kind, bytes)) = FILES.iter().find(|(known, ..)| *known == name) else { return missing() };
    answer(kind, rehearsed(name).map_or_else(|| (*bytes).into(), Body::from))
}

fn answer(kind: &'static str, body: Body) -> Response<Body> {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

fn missing() -> Response<Body> {
    Problem::missing("the page has no such file").into_response()
}

/// For whoever works on the page: a debug build takes its files from the folder that `IMPASTO_STUDIO_PAGE` names.
#[cfg(debug_assertions)]
fn rehearsed(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("IMPASTO_STUDIO_PAGE")?;
    std::fs::read(std::path::Path::new(&folder).join(name)).ok()
}

/// Never, but in a debug build.
#[cfg(not(debug_assertions))]
fn rehearsed(_: &str) -> Option<Vec<u8>> {
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_program() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).unwrap().flatten();
            let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
            let mut names: Vec<String> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let mut files = FILES.map(|(name, ..)| name.to_owned()).to_vec();
        files.sort();
        assert_eq!(names(&page), files);
        let mut modules: Vec<String> = MODULES.iter().map(|(name, _)| format!("{name}.js")).collect();
        modules.sort();
        assert_eq!(names(&page.join("modules")), modules);
    }

    /// The page loads in an instant, also through an ssh tunnel.
    #[test]
    fn the_page_weighs_little() {
        let files: usize = FILES.iter().map(|(.., bytes)| bytes.len()).sum();
        let modules: usize = MODULES.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(files + modules < 200_000, "{} bytes", files + modules);
    }
}
