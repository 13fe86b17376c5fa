//! How a flow is found, in numbers.

/// How the flow is found. The defaults were chosen by `tests/scenes.rs`'s scenes and by time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method {
    /// What the difference of gradients counts for, against that of values.
    pub gradients: f64,
    /// What the smoothness of the flow counts for.
    pub smoothness: f64,
    /// The slope of luminance, a pixel, across which movements hold each other half as much.
    pub edge: f64,
    /// How many times smaller each size is than the next, more than 1.
    pub scale_factor: f64,
    /// The least short edge of a size, in pixels.
    pub coarsest_px: usize,
    /// Times that the second picture is warped, at each size.
    pub warps: u32,
    /// Times that the equations take new factors, for each warping.
    pub reweightings: u32,
    /// Sweeps that solve the equations, each time.
    pub sweeps: u32,
}

impl Default for Method {
    fn default() -> Method {
        Method {
            gradients: 5.0,
            smoothness: 20.0,
            edge: 8.0,
            scale_factor: 1.5,
            coarsest_px: 12,
            warps: 3,
            reweightings: 1,
            sweeps: 15,
        }
    }
}
