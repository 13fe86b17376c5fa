//! The program as a user runs it: arguments, environment and files in; exit status, output and files out.

mod bad_input;
mod documents;
mod figures;
#[cfg(unix)]
mod interrupt;
mod measure;
mod paint;
mod weights;
mod workshop;
