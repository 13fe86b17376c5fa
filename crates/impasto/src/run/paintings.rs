//! The paintings as a run looks at them: at any size, in the colours that count, and of each the part that counts.

use impasto_vgg::{Bank, Engine, Moments};

use crate::objective::matching::add_to_banks;
use crate::objective::{masked_style_moments, style_moments};
use crate::picture::colour::{ColourMap, ColourStatistics};
use crate::picture::{Picture, PictureError};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{Colours, Start};
use crate::run::lightness::lightness;
use crate::run::scales::{Scale, content_at, style_at};
use crate::run::{Images, PaintError};

/// The paintings, in the photo's colours where the recipe asks for it.
#[derive(Clone, Debug)]
pub struct Paintings<'a> {
    recipe: &'a ResolvedRecipe,
    pictures: &'a [Picture],
    /// One for each painting, or none at all.
    masks: &'a [Option<Picture>],
    /// One for each painting, or none at all.
    maps: Vec<ColourMap>,
}

impl<'a> Paintings<'a> {
    /// Colours are looked at in the size `full`, of the photo and of each painting.
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    pub fn new(recipe: &'a ResolvedRecipe, images: Images<'a>, full: Scale) -> Result<Paintings<'a>, PictureError> {
        let (pictures, masks, mut maps) = (images.styles, images.guides.styles, Vec::new());
        if recipe.colours == Colours::PhotoBefore && !pictures.is_empty() {
            let photo = ColourStatistics::of(&content_at(recipe, images.content, full)?);
            for (place, picture) in pictures.iter().enumerate() {
                let own = ColourStatistics::of(&style_at(recipe, place, picture, full)?);
                maps.push(ColourMap::between(&own, &photo));
            }
        }
        Ok(Paintings { recipe, pictures, masks, maps })
    }

    /// The painting in this place at a scale.
    ///
    /// # Errors
    /// Where there is no memory for that many pixels.
    pub fn at(&self, place: usize, scale: Scale) -> Result<Picture, PictureError> {
        Ok(self.recoloured(place, style_at(self.recipe, place, &self.pictures[place], scale)?))
    }

    /// The moments at a scale, at the style layers of this recipe, of what counts of the painting in this place: what lies inside `mask`, else inside the painting's
    /// own mask, else all of it.
    ///
    /// # Errors
    /// What the engine reports; no memory for that many pixels.
    pub fn moments(
        &self,
        (recipe, engine): (&ResolvedRecipe, &dyn Engine),
        place: usize,
        mask: Option<&Picture>,
        scale: Scale,
        memory_limit_bytes: Option<u64>,
    ) -> Result<Vec<Moments>, PaintError> {
        let style = self.at(place, scale)?;
        let (width, height) = (style.width, style.height);
        Ok(match self.mask(place, mask) {
            None => style_moments(recipe, engine, &style.values, width, height, memory_limit_bytes)?,
            Some(mask) => {
                let mask = lightness(&mask.resized(width, height)?);
                masked_style_moments(recipe, engine, &style, &mask, memory_limit_bytes)?
            }
        })
    }

    /// Adds the features at a scale of what counts of the painting in this place, as with [`Paintings::moments`], to the banks of
    /// what is matched.
    ///
    /// # Errors
    /// What the engine reports; no memory for that many pixels.
    pub fn add_to_banks(
        &self,
        engine: &dyn Engine,
        place: usize,
        mask: Option<&Picture>,
        scale: Scale,
        memory_limit_bytes: Option<u64>,
        banks: &mut Vec<Bank>,
    ) -> Result<(), PaintError> {
        let style = self.at(place, scale)?;
        let mask = self.mask(place, mask).map(|mask| mask.resized(style.width, style.height)).transpose()?;
        let mask = mask.map(|mask| lightness(&mask));
        Ok(add_to_banks(self.recipe, engine, &style, mask.as_deref(), memory_limit_bytes, banks)?)
    }

    /// A picture to start from, which is the first painting where the recipe starts from that.
    #[must_use]
    pub fn start(&self, start: Picture) -> Picture {
        if self.recipe.init == Start::Style { self.recoloured(0, start) } else { start }
    }

    /// What of the painting in this place counts, where not all of it does.
    fn mask<'mask>(&self, place: usize, mask: Option<&'mask Picture>) -> Option<&'mask Picture>
    where
        'a: 'mask,
    {
        mask.or_else(|| self.masks.get(place).and_then(Option::as_ref))
    }

    /// A painting, brought to size, in the colours that count. The network knows no values beyond 0..255.
    fn recoloured(&self, place: usize, picture: Picture) -> Picture {
        let Some(map) = self.maps.get(place) else { return picture };
        let mut picture = map.apply(picture);
        picture.values.iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
        picture
    }
}
