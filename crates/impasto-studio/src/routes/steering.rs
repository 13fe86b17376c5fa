//! Runs are steered: changed, paused, stopped, branched.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::App;
use super::extract::Json;
use super::table::{Route, Table};
use crate::names::RunId;
use crate::problem::Problem;
use crate::runs::Steer;
use crate::wire::{Begun, Branch, Change, Stage, Standing, Taken};

/// Adds them.
pub fn add(table: Table) -> Table {
    let told = |path, about| Route::post::<Standing>(path, about).answering(202);
    let change = Route::post::<Taken>("/api/runs/{id}/params", "Changes values from the next evaluation on.");
    let branch = Route::post::<Begun>("/api/runs/{id}/branch", "Puts a second run in line, from a state of this one.");
    let larger = Route::post::<Begun>(
        "/api/runs/{id}/larger",
        "Puts a run in line that paints the picture on at twice the size.",
    );
    table
        .add(change.taking::<Change>().answering(202), params)
        .add(
            Route::post::<Taken>("/api/runs/{id}/undo", "Puts back what the last change has changed.").answering(202),
            undo,
        )
        .add(
            Route::post::<Taken>("/api/runs/{id}/redo", "Makes the change again that was undone last.").answering(202),
            redo,
        )
        .add(told("/api/runs/{id}/pause", "Waits between two evaluations."), pause)
        .add(told("/api/runs/{id}/resume", "Paints on; a stopped run stands in line again."), resume)
        .add(told("/api/runs/{id}/step", "Makes one evaluation, and waits again."), step)
        .add(told("/api/runs/{id}/stop", "Stops after the evaluation, with a checkpoint."), stop)
        .add(branch.taking::<Branch>().answering(201), branch_run)
        .add(larger.answering(201), larger_run)
}

/// What was asked is under way.
type Accepted<T> = Result<(StatusCode, Json<T>), Problem>;

fn accepted<T>(said: T) -> (StatusCode, Json<T>) {
    (StatusCode::ACCEPTED, Json(said))
}

async fn params(State(app): State<App>, Path(id): Path<String>, Json(change): Json<Change>) -> Accepted<Taken> {
    app.studio.change(&RunId::parse(&id)?, change.set).await.map(accepted)
}

async fn undo(State(app): State<App>, Path(id): Path<String>) -> Accepted<Taken> {
    app.studio.undo(&RunId::parse(&id)?).await.map(accepted)
}

async fn redo(State(app): State<App>, Path(id): Path<String>) -> Accepted<Taken> {
    app.studio.redo(&RunId::parse(&id)?).await.map(accepted)
}

async fn pause(State(app): State<App>, Path(id): Path<String>) -> Accepted<Standing> {
    steer(&app, &id, Steer::Pause)
}

async fn resume(State(app): State<App>, Path(id): Path<String>) -> Accepted<Standing> {
    let run = RunId::parse(&id)?;
    match app.studio.is_alive(&run) {
        true => steer(&app, &id, Steer::GoOn),
        false => app.studio.go_on(&run).await.map(|state| accepted(Standing { state })),
    }
}

async fn step(State(app): State<App>, Path(id): Path<String>) -> Accepted<Standing> {
    steer(&app, &id, Steer::Step)
}

async fn stop(State(app): State<App>, Path(id): Path<String>) -> Accepted<Standing> {
    steer(&app, &id, Steer::Stop)
}

fn steer(app: &App, id: &str, order: Steer) -> Accepted<Standing> {
    let state: Stage = app.studio.steer(&RunId::parse(id)?, order)?;
    Ok(accepted(Standing { state }))
}

async fn branch_run(
    State(app): State<App>,
    Path(id): Path<String>,
    Json(branch): Json<Branch>,
) -> Result<impl IntoResponse, Problem> {
    let run = app.studio.branch(&RunId::parse(&id)?, branch).await?;
    Ok((StatusCode::CREATED, Json(Begun { id: run.id })))
}

async fn larger_run(State(app): State<App>, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    let run = app.studio.larger(&RunId::parse(&id)?).await?;
    Ok((StatusCode::CREATED, Json(Begun { id: run.id })))
}
