//! How much there is of each pixel: a photo's transparency, and what a run sees in its place.
//!
//! A network knows no transparency, so the gaps are filled before a run: from the colours around them, the nearer the more, by
//! averages over ever larger squares that are brought back (pull and push, Gortler et al., "The Lumigraph", 1996). No edge comes
//! into being where the photo had none to paint, and a resized photo has no fringe in the colour that happened to lie under its
//! gaps.

use super::resize::{Region, resized_plane};
use super::{Picture, PictureError};

/// A pixel that is there to this share, or more, keeps its colour whole; below, it fades into what fills the gaps.
const TRUSTED: f32 = 0.25;

/// What a picture is filled with that is nothing but a gap.
const NOTHING: f32 = 255.0;

/// How much there is of each pixel of a picture, 0 nothing to 255 all.
#[derive(Clone, Debug, PartialEq)]
pub struct Alpha {
    /// Width in pixels, at least 1.
    pub width: usize,
    /// Height in pixels, at least 1.
    pub height: usize,
    /// `[height, width]`, 0..255.
    pub values: Vec<f32>,
}

impl Alpha {
    /// From its plane, `[height, width]`.
    ///
    /// # Errors
    /// Where a side is 0 or the number of values is another.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Result<Alpha, PictureError> {
        match width.checked_mul(height) {
            Some(count) if count > 0 && count == values.len() => Ok(Alpha { width, height, values }),
            Some(count) if count > 0 => Err(PictureError::Values { width, height, found: 3 * values.len() }),
            _ => Err(PictureError::Size { width, height }),
        }
    }

    /// The whole of it at another size, as [`Picture::resized`] has pictures.
    ///
    /// # Errors
    /// Where a side is 0, or there is no memory for that many pixels.
    pub fn resized(&self, width: usize, height: usize) -> Result<Alpha, PictureError> {
        self.region_resized(width, height, Region::whole(self.width, self.height))
    }

    /// The middle of it at exactly that size, as [`Picture::cropped_to_fit`] has pictures.
    ///
    /// # Errors
    /// Where a side is 0, or there is no memory for that many pixels.
    pub fn cropped_to_fit(&self, width: usize, height: usize) -> Result<Alpha, PictureError> {
        self.region_resized(width, height, Region::to_fit(self.width, self.height, width, height)?)
    }

    fn region_resized(&self, width: usize, height: usize, region: Region) -> Result<Alpha, PictureError> {
        if (width, height) == (self.width, self.height) && region == Region::whole(width, height) {
            return Ok(self.clone());
        }
        let values = resized_plane(&self.values, (self.width, self.height), (width, height), region)?;
        Ok(Alpha { width, height, values })
    }

    /// As bytes `[height, width]`, rounded as [`Picture::to_rgb8`] does.
    #[must_use]
    pub fn to_bits8(&self) -> Vec<u8> {
        self.values.iter().map(|value| (value + 0.5) as u8).collect()
    }

    /// As samples of 16 bits, `[height, width]`, rounded as [`Picture::to_rgb16`] does.
    #[must_use]
    pub fn to_bits16(&self) -> Vec<u16> {
        self.values.iter().map(|value| (value * 257.0 + 0.5) as u16).collect()
    }
}

impl Picture {
    /// The picture on white, in sRGB as browsers do it.
    ///
    /// # Errors
    /// Where the alpha has another size.
    pub fn on_white(mut self, alpha: &Alpha) -> Result<Picture, PictureError> {
        self.demand_size_of(alpha)?;
        for plane in self.values.chunks_exact_mut(alpha.values.len()) {
            for (value, alpha) in plane.iter_mut().zip(&alpha.values) {
                let share = alpha / 255.0;
                *value = *value * share + 255.0 * (1.0 - share);
            }
        }
        Ok(self)
    }

    /// The picture with the gaps that an alpha says filled from the colours around them; where it is there, it stays as it is.
    ///
    /// # Errors
    /// Where the alpha has another size.
    pub fn with_filled_gaps(mut self, alpha: &Alpha) -> Result<Picture, PictureError> {
        self.demand_size_of(alpha)?;
        let (width, height) = (self.width, self.height);
        let trust: Vec<f32> = alpha.values.iter().map(|alpha| (alpha / (255.0 * TRUSTED)).min(1.0)).collect();
        for plane in self.values.chunks_exact_mut(width * height) {
            plane.iter_mut().zip(&trust).for_each(|(value, trust)| *value *= trust);
            fill(plane, &trust, width, height);
        }
        Ok(self)
    }

    pub(crate) fn demand_size_of(&self, alpha: &Alpha) -> Result<(), PictureError> {
        match (alpha.width, alpha.height) == (self.width, self.height) {
            true => Ok(()),
            false => {
                Err(PictureError::Values { width: self.width, height: self.height, found: 3 * alpha.values.len() })
            }
        }
    }
}

/// Adds to each value of a plane, which was multiplied by its trust, what is missing to a trust of 1.
fn fill(plane: &mut [f32], trust: &[f32], width: usize, height: usize) {
    if trust.iter().all(|trust| *trust >= 1.0) {
        return;
    }
    if plane.len() == 1 {
        plane[0] += NOTHING * (1.0 - trust[0]);
        return;
    }
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let (mut coarse, mut coarse_trust) = (vec![0.0; half_width * half_height], vec![0.0; half_width * half_height]);
    for (position, (value, trust)) in plane.iter().zip(trust).enumerate() {
        let place = position / width / 2 * half_width + position % width / 2;
        coarse[place] += value;
        coarse_trust[place] += trust;
    }
    for (value, trust) in coarse.iter_mut().zip(&mut coarse_trust) {
        // A square whose pixels sum to one whole pixel, or more, is trusted as one.
        if *trust > 1.0 {
            *value /= *trust;
            *trust = 1.0;
        }
    }
    fill(&mut coarse, &coarse_trust, half_width, half_height);
    for (row, (values, trust)) in plane.chunks_exact_mut(width).zip(trust.chunks_exact(width)).enumerate() {
        let (above, below, down) = between(row, half_height);
        for (column, (value, trust)) in values.iter_mut().zip(trust).enumerate() {
            if *trust < 1.0 {
                let (left, right, across) = between(column, half_width);
                let along = |row: usize| {
                    let row = &coarse[row * half_width..(row + 1) * half_width];
                    row[left] + across * (row[right] - row[left])
                };
                let (upper, lower) = (along(above), along(below));
                *value += (1.0 - trust) * (upper + down * (lower - upper));
            }
        }
    }
}

/// The two places of a row half as long that lie around a place, and how far it is from the first to the second.
fn between(place: usize, half: usize) -> (usize, usize, f32) {
    let own = place / 2;
    match place % 2 {
        0 => (own.saturating_sub(1), own, 0.75),
        _ => (own, (own + 1).min(half - 1), 0.25),
    }
}
