//! Images and masks: sent, and looked at.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;

use super::App;
use super::extract::{Json, Query, Upload};
use super::table::{Content, Route, Table};
use crate::names::Digest;
use crate::problem::Problem;
use crate::shown::{Shown, USUAL_EDGE_PX};
use crate::wire::{ImageInfo, MaskInfo};

/// What is always the same under its address.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// Adds them.
pub fn add(table: Table) -> Table {
    let file = Content::Other("application/octet-stream");
    let edge: &[(&str, &str)] = &[("long_edge", "Longest side in pixels, 16 to 8192; 512 where it is absent.")];
    let take = Route::post::<ImageInfo>("/api/images", "Takes an image: JPEG, PNG, WebP, TIFF, BMP or GIF.");
    let take = Route { body: file.clone(), ..take.answering(201).with(&[("name", "Its file's name.")]) };
    let take_mask = Route::post::<MaskInfo>("/api/masks", "Takes a mask: white is in, black out.");
    let take_mask = Route { body: file, ..take_mask.answering(201) };
    let show =
        Route::file("/api/images/{id}", "A picture of an image: a JPEG, or a PNG where it is transparent.", "image/*");
    table
        .add(take, take_image)
        .add(show.with(edge), image)
        .add(take_mask, take_a_mask)
        .add(Route::file("/api/masks/{id}", "A mask.", "image/png"), mask)
}

async fn take_image(State(app): State<App>, query: Query, Upload(bytes): Upload) -> Result<impl IntoResponse, Problem> {
    let name = query.get("name").unwrap_or("image");
    let info = app.studio.shelf().take_image(name, bytes).await?;
    Ok((StatusCode::CREATED, Json(info)))
}

async fn image(State(app): State<App>, Path(id): Path<String>, query: Query) -> Result<Response<Body>, Problem> {
    let edge = query.pixels("long_edge", USUAL_EDGE_PX)?;
    app.studio.shelf().image_shown(&Digest::parse(&id)?, edge).await.map(|shown| picture(shown, FOR_EVER))
}

async fn take_a_mask(State(app): State<App>, Upload(bytes): Upload) -> Result<impl IntoResponse, Problem> {
    let info = app.studio.shelf().take_mask(bytes).await?;
    Ok((StatusCode::CREATED, Json(info)))
}

async fn mask(State(app): State<App>, Path(id): Path<String>) -> Result<Response<Body>, Problem> {
    app.studio.shelf().mask_shown(&Digest::parse(&id)?).await.map(|shown| picture(shown, FOR_EVER))
}

/// A picture that we have encoded.
pub fn picture(shown: Shown, keeps: &'static str) -> Response<Body> {
    let headers = [(header::CONTENT_TYPE, shown.kind), (header::CACHE_CONTROL, keeps)];
    (headers, shown.bytes).into_response()
}

/// What a picture is kept for that is asked for by its own revision, or by another.
pub fn keeps(is_own: bool) -> &'static str {
    if is_own { FOR_EVER } else { "no-store" }
}
