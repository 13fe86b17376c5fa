//! Recipes of every format, read as they were meant.

use serde_json::{Map, Value};

use super::{Recipe, RecipeError, former_default, nearest, shorten, timeline};

/// The format of recipes that this program writes, and the newest that it reads. It grows when a field comes, goes, or takes
/// another meaning; recipes of every format before are read as they were meant.
pub const FORMAT: u32 = 6;

/// The first format with matched features; before it there were none.
const MATCH_FORMAT: u32 = 3;

/// The first format with a choice of transparency; before it, and in recipes without a format, photos are put on white.
const TRANSPARENCY_FORMAT: u32 = 4;

/// The first format with a choice of whether style images are enlarged; before it they were.
const UPSCALE_FORMAT: u32 = 5;

/// The first format with losses of smaller sizes; before it there were none.
const MULTISCALE_FORMAT: u32 = 6;

/// The format of recipes from before there was a number.
const FIRST_FORMAT: u32 = 1;

impl Recipe {
    /// Reads a recipe from a JSON object that was read already.
    ///
    /// # Errors
    /// A format from the future; as [`Recipe::from_json`].
    pub(crate) fn from_object(mut object: Map<String, Value>) -> Result<Recipe, RecipeError> {
        let said_version = object.get("version").and_then(Value::as_str).map(shorten);
        let written_by = || said_version.clone().unwrap_or_else(|| "(unknown version)".into());
        let format = match object.get("format") {
            None | Some(Value::Null) => {
                if said_version.is_some() {
                    FIRST_FORMAT
                } else {
                    FORMAT
                }
            }
            Some(found) => match found.as_u64() {
                Some(found) if found > u64::from(FORMAT) => {
                    return Err(RecipeError::Format { found, written_by: written_by() });
                }
                Some(found) if found >= u64::from(FIRST_FORMAT) => found as u32,
                _ => {
                    return Err(RecipeError::Json(format!(
                        "format {found} is no number from {FIRST_FORMAT} to {FORMAT}"
                    )));
                }
            },
        };
        let names_format = object.get("format").is_some_and(|format| !format.is_null());
        former_default::fill(&mut object);
        object.insert("format".to_owned(), format.into());
        if format == FIRST_FORMAT {
            for (field, value) in gained_since_the_first() {
                if object.get(field).is_none_or(Value::is_null) {
                    object.insert(field.to_owned(), value);
                }
            }
        }
        if format < MATCH_FORMAT && object.get("match_weight").is_none_or(Value::is_null) {
            object.insert("match_weight".to_owned(), 0.into());
        }
        let is_of_before = !names_format || format < TRANSPARENCY_FORMAT;
        if is_of_before && object.get("transparency").is_none_or(Value::is_null) {
            object.insert("transparency".to_owned(), "white".into());
        }
        let is_of_before = !names_format || format < UPSCALE_FORMAT;
        if is_of_before && object.get("upscale_style").is_none_or(Value::is_null) {
            object.insert("upscale_style".to_owned(), true.into());
        }
        if format < MULTISCALE_FORMAT && object.get("multiscale_weight").is_none_or(Value::is_null) {
            object.insert("multiscale_weight".to_owned(), 0.into());
        }
        let known = fields()?;
        if let Some(field) = object.keys().find(|&field| !known.contains(field)) {
            return Err(RecipeError::UnknownField {
                field: shorten(field),
                written_by: written_by(),
                nearest: nearest(field, known.iter().map(String::as_str)).map(str::to_owned),
            });
        }
        timeline::check_names(&object, &known, &written_by)?;
        serde_json::from_value(Value::Object(object)).map_err(|error| RecipeError::Json(error.to_string()))
    }
}

/// The fields that format 1 did not have, and what recipes without them meant.
fn gained_since_the_first() -> [(&'static str, Value); 6] {
    [
        ("style_loss", "gram".into()),
        ("adam_beta_2", 0.999.into()),
        ("adam_average", 0.0.into()),
        ("scale_factor", 2.0.into()),
        ("coarsest_px", 32.into()),
        ("balance", "plain".into()),
    ]
}

/// The names of all fields.
fn fields() -> Result<Vec<String>, RecipeError> {
    match serde_json::to_value(Recipe::default()) {
        Ok(Value::Object(fields)) => Ok(fields.into_iter().map(|(field, _)| field).collect()),
        other => Err(RecipeError::Json(format!("{other:?}"))),
    }
}
