//! In place of `gpu.rs` where impasto is built without the feature `gpu`.

use std::sync::Arc;

use impasto_vgg::{Engine, Weights};

use super::row::Row;
use crate::failure::Failure;

/// Refuses.
///
/// # Errors
/// Always.
pub fn open(_number: Option<usize>, _weights: &Arc<Weights>) -> Result<Box<dyn Engine>, Failure> {
    Err(Failure::failed(
        "this impasto was built without GPUs; build it with its default features, or paint with --device cpu",
    ))
}

/// None.
pub fn rows(_auto_takes_first: bool) -> Vec<Row> {
    Vec::new()
}

/// No, and why.
pub fn is_taken_by_auto() -> Result<bool, String> {
    Err("this impasto was built without GPUs".to_owned())
}

/// None.
pub fn open_for_auto(_weights: &Arc<Weights>) -> Result<Option<Box<dyn Engine>>, String> {
    Ok(None)
}
