//! When features are matched anew, from what, and to what.
//!
//! ```text
//!   evaluation   1        2 ... k      k + 1        ...
//!                match    held         match anew         k = match_every
//!                                      the optimiser forgets what it knew of the loss before
//! ```
//!
//! Where a change brings other banks, features are matched anew at once. What is matched is the picture that is about to be
//! evaluated, mixed with the photo where the recipe asks for it (`match_photo`).
//!
//! With regions, a place is matched within the bank of the region that has most of it, so that a match stays in its region. An engine
//! knows one bank a layer, and so it is asked once for each region, with a bank of that region's entries alone:
//!
//! ```text
//!   held            [ region 1 | region 2 | ... ]      of a centred loss: less the mean of their own region's
//!   asked for r     [ r | r | r | 0 ]                  entries of r, less their mean, as often as there is room; then zeros
//! ```
//!
//! The entries of r sum to nothing, so one of them always has a cosine of 0 at least, and zeros, which stand last, match nothing.

use std::borrow::Cow;

use impasto_vgg::guides::pooled;
use impasto_vgg::{Bank, EngineError, Matches, Session};

use crate::objective::wrap::Wrap;
use crate::optimiser::Optimiser;
use crate::picture::Picture;
use crate::recipe::resolve::ResolvedRecipe;
use crate::run::regions::Masks;

/// The banks of one scale.
pub(super) struct Banks {
    /// What the picture's features are drawn to, at each matched layer.
    pub held: Vec<Bank>,
    /// Each part's own, where the picture has parts: `[parts][layers]`.
    parts: Vec<Vec<Bank>>,
}

impl Banks {
    /// The banks of a picture's parts, each with one a layer; of one part, that is the whole picture's.
    pub fn of_parts(recipe: &ResolvedRecipe, mut parts: Vec<Vec<Bank>>) -> Banks {
        if parts.len() <= 1 {
            return Banks { held: parts.pop().unwrap_or_default(), parts };
        }
        let mut held: Vec<Bank> = Vec::new();
        for part in &mut parts {
            let own = part.clone();
            part.iter_mut().for_each(centre);
            let added = if recipe.match_centred { part.clone() } else { own };
            if held.is_empty() {
                held = added;
            } else {
                held.iter_mut().zip(added).for_each(|(bank, more)| bank.features.extend(more.features));
            }
        }
        Banks { held, parts }
    }

    /// Bytes of these banks for so many entries in all, where the picture has so many parts.
    pub fn copies(parts: usize) -> u64 {
        // Held here, each part's own, and the one that an engine is asked with.
        if parts > 1 { 3 } else { 1 }
    }
}

/// Takes the mean of a bank's entries from each.
fn centre(bank: &mut Bank) {
    let channels = bank.layer.channels();
    let entries = (bank.features.len() / channels) as f64;
    for channel in 0..channels {
        let of_channel = || bank.features.iter().skip(channel).step_by(channels);
        let mean = (of_channel().map(|&value| f64::from(value)).sum::<f64>() / entries) as f32;
        bank.features.iter_mut().skip(channel).step_by(channels).for_each(|value| *value -= mean);
    }
}

/// The matches of one scale.
pub(super) struct Matching<'a> {
    recipe: &'a ResolvedRecipe,
    wrap: Option<Wrap>,
    banks: Banks,
    /// Which part has most of each position: `[layers][positions]`; empty where there is one part.
    part_of: Vec<Vec<usize>>,
    /// The content image's values, where it is mixed in.
    photo: Option<Vec<f32>>,
    /// What is held; empty where nothing is matched.
    held: Vec<Matches>,
}

impl<'a> Matching<'a> {
    /// Gives a session its banks, and the matches that are held.
    pub fn begin(
        (recipe, wrap): (&'a ResolvedRecipe, Option<Wrap>),
        content: &Picture,
        masks: Option<&Masks>,
        session: &mut dyn Session,
        banks: Banks,
        kept: Vec<Matches>,
    ) -> Result<Matching<'a>, EngineError> {
        let Banks { held, parts } = &banks;
        if !held.is_empty() {
            session.set_banks(held)?;
        }
        if !kept.is_empty() {
            session.set_matches(&kept)?;
        }
        let photo = (recipe.match_photo > 0.0 && !held.is_empty()).then(|| content.values.clone());
        let masks = masks.filter(|_| !parts.is_empty());
        let part_of = masks.map_or_else(Vec::new, |masks| {
            let (width, height) = (content.width, content.height);
            match &wrap {
                Some(wrap) => {
                    let seen = wrap.extended(&masks.values);
                    held.iter().map(|bank| largest_part(bank, &seen, wrap.seen_height(), wrap.seen_width())).collect()
                }
                None => held.iter().map(|bank| largest_part(bank, &masks.values, height, width)).collect(),
            }
        });
        Ok(Matching { recipe, wrap, banks, part_of, photo, held: kept })
    }

    /// What is held now, for a checkpoint.
    pub fn held(&self) -> &[Matches] {
        &self.held
    }

    /// What is held, and the banks, for what comes next.
    pub fn into_held(self) -> (Vec<Matches>, Banks) {
        (self.held, self.banks)
    }

    /// Before evaluation number `evaluation` of the scale, from 1 on: matches anew where that is due.
    pub fn before(
        &mut self,
        evaluation: u32,
        session: &mut dyn Session,
        picture: &[f32],
        optimiser: &mut dyn Optimiser,
    ) -> Result<(), EngineError> {
        let is_due = (evaluation - 1).is_multiple_of(self.recipe.match_every) || self.held.is_empty();
        if !is_due || session.request().matched_taps.is_empty() {
            return Ok(());
        }
        let share = self.recipe.match_photo as f32;
        let found = match &self.photo {
            Some(photo) => {
                // At a share of 1 this is the photo to the bit.
                let mix = |(value, photo): (&f32, &f32)| (1.0 - share) * value + share * photo;
                let mixed: Vec<f32> = picture.iter().zip(photo).map(mix).collect();
                self.find(session, &mixed)?
            }
            None => self.find(session, picture)?,
        };
        if evaluation > 1 && found != self.held {
            optimiser.forget();
        }
        self.held = found;
        Ok(())
    }

    /// The match of each position, within its part.
    fn find(&self, session: &mut dyn Session, picture: &[f32]) -> Result<Vec<Matches>, EngineError> {
        let picture = &*self.wrap.map_or(Cow::Borrowed(picture), |wrap| Cow::Owned(wrap.extended(picture)));
        if self.part_of.is_empty() {
            return session.find_matches(picture);
        }
        let mut found: Vec<Matches> = Vec::new();
        let mut before = vec![0; self.banks.held.len()];
        for (part, own) in self.banks.parts.iter().enumerate() {
            let asked: Vec<Bank> = own.iter().zip(&self.banks.held).map(|(own, held)| repeated(own, held)).collect();
            session.set_banks(&asked)?;
            let of_part = session.find_matches(picture)?;
            if found.is_empty() {
                found.clone_from(&of_part);
            }
            for (layer, of_part) in of_part.iter().enumerate() {
                let entries = own[layer].features.len() / own[layer].layer.channels();
                let places = found[layer].indices.iter_mut().zip(&of_part.indices).zip(&self.part_of[layer]);
                for ((index, &own), _) in places.filter(|&(_, &largest)| largest == part) {
                    *index = (before[layer] + own as usize % entries) as u32;
                }
                before[layer] += entries;
            }
        }
        session.set_banks(&self.banks.held)?;
        session.set_matches(&found)?;
        Ok(found)
    }
}

/// A part's entries as often as there is room beside each other in `held`, then zeros.
fn repeated(own: &Bank, held: &Bank) -> Bank {
    let mut features = own.features.repeat((held.features.len() / own.features.len()).max(1));
    features.resize(held.features.len(), 0.0);
    Bank { layer: own.layer, features }
}

/// Which part has most of each position of a bank's layer, of a picture of this size; the first of equal ones.
fn largest_part(bank: &Bank, masks: &[f32], height: usize, width: usize) -> Vec<usize> {
    let parts = masks.chunks_exact(height * width);
    let guides: Vec<Vec<f32>> = parts.map(|mask| pooled(mask, height, width, bank.layer)).collect();
    let largest = |place: usize| {
        (1..guides.len()).fold(0, |best, part| if guides[part][place] > guides[best][place] { part } else { best })
    };
    (0..guides[0].len()).map(largest).collect()
}

#[cfg(test)]
mod tests {
    use impasto_vgg::Layer;

    use super::*;
    use crate::recipe::Recipe;

    fn bank(entries: &[f32]) -> Bank {
        let layer = Layer::named("conv1_1").unwrap();
        Bank { layer, features: entries.iter().flat_map(|&entry| vec![entry; layer.channels()]).collect() }
    }

    #[test]
    fn a_part_is_asked_for_with_its_own_entries_about_their_mean() {
        let recipe = Recipe { match_centred: Some(true), ..Recipe::default() }.resolve().unwrap();
        let banks = Banks::of_parts(&recipe, vec![vec![bank(&[1.0, 3.0])], vec![bank(&[10.0, 20.0, 30.0])]]);
        assert_eq!(banks.held[0], bank(&[-1.0, 1.0, -10.0, 0.0, 10.0]));
        assert_eq!(repeated(&banks.parts[0][0], &banks.held[0]), bank(&[-1.0, 1.0, -1.0, 1.0, 0.0]));
        assert_eq!(repeated(&banks.parts[1][0], &banks.held[0]), bank(&[-10.0, 0.0, 10.0, 0.0, 0.0]));
        // What is not centred is drawn to the entries as they are, and matched about their mean all the same.
        let recipe = Recipe { match_centred: Some(false), ..Recipe::default() }.resolve().unwrap();
        let banks = Banks::of_parts(&recipe, vec![vec![bank(&[1.0, 3.0])], vec![bank(&[10.0, 20.0, 30.0])]]);
        assert_eq!(banks.held[0], bank(&[1.0, 3.0, 10.0, 20.0, 30.0]));
        assert_eq!(banks.parts[0][0], bank(&[-1.0, 1.0]));
    }
}
