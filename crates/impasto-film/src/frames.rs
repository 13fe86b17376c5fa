//! Frames as they are painted, and as flow sees them.

use std::path::Path;

use impasto::picture::Picture;
use impasto::picture::alpha::Alpha;
use impasto::read::{ReadLimits, read_picture};
use impasto::run::content_at;
use impasto::{ResolvedRecipe, Scale, scales};
use impasto_flow::{Flow, FlowError, Method, Plane, agreement, flow, lies_inside, warp};
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
    /// As `back`, with what cannot be trusted filled from what can around it.
    pub filled: Flow,
    /// 1 where the other frame, carried along that, has the same colours; else 0.
    pub alike: Vec<f32>,
}

/// How far colours may be apart in each channel and still be alike, of 255.
const ALIKE: f32 = 14.0;

/// A flow with what cannot be trusted filled from what can around it; as it is where nothing can.
fn filled(flow: &Flow, weights: &[f32]) -> Result<Flow, Failure> {
    if weights.iter().all(|&weight| weight == 0.0) {
        return Ok(flow.clone());
    }
    let along = |axis: usize| flow.vectors.iter().map(move |vector| vector[axis]);
    // A picture has three planes; the third is of no account.
    let values = along(0).chain(along(1)).chain(along(1)).collect();
    let planes = Picture { width: flow.width, height: flow.height, values };
    let trust = weights.iter().map(|weight| 255.0 * weight).collect();
    let trust = Alpha::new(flow.width, flow.height, trust).map_err(Failure::failed)?;
    let planes = planes.with_filled_gaps(&trust).map_err(Failure::failed)?;
    let vectors = planes.plane(0).iter().zip(planes.plane(1)).map(|(&dx, &dy)| [dx, dy]).collect();
    Ok(Flow { vectors, ..*flow })
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
        let filled = filled(&back, &weights)?;
        let alike = self.alike(other, &filled)?;
        Ok(Movement { back, weights, filled, alike })
    }

    /// Where another frame, carried along a flow, has this one's colours.
    fn alike(&self, other: &Frame, flow: &Flow) -> Result<Vec<f32>, Failure> {
        let (width, height) = (self.picture.width, self.picture.height);
        let carried = warp(&other.picture.values, width, height, flow).map_err(flow_failure)?;
        let inside = lies_inside(flow);
        let is_alike = |place: usize| {
            let channels = [0, 1, 2].map(|channel| channel * width * height + place);
            inside[place] && channels.iter().all(|&value| (carried[value] - self.picture.values[value]).abs() <= ALIKE)
        };
        Ok((0..width * height).map(|place| if is_alike(place) { 1.0 } else { 0.0 }).collect())
    }
}
