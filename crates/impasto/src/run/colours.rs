//! Whose colours a picture has: what the recipe's `colours` means in a run.
//!
//! ```text
//!   painting        nothing is done
//!   photo           painted picture --chroma.rs--> shown         the photo's chroma under the painted lightness
//!   match           painted picture --colour map--> shown        its colours brought to the photo's
//!   photo-before    painting        --colour map--> looked at    the painting's colours brought to the photo's
//! ```
//!
//! What is shown is the final picture and every picture on the way; what is optimised is never touched.

use crate::picture::chroma::with_colours_of;
use crate::picture::colour::{ColourMap, ColourStatistics};
use crate::picture::{Picture, PictureError};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Colours, Start};
use crate::run::Images;
use crate::run::scales::{Scale, content_at, style_at};

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

/// The paintings as a run looks at them: at any size, in the photo's colours where the recipe asks for it.
#[derive(Clone, Debug)]
pub struct Paintings<'a> {
    recipe: &'a ResolvedRecipe,
    pictures: &'a [Picture],
    /// One for each painting, or none at all.
    maps: Vec<ColourMap>,
}

impl<'a> Paintings<'a> {
    /// Colours are looked at in the size `full`, of the photo and of each painting.
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    pub fn new(recipe: &'a ResolvedRecipe, images: Images<'a>, full: Scale) -> Result<Paintings<'a>, PictureError> {
        let (pictures, mut maps) = (images.styles, Vec::new());
        if recipe.colours == Colours::PhotoBefore && !pictures.is_empty() {
            let photo = ColourStatistics::of(&content_at(recipe, images.content, full)?);
            for picture in pictures {
                let own = ColourStatistics::of(&style_at(recipe, picture, full)?);
                maps.push(ColourMap::between(&own, &photo));
            }
        }
        Ok(Paintings { recipe, pictures, maps })
    }

    /// The painting in this place at a scale.
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    pub fn at(&self, place: usize, scale: Scale) -> Result<Picture, PictureError> {
        Ok(self.recoloured(place, style_at(self.recipe, &self.pictures[place], scale)?))
    }

    /// A picture to start from, which is the first painting where the recipe starts from that.
    #[must_use]
    pub fn start(&self, start: Picture) -> Picture {
        if self.recipe.init == Start::Style { self.recoloured(0, start) } else { start }
    }

    /// A painting, brought to size, in the colours that count. The network knows no values beyond 0..255.
    fn recoloured(&self, place: usize, picture: Picture) -> Picture {
        let Some(map) = self.maps.get(place) else { return picture };
        let mut picture = map.apply(picture);
        picture.values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
        picture
    }
}
