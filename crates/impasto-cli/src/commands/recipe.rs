//! `impasto recipe`: the recipe that a picture carries, or that a preset is; and what a recipe may have.

use std::path::Path;

use impasto::Recipe;
use impasto::read::{decode_recipe, read_recipe};
use impasto_job::Failure;

use crate::commands::piped::read_piped;
use crate::show::Output;

/// Prints it.
///
/// # Errors
/// A picture without a recipe, a preset that is none.
pub fn recipe(picture: Option<&Path>, preset: Option<String>, output: &mut Output) -> Result<(), Failure> {
    let text = match picture {
        Some(picture) => match read_piped([picture.to_owned()])?.bytes(picture) {
            Some(bytes) => decode_recipe(bytes, picture).map_err(Failure::failed)?,
            None => read_recipe(picture).map_err(Failure::failed)?,
        },
        None => Recipe { preset, ..Recipe::default() }.resolve()?.to_json(),
    };
    output.line(text.trim_end());
    output.finish()
}

/// Prints the JSON schema of recipes.
///
/// # Errors
/// Standard output could not be written.
pub fn schema(output: &mut Output) -> Result<(), Failure> {
    // Texts and numbers: this cannot fail.
    output.line(&serde_json::to_string_pretty(&Recipe::json_schema()).unwrap_or_default());
    output.finish()
}
