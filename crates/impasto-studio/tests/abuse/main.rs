//! What a studio has to bear: forged requests, files that are not what they say, clients that do nothing, and many of them.

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod crowds;
mod doors;
mod paths;
