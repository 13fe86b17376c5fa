//! From a decoder's samples to a picture: colours into sRGB, transparency onto white or beside it, upright, into planes.
//!
//! All in one pass over the rows, so that the samples and the picture are the only large things in memory.

use super::channels::Channels;
use super::profile::Conversion;
use super::raster::Raster;
use super::{Failure, filled};
use crate::picture::Picture;
use crate::picture::alpha::Alpha;

/// What a decoder's samples are.
pub(super) struct Composed {
    pub(super) picture: Picture,
    /// Where it was asked for, and some of it is transparent.
    pub(super) alpha: Option<Alpha>,
    /// The decoder's remarks with our own.
    pub(super) remarks: Vec<String>,
}

/// The picture of a decoder's samples: on white, or where transparency is kept in its own colours with the alpha beside it.
pub(super) fn compose(raster: Raster, keeps_transparency: bool) -> Result<Composed, Failure> {
    let Raster {
        width, height, channels, samples, is_premultiplied, colours: meaning, orientation, mut remarks, ..
    } = raster;
    if samples.len() != width * height * channels.count() {
        return Err(Failure::Damaged("its decoder gave another number of samples than the size asks for".into()));
    }
    let conversion = Conversion::new(&meaning, channels, &mut remarks);
    if channels == Channels::Cmyk && conversion.is_none() {
        remarks
            .push("its four inks were turned into colours without a profile of the press, so they are a guess".into());
    }

    let layout = orientation.layout(width, height);
    let positions = width * height;
    let mut values = filled(0.0f32, 3 * positions)?;
    let mut stored = vec![0.0f32; width * channels.count()];
    let mut rgb = vec![0.0f32; width * 3];
    let has_alpha = matches!(channels, Channels::GreyAlpha | Channels::RgbAlpha);
    let mut alphas = if has_alpha && keeps_transparency { filled(0.0f32, positions)? } else { Vec::new() };
    let mut has_transparency = false;
    for y in 0..height {
        samples.row(y, &mut stored);
        colours(&stored, channels, conversion.as_ref(), &mut rgb)?;
        let place = |x: usize| (layout.start + x as isize * layout.across + y as isize * layout.down) as usize;
        if has_alpha && keeps_transparency {
            has_transparency |= undo_alpha(&mut rgb, &stored, channels.count(), is_premultiplied);
            for (x, stored) in stored.chunks_exact(channels.count()).enumerate() {
                alphas[place(x)] = stored[channels.count() - 1];
            }
        } else if has_alpha {
            has_transparency |= put_on_white(&mut rgb, &stored, channels.count(), is_premultiplied);
        }
        for (x, pixel) in rgb.chunks_exact(3).enumerate() {
            let position = place(x);
            for (channel, value) in pixel.iter().enumerate() {
                values[channel * positions + position] = *value;
            }
        }
    }
    let (width, height) = (layout.width, layout.height);
    let alpha = (has_transparency && keeps_transparency).then_some(Alpha { width, height, values: alphas });
    if has_transparency && !keeps_transparency {
        remarks.push("its transparent parts were put on white".into());
    }
    Ok(Composed { picture: Picture { width, height, values }, alpha, remarks })
}

/// One row's colours in sRGB, 0..=255, from its stored samples.
fn colours(
    stored: &[f32],
    channels: Channels,
    conversion: Option<&Conversion>,
    rgb: &mut [f32],
) -> Result<(), Failure> {
    let pixels = stored.chunks_exact(channels.count());
    if let Some(conversion) = conversion {
        return conversion.convert(pixels.map(|pixel| &pixel[..channels.colour_count()]), rgb);
    }
    for (rgb, pixel) in rgb.chunks_exact_mut(3).zip(pixels) {
        match (channels, pixel) {
            (Channels::Cmyk, &[cyan, magenta, yellow, black]) => {
                for (value, ink) in rgb.iter_mut().zip([cyan, magenta, yellow]) {
                    *value = (255.0 - ink) * (255.0 - black) / 255.0;
                }
            }
            (_, &[grey] | &[grey, _]) => rgb.fill(grey),
            (_, pixel) => rgb.copy_from_slice(&pixel[..3]),
        }
    }
    Ok(())
}

/// Composites one row on white, in sRGB as browsers do; tells whether any of it was transparent.
fn put_on_white(rgb: &mut [f32], stored: &[f32], channels: usize, is_premultiplied: bool) -> bool {
    let mut has_transparency = false;
    for (pixel, stored) in rgb.chunks_exact_mut(3).zip(stored.chunks_exact(channels)) {
        let alpha = stored[channels - 1] / 255.0;
        has_transparency |= alpha < 1.0;
        for value in pixel {
            let colour = if is_premultiplied { *value } else { *value * alpha };
            *value = (colour + 255.0 * (1.0 - alpha)).min(255.0);
        }
    }
    has_transparency
}

/// One row's colours as they are without their alpha; tells whether any of it was transparent.
fn undo_alpha(rgb: &mut [f32], stored: &[f32], channels: usize, is_premultiplied: bool) -> bool {
    let mut has_transparency = false;
    for (pixel, stored) in rgb.chunks_exact_mut(3).zip(stored.chunks_exact(channels)) {
        let alpha = stored[channels - 1] / 255.0;
        has_transparency |= alpha < 1.0;
        if is_premultiplied && alpha > 0.0 {
            pixel.iter_mut().for_each(|value| *value = (*value / alpha).min(255.0));
        }
    }
    has_transparency
}
