//! Every route: one table, which the router, the documentation and the tests are made from.

mod events;
mod extract;
mod images;
mod openapi;
mod page;
mod runs;
mod steering;
mod studio;
mod table;

use std::sync::Arc;

use axum::Router;

use crate::guard::Guard;
use crate::runs::Studio;
use table::Table;

pub use table::Route;

/// What handlers work with.
#[derive(Clone, Debug)]
pub struct App {
    /// The runs, images and masks.
    pub studio: Arc<Studio>,
    /// Exchanges tokens for cookies.
    pub guard: Arc<Guard>,
    /// Files of at most so many are taken in at once.
    pub uploads: Arc<tokio::sync::Semaphore>,
    /// Streams of events that are open, by browser.
    pub streams: Arc<events::Streams>,
    /// The documentation.
    openapi: Arc<str>,
}

impl App {
    /// For this studio behind this guard.
    pub fn new(studio: Arc<Studio>, guard: Arc<Guard>) -> App {
        let openapi = openapi::document(&table().routes).to_string().into();
        App {
            studio,
            guard,
            uploads: Arc::new(tokio::sync::Semaphore::new(extract::UPLOADS)),
            streams: Arc::default(),
            openapi,
        }
    }
}

/// The whole table.
fn table() -> Table {
    let table = Table::default();
    let table = page::add(table);
    let table = studio::add(table);
    let table = images::add(table);
    let table = runs::add(table);
    let table = steering::add(table);
    events::add(table)
}

/// Every route that there is.
#[must_use]
pub fn routes() -> Vec<Route> {
    table().routes
}

/// The router of every route.
pub fn router(app: App) -> Router {
    table().router(app)
}
