//! What a request is refused with: a status and one sentence, as JSON.

use std::fmt;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use impasto::read::ReadError;
use impasto_job::{Failure, FailureKind};
use serde_json::json;

/// A request that is refused, or that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status, 400 or more.
    pub status: StatusCode,
    /// One sentence that says what is wrong and the way out.
    pub sentence: String,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, sentence: impl fmt::Display) -> Problem {
        Problem { status, sentence: sentence.to_string() }
    }

    /// What was asked for is wrong.
    pub fn wrong(sentence: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// There is no such thing.
    pub fn missing(sentence: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, sentence)
    }

    /// It cannot be done as things stand now.
    pub fn conflict(sentence: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::CONFLICT, sentence)
    }

    /// Who asks may not.
    pub fn forbidden(sentence: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, sentence)
    }

    /// It is too large.
    pub fn too_large(sentence: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, sentence)
    }

    /// The machine failed.
    pub fn failed(sentence: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
    }

    /// What an image that could not be read is refused with.
    pub fn of_image(error: &ReadError, megapixels: u64) -> Problem {
        let status = match error {
            ReadError::Pixels { width, height, .. } => {
                return Problem::too_large(format_args!(
                    "the image has {width} x {height} pixels, more than the {megapixels} megapixels that the studio takes; scale it first"
                ));
            }
            ReadError::Side { .. } | ReadError::Memory { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ReadError::NotAnImage { .. }
            | ReadError::UnknownKind { .. }
            | ReadError::Instead { .. }
            | ReadError::RawPhoto { .. }
            | ReadError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ReadError::Disk(_) | ReadError::Threads { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        let status = match failure.kind {
            FailureKind::Usage => StatusCode::BAD_REQUEST,
            FailureKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            FailureKind::Interrupted => StatusCode::CONFLICT,
        };
        Problem { status, sentence: failure.sentence }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let text = json!({ "error": self.sentence }).to_string();
        (self.status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
    }
}
