//! A table of routes: added once each, with what is said of it.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::App;
use crate::problem::Problem;

/// A route, and what is said of it.
#[derive(Clone, Debug)]
pub struct Route {
    /// `GET`, `POST` or `DELETE`.
    pub method: Method,
    /// Its path; what stands in braces is an identifier or a number.
    pub path: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// Names in its query, with what they say.
    pub query: &'static [(&'static str, &'static str)],
    /// What is sent.
    pub body: Content,
    /// The status where all is well.
    pub status: u16,
    /// What is answered.
    pub answer: Content,
}

/// What is sent or answered.
#[derive(Clone, Debug)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// JSON of this schema.
    Json(fn(&mut SchemaGenerator) -> Value),
    /// Another media type.
    Other(&'static str),
}

impl Content {
    /// JSON of a type.
    pub fn json<T: JsonSchema>() -> Content {
        Content::Json(|generator| generator.subschema_for::<T>().to_value())
    }
}

impl Route {
    /// A route that answers JSON of this type.
    pub fn get<T: JsonSchema>(path: &'static str, about: &'static str) -> Route {
        let (body, answer) = (Content::Nothing, Content::json::<T>());
        Route { method: Method::GET, path, about, query: &[], body, status: 200, answer }
    }

    /// A route that changes something, and answers JSON of this type.
    pub fn post<T: JsonSchema>(path: &'static str, about: &'static str) -> Route {
        Route { method: Method::POST, ..Route::get::<T>(path, about) }
    }

    /// A route that answers something else.
    pub fn file(path: &'static str, about: &'static str, kind: &'static str) -> Route {
        Route { answer: Content::Other(kind), ..Route::get::<()>(path, about) }
    }

    /// With a body of JSON of this type.
    pub fn taking<T: JsonSchema>(self) -> Route {
        Route { body: Content::json::<T>(), ..self }
    }

    /// With this status where all is well.
    pub fn answering(self, status: u16) -> Route {
        Route { status, ..self }
    }

    /// With these names in its query.
    pub fn with(self, query: &'static [(&'static str, &'static str)]) -> Route {
        Route { query, ..self }
    }
}

/// Routes, and the router of them.
#[derive(Default)]
pub struct Table {
    /// What is said of each.
    pub routes: Vec<Route>,
    router: Router<App>,
}

impl Table {
    /// Adds a route.
    pub fn add<H, T>(mut self, route: Route, handler: H) -> Table
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = match route.method {
            Method::POST => MethodFilter::POST,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        self.router = self.router.route(route.path, on(filter, handler));
        self.routes.push(route);
        self
    }

    /// The router, with an answer for what is no route.
    pub fn router(self, app: App) -> Router {
        let missing =
            || async { Problem::missing("there is nothing at this address; /api/openapi.json lists what there is") };
        let not_so = || async {
            Problem::new(
                axum::http::StatusCode::METHOD_NOT_ALLOWED,
                "this address is not asked so; /api/openapi.json says how",
            )
        };
        self.router.fallback(missing).method_not_allowed_fallback(not_so).with_state(app)
    }
}

/// Schemas as OpenAPI 3.1 has them, which is as JSON schema has them.
pub fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator()
}
