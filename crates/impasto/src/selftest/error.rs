//! Why a golden file was not compared.

use impasto_vgg::EngineError;

use crate::recipe::RecipeError;

/// A comparison that could not be made, in a sentence's second half: the caller names the file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SelftestError {
    /// Not a safetensors file, or a damaged one.
    #[error("is not a readable safetensors file ({0}); give a golden file")]
    Format(String),
    /// A tensor that every golden file has is missing.
    #[error("has no tensor \"{0}\", so it is not a golden file")]
    Missing(String),
    /// A tensor has a shape or type that does not fit the others.
    #[error("holds \"{name}\" as {found}, where {expected} is needed; it is not a golden file")]
    Shape {
        /// The tensor.
        name: String,
        /// What it is.
        found: String,
        /// What it has to be.
        expected: String,
    },
    /// A value is infinite or not a number.
    #[error("holds values in \"{0}\" that are not finite; it is not a golden file")]
    NotFinite(String),
    /// The metadata lack a value or hold one that says nothing.
    #[error("has the metadata {key}=\"{value}\", where {expected} is needed; it is not a golden file")]
    Metadata {
        /// `pool` or `gradient_bound`.
        key: &'static str,
        /// What stands there, shortened.
        value: String,
        /// What has to stand there.
        expected: &'static str,
    },
    /// The engine refused.
    #[error("cannot be compared: {0}")]
    Engine(#[from] EngineError),
    /// The paper's recipe does not resolve, which would be a fault of this library.
    #[error("cannot be compared: {0}")]
    Recipe(#[from] RecipeError),
}
