//! Sizes and starts as texts, in recipes and on the command line.

use std::path::PathBuf;

use super::{RecipeError, Size, Start, shorten};

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

impl From<String> for Start {
    fn from(text: String) -> Start {
        match text.as_str() {
            "content" => Start::Content,
            "style" => Start::Style,
            "noise" => Start::Noise,
            "blend" => Start::Blend,
            _ => Start::File(PathBuf::from(text)),
        }
    }
}

impl From<Start> for String {
    fn from(start: Start) -> String {
        match start {
            Start::Content => "content".into(),
            Start::Style => "style".into(),
            Start::Noise => "noise".into(),
            Start::Blend => "blend".into(),
            Start::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}
