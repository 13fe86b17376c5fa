//! The scale of the brush: how large a painting is looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Long edge of the style images as a multiple of the picture's: one number for all of them, or one for each, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StyleScale {
    /// The same for all.
    All(#[schemars(range(min = 0.01, max = 100.0))] f64),
    /// One for each.
    Each(Vec<f64>),
}

impl StyleScale {
    /// What was typed: one number is for all.
    ///
    /// ```
    /// use impasto::recipe::StyleScale;
    /// assert_eq!(StyleScale::of_numbers(vec![0.5]), StyleScale::All(0.5));
    /// assert_eq!(StyleScale::of_numbers(vec![1.0, 0.5]).of(1), 0.5);
    /// ```
    #[must_use]
    pub fn of_numbers(numbers: Vec<f64>) -> StyleScale {
        match numbers.as_slice() {
            &[one] => StyleScale::All(one),
            _ => StyleScale::Each(numbers),
        }
    }

    /// That of the style image in this place; 1 where there is none for it.
    #[must_use]
    pub fn of(&self, place: usize) -> f64 {
        match self {
            StyleScale::All(scale) => *scale,
            StyleScale::Each(scales) => scales.get(place).copied().unwrap_or(1.0),
        }
    }

    /// All its numbers.
    pub(crate) fn numbers(&self) -> &[f64] {
        match self {
            StyleScale::All(scale) => std::slice::from_ref(scale),
            StyleScale::Each(scales) => scales,
        }
    }

    /// How many style images it is for, where it says.
    pub(crate) fn count(&self) -> Option<usize> {
        match self {
            StyleScale::All(_) => None,
            StyleScale::Each(scales) => Some(scales.len()),
        }
    }
}
