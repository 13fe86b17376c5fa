//! What there is: health, choices, the documentation.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use impasto::presets::PRESETS;

use super::App;
use super::extract::Json;
use super::table::{Route, Table};
use crate::runs::{Studio, WAITING};
use crate::shelf::{MEGAPIXELS, UPLOAD_MIB};
use crate::wire::{Health, LimitInfo, PresetInfo, StudioInfo};

/// Adds them.
pub fn add(table: Table) -> Table {
    table
        .add(Route::get::<Health>("/api/health", "Whether the server is there."), health)
        .add(Route::get::<StudioInfo>("/api/studio", "What there is to choose from."), studio)
        .add(Route::file("/api/openapi.json", "This document.", "application/json"), openapi)
}

async fn health() -> Json<Health> {
    Json(Health { ok: true, version: env!("CARGO_PKG_VERSION") })
}

async fn studio(State(app): State<App>) -> Json<StudioInfo> {
    let presets = PRESETS.iter().map(|preset| PresetInfo {
        name: preset.name,
        about: preset.summary,
        values: Studio::preset_values(preset.name),
    });
    Json(StudioInfo {
        version: env!("CARGO_PKG_VERSION"),
        presets: presets.collect(),
        devices: app.studio.devices(),
        device: app.studio.device().to_string(),
        limits: LimitInfo { upload_mib: UPLOAD_MIB, megapixels: MEGAPIXELS, waiting: WAITING },
        examples: app.studio.examples(),
    })
}

async fn openapi(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], app.openapi.to_string())
}
