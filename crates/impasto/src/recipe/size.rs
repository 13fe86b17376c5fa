//! The size of a picture, and as a text in recipes and on the command line.

use serde::{Deserialize, Serialize};

use super::{RecipeError, shorten};

/// The size of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
