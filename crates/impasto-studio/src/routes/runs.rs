//! Runs: begun, listed, looked at, exported, removed.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::App;
use super::extract::{Json, Query};
use super::images::{keeps, picture};
use super::table::{Content, Route, Table};
use crate::names::RunId;
use crate::problem::Problem;
use crate::shown::USUAL_EDGE_PX;
use crate::wire::{Begun, CommandLine, Forecast, NewRun, RunDetail, RunList};

/// Adds them.
pub fn add(table: Table) -> Table {
    let export = Route::file("/api/runs/{id}/export", "The picture that a run has ended with, as a file.", "image/*");
    let preview = Route::file(
        "/api/runs/{id}/preview/{revision}",
        "REVISION.jpg: the newest picture that is not older; waits for it a while.",
        "image/jpeg",
    );
    let remove = Route {
        method: axum::http::Method::DELETE,
        answer: Content::Nothing,
        ..Route::get::<()>("/api/runs/{id}", "Removes a run.")
    };
    table
        .add(Route::post::<Forecast>("/api/forecast", "What a run would take.").taking::<NewRun>(), forecast)
        .add(Route::post::<Begun>("/api/runs", "Puts a run in line.").taking::<NewRun>().answering(201), begin)
        .add(Route::get::<RunList>("/api/runs", "All runs, those of the command line too; newest first."), list)
        .add(Route::get::<RunDetail>("/api/runs/{id}", "A run and all that is known of it."), detail)
        .add(remove.answering(204), remove_run)
        .add(export.with(&[("format", "png8, png16, jpeg, webp or tiff; png8 where it is absent.")]), export_run)
        .add(Route::get::<CommandLine>("/api/runs/{id}/command", "A run as a command line."), command)
        .add(preview.with(&[("long_edge", "Longest side in pixels, 16 to 8192; 512 where it is absent.")]), show)
}

async fn forecast(State(app): State<App>, Json(new): Json<NewRun>) -> Result<Json<Forecast>, Problem> {
    app.studio.forecast(new).await.map(Json)
}

async fn begin(State(app): State<App>, Json(new): Json<NewRun>) -> Result<impl IntoResponse, Problem> {
    let run = app.studio.begin(new).await?;
    Ok((StatusCode::CREATED, Json(Begun { id: run.id })))
}

async fn list(State(app): State<App>) -> Result<Json<RunList>, Problem> {
    Ok(Json(RunList { runs: app.studio.list().await? }))
}

async fn detail(State(app): State<App>, Path(id): Path<String>) -> Result<Json<RunDetail>, Problem> {
    app.studio.detail(&RunId::parse(&id)?).await.map(Json)
}

async fn remove_run(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    app.studio.remove(&RunId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn export_run(State(app): State<App>, Path(id): Path<String>, query: Query) -> Result<Response<Body>, Problem> {
    let exported = app.studio.export(&RunId::parse(&id)?, query.get("format").unwrap_or("png8")).await?;
    let name = utf8_percent_encode(&exported.name, NON_ALPHANUMERIC);
    let place = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{name}")).map_err(Problem::failed)?;
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(exported.kind)), (header::CONTENT_DISPOSITION, place)];
    Ok((headers, exported.bytes).into_response())
}

async fn command(State(app): State<App>, Path(id): Path<String>) -> Result<Json<CommandLine>, Problem> {
    app.studio.command(&RunId::parse(&id)?).await.map(Json)
}

async fn show(
    State(app): State<App>,
    Path((id, revision)): Path<(String, String)>,
    query: Query,
) -> Result<Response<Body>, Problem> {
    let number = revision.strip_suffix(".jpg").and_then(|number| number.parse().ok());
    let asked = number.ok_or_else(|| Problem::missing("a preview is called by its revision: preview/12.jpg"))?;
    let edge = query.pixels("long_edge", USUAL_EDGE_PX)?;
    let shown = app.studio.preview(&RunId::parse(&id)?, asked, edge).await?;
    let revision = shown.revision;
    let mut answer = picture(shown, keeps(revision == asked));
    answer.headers_mut().insert("x-impasto-revision", revision.into());
    Ok(answer)
}
