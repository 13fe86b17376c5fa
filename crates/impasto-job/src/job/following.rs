//! A frame of a film, which follows another: it starts from a picture that is here already, and is held to one.

use std::path::PathBuf;

use impasto::picture::Picture;
use impasto::recipe::Start;

use super::Job;
use crate::failure::Failure;

/// What recipes call the picture that a frame starts from. Nobody else has it: a frame is repeated by its film, not by itself.
const START_NAME: &str = "the frame before";

/// What a frame of a film starts from, and what it is held to ([`impasto::Temporal`]). All pictures have the photo's proportions.
#[derive(Clone, Debug)]
pub struct Following {
    /// What it starts from.
    pub start: Picture,
    /// What it is held to.
    pub held_to: Picture,
    /// How much each pixel of that counts, `[height, width]`, 0..1.
    pub weights: Vec<f32>,
    /// What the temporal loss counts for.
    pub weight: f64,
}

impl Job {
    /// Lets the picture follow another, as a frame of a film does.
    ///
    /// # Errors
    /// A run that is kept in a folder: its checkpoints would not have what it follows.
    pub fn follow(&mut self, following: Following) -> Result<(), Failure> {
        if self.keeping.is_some() {
            return Err(Failure::usage("a frame that follows another is not kept as a run; keep its film"));
        }
        self.order.recipe.init = Start::File(PathBuf::from(START_NAME));
        self.following = Some(following);
        Ok(())
    }
}
