//! Regions: parts of the picture that have a painting, or a part of one, of their own.

use std::collections::BTreeMap;

use impasto_vgg::Layer;
use impasto_vgg::guides::REGION_LIMIT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::strength::{strength_factor, three_digits};
use super::{RecipeError, nearest, schema};

/// A part of the picture, and what it is painted after. (Definition: Gatys et al., "Controlling Perceptual Factors in Neural
/// Style Transfer", 2017, with guides that are linear.)
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Region {
    /// What it is called, in messages and by people; no two regions have one name.
    pub name: String,
    /// The file of its mask over the picture: white is inside, black outside, grey in between. Its size is brought to the photo's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// Where the recipe has `region_labels`, its colour there, `#rrggbb`, in place of a mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// The painting that it is painted after, counted from 1; the first where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub painting: Option<u32>,
    /// The file of a mask over that painting: only what lies inside counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub painting_mask: Option<String>,
    /// How many times the style counts here; 1 where it is absent.
    #[schemars(range(min = 0.0, max = 1e12))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Style layers with their weights here; the recipe's where it is absent. A balance in proportion to paintings ends in these.
    #[schemars(schema_with = "schema::layers")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style_layers: Option<BTreeMap<Layer, f64>>,
}

/// What becomes of the places that no region has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rest {
    /// They are painted after the first painting.
    Painting,
    /// They stay as the photo has them.
    Photo,
}

/// What a region is told by, as `name=sky,mask=sky.png,painting=2`.
const KEYS: [&str; 7] = ["name", "mask", "colour", "painting", "painting-mask", "weight", "strength"];

impl Region {
    /// Place of its painting among the style images, counted from 0.
    #[must_use]
    pub fn style_index(&self) -> usize {
        self.painting.unwrap_or(1).saturating_sub(1) as usize
    }

    /// Its colour among labels, RGB.
    ///
    /// # Errors
    /// A text that is no `#rrggbb`.
    pub fn label_colour(&self) -> Result<Option<[u8; 3]>, RecipeError> {
        let Some(text) = &self.colour else { return Ok(None) };
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii());
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] =
            value.ok_or_else(|| self.error("colour", text, "#rrggbb, as #3366cc"))?.to_be_bytes();
        Ok(Some([red, green, blue]))
    }

    fn error(&self, key: &str, value: &str, wanted: &'static str) -> RecipeError {
        let value = value.chars().take(80).collect();
        RecipeError::RegionValue { region: self.name.clone(), key: key.to_owned(), value, wanted }
    }
}

/// Reads a region as typed: `name=sky,mask=sky.png,painting=2,painting-mask=stars.png,weight=1.5`.
///
/// ```
/// let sky = impasto::recipe::parse_region("name=sky,mask=sky.png,painting=2")?;
/// assert_eq!((sky.mask.as_deref(), sky.style_index()), (Some("sky.png"), 1));
/// # Ok::<(), impasto::recipe::RecipeError>(())
/// ```
///
/// # Errors
/// A part that is not `key=value`, a key that there is none of or that stands twice, a number that is none.
pub fn parse_region(text: &str) -> Result<Region, RecipeError> {
    let mut region = Region::default();
    let mut seen: Vec<&str> = Vec::new();
    for part in text.split(',') {
        let (key, value) = part.split_once('=').map_or((part.trim(), ""), |(key, value)| (key.trim(), value));
        let is_said = |key: &str| {
            seen.contains(&key)
                || (key == "weight" && seen.contains(&"strength"))
                || (key == "strength" && seen.contains(&"weight"))
        };
        if !KEYS.contains(&key) || value.is_empty() || is_said(key) {
            return Err(RecipeError::RegionPart {
                part: part.chars().take(80).collect(),
                nearest: nearest(key, KEYS).filter(|_| !KEYS.contains(&key)).map(str::to_owned),
            });
        }
        seen.push(key);
        match key {
            "name" => value.clone_into(&mut region.name),
            "mask" => region.mask = Some(value.to_owned()),
            "colour" => region.colour = Some(value.to_owned()),
            "painting" => {
                let number = value.parse().map_err(|_| region.error(key, value, "its number, from 1 on"))?;
                region.painting = Some(number);
            }
            "painting-mask" => region.painting_mask = Some(value.to_owned()),
            "strength" => {
                let strength = value.parse().ok().filter(|strength| (0.0..=2.0).contains(strength));
                let strength = strength.ok_or_else(|| region.error(key, value, "a number from 0 to 2"))?;
                region.weight = Some(three_digits(strength_factor(strength)));
            }
            _ => region.weight = Some(value.parse().map_err(|_| region.error(key, value, "a number from 0 to 1e12"))?),
        }
    }
    Ok(region)
}

/// What a recipe says of regions, and what they have to go together with.
pub(super) struct RegionChoices<'recipe> {
    pub regions: &'recipe [Region],
    pub has_labels: bool,
    pub rest: Rest,
    /// How many style images there are, where a loss looks at them and they are known.
    pub styles: Option<usize>,
}

/// Says the first error of a recipe's regions.
pub(super) fn check_regions(choices: &RegionChoices<'_>) -> Result<(), RecipeError> {
    let regions = choices.regions;
    if regions.len() >= REGION_LIMIT {
        return Err(RecipeError::TooManyRegions { regions: regions.len(), most: REGION_LIMIT - 1 });
    }
    if choices.has_labels && regions.iter().all(|region| region.colour.is_none()) {
        return Err(RecipeError::NoRegions { option: "--regions" });
    }
    if regions.is_empty() {
        return match choices.rest {
            Rest::Photo => Err(RecipeError::NoRegions { option: "--rest photo" }),
            Rest::Painting => Ok(()),
        };
    }
    for (place, region) in regions.iter().enumerate() {
        if region.name.is_empty() || regions[..place].iter().any(|other| other.name == region.name) {
            return Err(RecipeError::RegionName { name: region.name.clone() });
        }
        let has_colour = region.label_colour()?.is_some();
        if has_colour == region.mask.is_some() || has_colour && !choices.has_labels {
            return Err(RecipeError::RegionMask { region: region.name.clone() });
        }
        let weight = region.weight.unwrap_or(1.0);
        if !(0.0..=1e12).contains(&weight) {
            return Err(region.error("weight", &weight.to_string(), "a number from 0 to 1e12"));
        }
        if let Some(layer) = region.style_layers.iter().flatten().find(|layer| !(0.0..=1e12).contains(layer.1)) {
            return Err(region.error("style_layers", &layer.1.to_string(), "weights from 0 to 1e12"));
        }
        if region.painting == Some(0) {
            return Err(region.error("painting", "0", "its number, from 1 on"));
        }
    }
    choices.styles.map_or(Ok(()), |styles| check_paintings(regions, styles))
}

/// Checks that each region's painting is among so many.
///
/// # Errors
/// No painting; a region of a painting that there is none of.
pub(crate) fn check_paintings(regions: &[Region], styles: usize) -> Result<(), RecipeError> {
    match regions.iter().find(|region| region.style_index() >= styles) {
        _ if styles == 0 => Err(RecipeError::NoStyle),
        Some(region) => {
            let painting = region.painting.unwrap_or(1);
            Err(RecipeError::RegionPainting { region: region.name.clone(), painting, styles })
        }
        None => Ok(()),
    }
}
