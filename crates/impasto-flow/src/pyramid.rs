//! From coarse to fine: the flow of a small picture is the beginning for a larger one.

use crate::error::FlowError;
use crate::field::{Field, Flow};
use crate::level::Level;
use crate::method::Method;
use crate::plane::Plane;
use crate::scalar::Scalar;

/// Standard deviation of what each picture is smoothed by before its derivatives are taken, in pixels.
const SMOOTHED_PX: f64 = 0.7;

/// The flow from one picture to another of its size: for each pixel of the one, where it is in the other. Both are luminance in 0..255.
///
/// # Errors
/// Two pictures of two sizes.
pub fn flow(from: &Plane, to: &Plane, method: &Method) -> Result<Flow, FlowError> {
    found::<f32>(from, to, method)
}

/// As [`flow`], with every number an f64: what the f32 is held to.
///
/// # Errors
/// As [`flow`].
pub fn reference_flow(from: &Plane, to: &Plane, method: &Method) -> Result<Flow, FlowError> {
    found::<f64>(from, to, method)
}

fn found<T: Scalar>(from: &Plane, to: &Plane, method: &Method) -> Result<Flow, FlowError> {
    let size = (from.width, from.height);
    if size != (to.width, to.height) {
        return Err(FlowError::Sizes { one: size, other: (to.width, to.height) });
    }
    let (from, to) = (pyramid(from.cast::<T>(), method), pyramid(to.cast::<T>(), method));
    let mut field: Option<Field<T>> = None;
    for (from, to) in from.into_iter().zip(to).rev() {
        let (width, height) = (from.width, from.height);
        let start = match field {
            Some(coarser) => coarser.resampled(width, height),
            None => Field::still(width, height),
        };
        let level = |picture: Plane<T>| Level::new(picture.smoothed(SMOOTHED_PX));
        field = Some(level(from).refine(&level(to), method, start));
    }
    // There is one size at least.
    Ok(field.unwrap_or_else(|| Field::still(size.0, size.1)).flow())
}

/// A picture in ever smaller sizes, the largest first.
fn pyramid<T: Scalar>(picture: Plane<T>, method: &Method) -> Vec<Plane<T>> {
    let factor = method.scale_factor.max(1.1);
    // What a Gaussian has to take away before every `factor`th sample is kept.
    let deviation_px = 0.6 * (factor * factor - 1.0).sqrt();
    let mut sizes = vec![picture];
    loop {
        let last = &sizes[sizes.len() - 1];
        let side = |pixels: usize| (pixels as f64 / factor).round() as usize;
        let (width, height) = (side(last.width), side(last.height));
        if width.min(height) < method.coarsest_px.max(1) {
            return sizes;
        }
        let smaller = last.smoothed(deviation_px).resampled(width, height);
        sizes.push(smaller);
    }
}
