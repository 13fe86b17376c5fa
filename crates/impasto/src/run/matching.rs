//! When features are matched anew, and from what.
//!
//! ```text
//!   evaluation   1        2 ... k      k + 1        ...
//!                match    held         match anew         k = match_every
//!                                      the optimiser forgets what it knew of the loss before
//! ```
//!
//! Where a change brings other banks, features are matched anew at once. What is matched is the picture that is about to be evaluated, mixed with the photo where the recipe asks for it
//! (`match_photo`).

use impasto_vgg::{Bank, EngineError, Matches, Session};

use crate::optimiser::Optimiser;
use crate::picture::Picture;
use crate::recipe::resolve::ResolvedRecipe;

/// The matches of one scale.
pub(super) struct Matching<'a> {
    recipe: &'a ResolvedRecipe,
    /// The content image's values, where it is mixed in.
    photo: Option<Vec<f32>>,
    /// What is held; empty where nothing is matched.
    held: Vec<Matches>,
}

impl<'a> Matching<'a> {
    /// Gives a session its banks, unless it has them, and the matches that are held.
    pub fn begin(
        recipe: &'a ResolvedRecipe,
        content: &Picture,
        session: &mut dyn Session,
        banks: &[Bank],
        kept: Vec<Matches>,
    ) -> Result<Matching<'a>, EngineError> {
        if !banks.is_empty() {
            session.set_banks(banks)?;
        }
        if !kept.is_empty() {
            session.set_matches(&kept)?;
        }
        let is_matching = !session.request().matched_taps.is_empty();
        let photo = (recipe.match_photo > 0.0 && is_matching).then(|| content.values.clone());
        Ok(Matching { recipe, photo, held: kept })
    }

    /// What is held now, for a checkpoint.
    pub fn held(&self) -> &[Matches] {
        &self.held
    }

    /// What is held, for what comes next.
    pub fn into_held(self) -> Vec<Matches> {
        self.held
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
                session.find_matches(&mixed)?
            }
            None => session.find_matches(picture)?,
        };
        if evaluation > 1 && found != self.held {
            optimiser.forget();
        }
        self.held = found;
        Ok(())
    }
}
