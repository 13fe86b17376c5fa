//! The size of a picture, and as a text in recipes and on the command line.

use serde::{Deserialize, Serialize};

use super::{RecipeError, shorten};

/// The size of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub enum Size {
    /// The long edge in pixels; the content image's proportions are kept. Written `512`.
    LongEdge(u32),
    /// Width and height in pixels; the content image is scaled and cropped to fit. Written `400x300`.
    Exact {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
}

/// A size as people write it in JSON: the long edge is a number to most.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a size is 512, \"512\" or \"400x300\"")]
enum Written {
    Number(u32),
    Text(String),
}

impl TryFrom<Written> for Size {
    type Error = RecipeError;

    fn try_from(written: Written) -> Result<Size, RecipeError> {
        match written {
            Written::Number(pixels) => Size::try_from(pixels.to_string()),
            Written::Text(text) => Size::try_from(text),
        }
    }
}

impl TryFrom<String> for Size {
    type Error = RecipeError;

    fn try_from(text: String) -> Result<Size, RecipeError> {
        let number = |part: &str| part.parse::<u32>().ok().filter(|&pixels| pixels > 0);
        let size = match text.split_once('x') {
            None => number(&text).map(Size::LongEdge),
            Some((width, height)) => {
                number(width).zip(number(height)).map(|(width, height)| Size::Exact { width, height })
            }
        };
        size.ok_or_else(|| RecipeError::Size(shorten(&text)))
    }
}

impl std::str::FromStr for Size {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Size, RecipeError> {
        Size::try_from(text.to_owned())
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        match size {
            Size::LongEdge(pixels) => pixels.to_string(),
            Size::Exact { width, height } => format!("{width}x{height}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn a_size_is_a_number_or_a_text() {
        let size = |json: &str| Recipe::from_json(&format!("{{\"size\": {json}}}")).map(|recipe| recipe.size);
        assert_eq!(size("512").unwrap(), Some(Size::LongEdge(512)));
        assert_eq!(size("\"512\"").unwrap(), size("512").unwrap());
        assert_eq!(size("\"400x300\"").unwrap(), Some(Size::Exact { width: 400, height: 300 }));
        assert_eq!(size("null").unwrap(), None);
        for wrong in ["0", "-1", "51.5", "true", "[512]", "99999999999", "\"x\"", "\"\""] {
            let said = size(wrong).unwrap_err().to_string();
            assert!(said.contains("size"), "{wrong}: {said}");
        }
    }
}
