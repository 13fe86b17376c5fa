//! Why a run gave no picture.

use impasto_vgg::EngineError;

use crate::picture::PictureError;
use crate::recipe::RecipeError;

/// Why a run gave no picture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PaintError {
    /// The recipe does not fit the images.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The engine could not do its work.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A picture could not be brought to size.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The recipe starts from an image that was not given.
    #[error("--init names a picture that was not given; give it, or start from content, noise or blend")]
    StartMissing,
    /// The checkpoint belongs to another run.
    #[error(
        "the checkpoint was made with another recipe or for images of another size; give the ones that the run began with"
    )]
    OtherRun,
    /// The recipe has masks, of regions, of paintings or of an emphasis, and they were not given.
    #[error("the recipe has masks, and the ones that were given are not theirs; give one for each")]
    MaskMissing,
    /// The weights of a picture that a frame is held to are not a plane of its size.
    #[error("the weights of the picture that a frame is held to are not of its size; give one for each of its pixels")]
    TemporalWeights,
    /// A region's mask is black.
    #[error(
        "region {region}: its {kind} is black at {width}x{height}, so that nothing lies inside; paint white what shall lie inside"
    )]
    BlackMask {
        /// The region's name.
        region: String,
        /// Which of its masks.
        kind: &'static str,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// A painting's mask is black.
    #[error(
        "--style-masks: the mask of painting {painting} is black at {width}x{height}, so that nothing lies inside; paint white what shall lie inside"
    )]
    BlackStyleMask {
        /// The painting, counted from 1.
        painting: usize,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The very first loss is no number.
    #[error(
        "the loss of the starting picture is not a finite number, so there is no way down from it; lower --style-weight and --content-weight, or check the weights file"
    )]
    StartNotFinite,
}
