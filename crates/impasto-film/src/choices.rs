//! What can be chosen of a film, beside the recipe of its pictures.

use impasto_job::Failure;
use serde::{Deserialize, Serialize};

/// The most passes over a film.
const MOST_PASSES: u32 = 20;

/// What can be chosen of a film, beside the recipe of its pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// How much painted frames hold to the ones before, 0 or more: 1 is what was found good.
    pub steadiness: f64,
    /// Whether frames look at those 2 and 4 before, too.
    pub long_term: bool,
    /// How often the film is gone through: forth, back, forth again.
    pub passes: u32,
    /// Whether cuts are looked for; else the film is one shot.
    pub cuts: bool,
    /// Evaluations of each frame but the first of a shot; `None` for as many as follow from what has moved.
    pub frame_iterations: Option<u32>,
}

impl Default for Choices {
    fn default() -> Choices {
        Choices { steadiness: 1.0, long_term: false, passes: 1, cuts: true, frame_iterations: None }
    }
}

impl Choices {
    /// Says what cannot be.
    ///
    /// # Errors
    /// A number beyond its range.
    pub fn check(&self) -> Result<(), Failure> {
        if !(0.0..=1000.0).contains(&self.steadiness) {
            return Err(Failure::usage(format_args!("--steadiness {} is not 0 to 1000; 1 is usual", self.steadiness)));
        }
        if !(1..=MOST_PASSES).contains(&self.passes) {
            return Err(Failure::usage(format_args!("--passes {} is not 1 to {MOST_PASSES}", self.passes)));
        }
        match self.frame_iterations {
            Some(0) => Err(Failure::usage("--frame-iterations 0 paints nothing; give 1 or more")),
            _ => Ok(()),
        }
    }

    /// How many frames back are looked at, the nearest first.
    pub(crate) fn looks_back(&self) -> &'static [usize] {
        // Those of Ruder et al. 2016, section 3.3.
        if self.long_term { &[1, 2, 4] } else { &[1] }
    }

    /// Evaluations of a frame that follows others, where the recipe has `full` at the full size, a share of `unknown` of its pixels
    /// follows nothing, and all have moved by `moved_px` in the mean.
    pub(crate) fn evaluations(&self, full: u32, unknown: f64, moved_px: f64) -> u32 {
        if let Some(given) = self.frame_iterations {
            return given;
        }
        let new = (unknown / NEW_FROM).clamp(0.0, 1.0);
        let share = STILL + MOVED * moved_px.clamp(0.0, 1.0) + NEW * new + UNKNOWN * unknown.clamp(0.0, 1.0);
        ((f64::from(full) * share).ceil() as u32).max(1)
    }
}

impl Choices {
    /// What a frame that follows others takes of the time of one that follows none, about: by evaluations of a scene in which things
    /// move and a tenth is new, where the recipe has `full` at the full size. Finding out what has moved is not counted.
    #[must_use]
    pub fn usual_share(&self, full: u32) -> f64 {
        f64::from(self.passes) * f64::from(self.evaluations(full, 0.1, 1.0)) / f64::from(full.max(1))
    }
}

/// The share of a picture's evaluations that a frame has in which nothing has moved: the start is at its end already.
const STILL: f64 = 0.04;

/// What is added where things have moved by a pixel or more: a carried picture has lost some of its edges.
const MOVED: f64 = 0.09;

/// What is added where a strip or more of the picture follows nothing: with fewer, what comes into sight stays paler than the rest.
const NEW: f64 = 0.1;

/// The share of a picture that is a strip.
const NEW_FROM: f64 = 0.01;

/// What is added for what follows nothing, were it all of the picture.
const UNKNOWN: f64 = 0.27;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_follow_from_what_has_moved() {
        let choices = Choices::default();
        let evaluations = |unknown, moved_px| choices.evaluations(60, unknown, moved_px);
        assert_eq!(evaluations(0.0, 0.0), 3);
        assert_eq!(evaluations(0.0, 5.0), 8);
        // 60 x (0.04 + 0.09 / 2 + 0.1 / 2 + 0.27 / 200), and so on.
        assert_eq!(evaluations(0.005, 0.5), 9);
        assert_eq!(evaluations(0.1, 0.5), 13);
        assert_eq!(evaluations(0.3, 2.0), 19);
        assert_eq!(evaluations(1.0, 30.0), 30);
        assert_eq!(Choices { frame_iterations: Some(7), ..choices.clone() }.evaluations(60, 1.0, 9.0), 7);
        assert_eq!(choices.evaluations(1, 0.0, 0.0), 1);
        // 0.04 + 0.09 + 0.1 + 0.1 x 0.27 of 1000, rounded up.
        assert!((0.257..=0.258).contains(&choices.usual_share(1000)));
        assert_eq!(Choices { passes: 3, frame_iterations: Some(5), ..choices }.usual_share(10), 1.5);
    }

    #[test]
    fn numbers_beyond_their_range_are_refused() {
        assert!(Choices::default().check().is_ok());
        assert!(Choices { steadiness: -1.0, ..Choices::default() }.check().is_err());
        assert!(Choices { steadiness: f64::NAN, ..Choices::default() }.check().is_err());
        assert!(Choices { passes: 0, ..Choices::default() }.check().is_err());
        assert!(Choices { frame_iterations: Some(0), ..Choices::default() }.check().is_err());
    }
}
