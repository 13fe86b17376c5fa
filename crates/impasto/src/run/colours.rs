//! Whose colours a picture has: what the recipe's `colours` means in a run.
//!
//! ```text
//!   painting        nothing is done
//!   photo           painted picture --chroma.rs--> shown         the photo's chroma under the painted lightness
//!   match           painted picture --colour map--> shown        its colours brought to the photo's
//!   photo-before    painting        --colour map--> looked at    the painting's colours brought to the photo's (paintings.rs)
//! ```
//!
//! What is shown is the final picture and every picture on the way; what is optimised is never touched.

use crate::picture::chroma::with_colours_of;
use crate::picture::colour::{ColourMap, ColourStatistics};
use crate::picture::{Picture, PictureError};
use crate::recipe::Colours;
use crate::recipe::resolve::ResolvedRecipe;
use crate::run::scales::{Scale, content_at};

/// The colours that a painted picture is shown in.
#[derive(Clone, Debug)]
pub enum ShownColours {
    /// As painted.
    AsPainted,
    /// The chroma of this photo, which has the picture's size.
    OfPhoto(Picture),
    /// Its own, with these mean and covariance.
    Matched(ColourStatistics),
}

impl ShownColours {
    /// What the recipe says for a picture of this photo's size.
    #[must_use]
    pub fn new(recipe: &ResolvedRecipe, content: Picture) -> ShownColours {
        match recipe.colours {
            Colours::Painting | Colours::PhotoBefore => ShownColours::AsPainted,
            Colours::Photo => ShownColours::OfPhoto(content),
            Colours::Match => ShownColours::Matched(ColourStatistics::of(&content)),
        }
    }

    /// What the recipe says for a picture at a scale, of this photo of any size.
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    pub fn at(recipe: &ResolvedRecipe, photo: &Picture, scale: Scale) -> Result<ShownColours, PictureError> {
        match recipe.colours {
            Colours::Painting | Colours::PhotoBefore => Ok(ShownColours::AsPainted),
            Colours::Photo | Colours::Match => Ok(ShownColours::new(recipe, content_at(recipe, photo, scale)?)),
        }
    }

    /// A painted picture as it is shown. Values may lie beyond 0..255.
    #[must_use]
    pub fn show(&self, painted: Picture) -> Picture {
        match self {
            ShownColours::AsPainted => painted,
            ShownColours::OfPhoto(photo) => with_colours_of(photo, painted),
            ShownColours::Matched(colours) => {
                ColourMap::between(&ColourStatistics::of(&painted), colours).apply(painted)
            }
        }
    }
}
