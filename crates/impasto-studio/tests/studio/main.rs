//! The studio as its clients meet it: over a socket, with nothing known of its inside.

#[path = "../support/mod.rs"]
mod support;

mod api;
mod jobs;
mod kept;
mod line;
mod steering;
mod watching;
