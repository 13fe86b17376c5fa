//! What handlers take from a request: JSON, a query, a file; each within its limit of size and time.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::App;
use crate::problem::Problem;
use crate::shelf::UPLOAD_MIB;

/// Files that are taken in at once.
pub const UPLOADS: usize = 2;

/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(60);

/// Longest JSON, in bytes.
const JSON_LIMIT: usize = 256 << 10;

/// JSON of a type.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Json<T>, Problem> {
        let bytes = collected(request.into_body(), JSON_LIMIT, "a body of JSON may have 256 KiB; send less").await?;
        // No body is an object without fields.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text)
            .map(Json)
            .map_err(|error| Problem::wrong(format_args!("the body cannot be read: {error}")))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response<Body> {
        match serde_json::to_vec(&self.0) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
            Err(error) => Problem::failed(error).into_response(),
        }
    }
}

/// The file that was sent, of at most [`UPLOAD_MIB`].
pub struct Upload(pub Vec<u8>);

impl FromRequest<App> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Upload, Problem> {
        let limit = usize::try_from(UPLOAD_MIB << 20).unwrap_or(usize::MAX);
        let body = request.into_body();
        let sentence = "a file may have 64 MiB; send a smaller one";
        // Said before anything is taken in, and before it is somebody's turn.
        check_length(&body, limit, sentence)?;
        let _turn = app.uploads.acquire().await.map_err(Problem::failed)?;
        let bytes = collected(body, limit, sentence).await?;
        match bytes.is_empty() {
            true => Err(Problem::wrong("there is no file in this; send its bytes as the body")),
            false => Ok(Upload(bytes)),
        }
    }
}

/// A body whose length is said, and is too much.
fn check_length(body: &Body, limit: usize, sentence: &str) -> Result<(), Problem> {
    match body.size_hint().lower() > limit as u64 {
        true => Err(Problem::too_large(sentence)),
        false => Ok(()),
    }
}

/// The whole body, piece by piece, until it is there or too much.
async fn collected(mut body: Body, limit: usize, sentence: &str) -> Result<Vec<u8>, Problem> {
    check_length(&body, limit, sentence)?;
    let all = async {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::wrong("the body ended before its end; send it again"))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(Problem::too_large(sentence));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    };
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body took more than a minute; send it again");
    timeout(BODY, all).await.map_err(late)?
}

/// What stands behind the question mark.
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number of pixels between bounds; `usual` where there is none.
    pub fn pixels(&self, name: &str, usual: usize) -> Result<usize, Problem> {
        let Some(text) = self.get(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (16..=8192).contains(number));
        number.ok_or_else(|| Problem::wrong(format_args!("{name} is a number of pixels from 16 to 8192; give one")))
    }
}

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _: &App) -> Result<Query, Problem> {
        let mut found = BTreeMap::new();
        for pair in head.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
            let (Ok(name), Ok(value)) = (plain(name), plain(value)) else {
                return Err(Problem::wrong("the query is not text in UTF-8; write it with percent signs"));
            };
            if found.insert(name, value).is_some() {
                return Err(Problem::wrong("a name stands twice in the query; write it once"));
            }
        }
        Ok(Query(found))
    }
}
