//! A picture: pixels as numbers, and nothing else.
//!
//! Values are RGB in sRGB's own (gamma-encoded) scale, 0..255, as the network was trained on and as the losses are
//! defined. The three planes lie one behind the other, as the engine reads them:
//!
//! ```text
//! values[(channel * height + row) * width + column]      channel 0 red, 1 green, 2 blue
//! ```
//!
//! While a picture is optimised its values may leave 0..255; they are brought back when it is written.

pub mod alpha;
pub(crate) mod chroma;
pub mod colour;
pub mod labels;
mod lettering;
pub mod resize;
pub mod sheet;
pub mod turn;
pub(crate) mod vectors;

use serde::{Deserialize, Serialize};

/// A picture, `[3, height, width]`, RGB 0..255 in sRGB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Width in pixels, at least 1.
    pub width: usize,
    /// Height in pixels, at least 1.
    pub height: usize,
    /// `[3, height, width]`: red plane, green plane, blue plane.
    pub values: Vec<f32>,
}

/// A picture that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side of no pixels, or more of them than a picture can count.
    #[error("a picture of {width} x {height} pixels cannot be made; both sides must be at least 1 and fit in memory")]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// Values that are not three planes of the size.
    #[error("{found} values do not make three planes of {width} x {height} pixels; give {} values", 3 * width * height)]
    Values {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Values that were given.
        found: usize,
    },
}

impl Picture {
    /// A picture from its planes, `[3, height, width]`.
    ///
    /// # Errors
    /// Where a side is 0 or the number of values is another.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Result<Picture, PictureError> {
        let expected = value_count(width, height)?;
        if values.len() != expected {
            return Err(PictureError::Values { width, height, found: values.len() });
        }
        Ok(Picture { width, height, values })
    }

    /// A picture of one colour, RGB 0..255.
    ///
    /// # Errors
    /// Where a side is 0, or there is no memory for that many pixels.
    pub fn filled(width: usize, height: usize, colour: [f32; 3]) -> Result<Picture, PictureError> {
        let count = value_count(width, height)?;
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| PictureError::Size { width, height })?;
        for value in colour {
            values.resize(values.len() + width * height, value);
        }
        Ok(Picture { width, height, values })
    }

    /// A picture from bytes as most programs keep them: `[height, width, 3]`, RGB.
    ///
    /// ```
    /// let red_blue = impasto::picture::Picture::from_rgb8(2, 1, &[255, 0, 0, 0, 0, 255])?;
    /// assert_eq!(red_blue.values, [255.0, 0.0, 0.0, 0.0, 0.0, 255.0]);
    /// # Ok::<(), impasto::picture::PictureError>(())
    /// ```
    ///
    /// # Errors
    /// Where a side is 0 or the number of bytes is another.
    pub fn from_rgb8(width: usize, height: usize, interleaved: &[u8]) -> Result<Picture, PictureError> {
        if interleaved.len() != value_count(width, height)? {
            return Err(PictureError::Values { width, height, found: interleaved.len() });
        }
        let mut picture = Picture::filled(width, height, [0.0; 3])?;
        for (channel, plane) in picture.values.chunks_exact_mut(width * height).enumerate() {
            for (value, pixel) in plane.iter_mut().zip(interleaved.chunks_exact(3)) {
                *value = f32::from(pixel[channel]);
            }
        }
        Ok(picture)
    }

    /// The picture as bytes `[height, width, 3]`, RGB: each value brought into 0..=255 and rounded to the nearest
    /// whole number, halves up. A value that is not a number becomes 0.
    #[must_use]
    pub fn to_rgb8(&self) -> Vec<u8> {
        // A float that is cast to an integer loses its fraction, stays within the integer's range, and NaN becomes 0.
        self.interleaved(|value| (value + 0.5) as u8)
    }

    /// The picture as 16-bit samples `[height, width, 3]`, RGB: 255 becomes 65,535, rounded as [`Picture::to_rgb8`] does.
    #[must_use]
    pub fn to_rgb16(&self) -> Vec<u16> {
        self.interleaved(|value| (value * 257.0 + 0.5) as u16)
    }

    /// The plane of one channel, `[height, width]`: 0 red, 1 green, 2 blue.
    ///
    /// # Panics
    /// Where the channel is not 0, 1 or 2.
    #[must_use]
    pub fn plane(&self, channel: usize) -> &[f32] {
        let positions = self.width * self.height;
        &self.values[channel * positions..(channel + 1) * positions]
    }

    /// The long edge in pixels.
    #[must_use]
    pub fn long_edge(&self) -> usize {
        self.width.max(self.height)
    }

    fn interleaved<T>(&self, convert: impl Fn(f32) -> T) -> Vec<T> {
        let mut out = Vec::with_capacity(self.values.len());
        for position in 0..self.width * self.height {
            for channel in 0..3 {
                out.push(convert(self.values[channel * self.width * self.height + position]));
            }
        }
        out
    }
}

/// Values of a picture of that size.
fn value_count(width: usize, height: usize) -> Result<usize, PictureError> {
    let count = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
    // A vector's bytes must be countable too, so that nothing below can overflow.
    match count {
        Some(count) if count > 0 && count <= isize::MAX as usize / size_of::<f32>() => Ok(count),
        _ => Err(PictureError::Size { width, height }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_there_and_back() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * 16 * 17).collect();
        let picture = Picture::from_rgb8(16, 17, &bytes).unwrap();
        assert_eq!(picture.to_rgb8(), bytes);
        let doubled: Vec<u16> = bytes.iter().map(|&byte| u16::from(byte) * 257).collect();
        assert_eq!(picture.to_rgb16(), doubled);
        assert_eq!(picture.plane(2)[5], f32::from(bytes[5 * 3 + 2]));
    }

    #[test]
    fn values_beyond_the_range_are_brought_back() {
        let picture = Picture::new(2, 1, vec![-3.0, 255.49, 300.0, 0.5, f32::NAN, f32::INFINITY]).unwrap();
        assert_eq!(picture.to_rgb8(), [0, 255, 0, 255, 1, 255]);
        assert_eq!(picture.to_rgb16(), [0, 65535, 0, 65535, 129, 65535]);
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        assert_eq!(Picture::new(0, 3, vec![]), Err(PictureError::Size { width: 0, height: 3 }));
        assert_eq!(Picture::new(1, 1, vec![0.0]), Err(PictureError::Values { width: 1, height: 1, found: 1 }));
        assert!(matches!(Picture::filled(usize::MAX, 2, [0.0; 3]), Err(PictureError::Size { .. })));
        assert!(matches!(Picture::filled(1 << 31, 1 << 28, [0.0; 3]), Err(PictureError::Size { .. })));
        assert!(matches!(Picture::from_rgb8(2, 2, &[0; 11]), Err(PictureError::Values { found: 11, .. })));
    }
}
