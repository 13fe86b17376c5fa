//! What cannot be done with planes and flows.

/// What cannot be done with planes and flows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// Values that are not a plane of the size.
    #[error("{found} values do not make planes of {width} x {height} pixels; give a multiple of {}", width * height)]
    Values {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Values that were given.
        found: usize,
    },
    /// Two things that have to be of one size.
    #[error("{} x {} pixels and {} x {} pixels are of two sizes; give two of one size", one.0, one.1, other.0, other.1)]
    Sizes {
        /// Width and height of the one, in pixels.
        one: (usize, usize),
        /// Width and height of the other, in pixels.
        other: (usize, usize),
    },
}
