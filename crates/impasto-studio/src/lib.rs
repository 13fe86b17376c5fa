//! The studio: a page on this machine, and an HTTP interface that it uses itself, for painting and for steering while it is
//! painted.
//!
//! ```no_run
//! use std::sync::Arc;
//! use impasto_studio::{Options, serve};
//!
//! let voice = Arc::new(|sentence: &str| eprintln!("{sentence}"));
//! let server = serve(Options::of("runs".into(), voice))?;
//! println!("{}", server.url());
//! // ... until it is enough:
//! server.stop();
//! # Ok::<(), impasto_job::Failure>(())
//! ```
//!
//! Where to look next, in the order of the way. A folder uses only what stands on the lines above its own:
//!
//! - `problem`, `secrets`, `names`: what is refused, by whom it is asked, and why no client names a path;
//! - `wire`, `shown`: what goes over the wire; pictures, encoded once;
//! - `guard`, `shelf`: who may come in; images and masks by their digests;
//! - `runs`: the line, the painter, what clients see of a run;
//! - `routes`: the table of all routes, from which router and documentation are made; `server`: connections and their limits.
//!
//! **Architecture Invariant:** every request passes `guard` before any route is looked for; nothing is served that was not encoded
//! here; nothing asks anybody outside of this machine for anything.
#![forbid(unsafe_code)]

mod guard;
mod names;
mod problem;
mod routes;
mod runs;
mod secrets;
mod server;
mod shelf;
mod shown;
mod wire;

pub use routes::{Route, routes};
pub use server::{Options, Server, USUAL_PORT, serve};
