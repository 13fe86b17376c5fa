//! Frames as they are painted, and as flow sees them.

use std::path::Path;

use impasto::picture::Picture;
use impasto::read::{ReadLimits, read_picture};
use impasto::run::content_at;
use impasto::{ResolvedRecipe, Scale, scales};
use impasto_flow::{Flow, FlowError, Method, Plane, agreement, flow};
use impasto_job::Failure;

/// A frame at the size that it is painted at.
pub struct Frame {
    /// Its colours.
    pub picture: Picture,
    /// Its luminance.
    pub luminance: Plane,
}

/// How a frame follows another: where each of its pixels was there, and where that can be trusted.
pub struct Movement {
    /// From this frame to the other.
    pub back: Flow,
    /// 1 where that can be trusted, else 0, `[height, width]`.
    pub weights: Vec<f32>,
}

/// What cannot be done with frames of two sizes.
pub fn flow_failure(error: FlowError) -> Failure {
    Failure::failed(format_args!("frames of a film have to be of one size: {error}"))
}

/// A frame from its file, as it was written.
pub fn read_frame(path: &Path, limits: &ReadLimits) -> Result<Picture, Failure> {
    read_picture(path, limits).map(|read| read.picture).map_err(Failure::failed)
}

/// The full size of a film's pictures, from a frame's.
pub fn full_size(recipe: &ResolvedRecipe, frame: &Picture) -> Scale {
    let scales = scales(recipe, frame.width, frame.height);
    scales[scales.len() - 1]
}

impl Frame {
    /// A frame from its file, at the size that it is painted at.
    pub fn read(path: &Path, limits: &ReadLimits, recipe: &ResolvedRecipe) -> Result<Frame, Failure> {
        let picture = read_frame(path, limits)?;
        let full = full_size(recipe, &picture);
        Frame::of(content_at(recipe, &picture, full).map_err(Failure::failed)?)
    }

    /// A frame of these colours.
    pub fn of(picture: Picture) -> Result<Frame, Failure> {
        let luminance = Plane::luminance(picture.width, picture.height, &picture.values).map_err(flow_failure)?;
        Ok(Frame { picture, luminance })
    }

    /// How this frame follows another.
    pub fn movement_since(&self, other: &Frame) -> Result<Movement, Failure> {
        let method = Method::default();
        let back = flow(&self.luminance, &other.luminance, &method).map_err(flow_failure)?;
        let forth = flow(&other.luminance, &self.luminance, &method).map_err(flow_failure)?;
        let weights = agreement(&back, &forth).map_err(flow_failure)?;
        Ok(Movement { back, weights })
    }
}
