//! Colour profiles: from what a file's numbers mean to sRGB, by moxcms.
//!
//! A profile that is sRGB by another name (most cameras' and programs' are, within rounding) changes nothing, so that a
//! picture is the same with its tag and without. One that is damaged or meant for other channels is ignored, and said.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, ProfileText, TransformF32Executor, TransformOptions};

use super::channels::Channels;
use super::{Failure, PROFILE_LIMIT_BYTES, one_line};

/// What a file says its colours mean.
pub(super) enum ColourSpace {
    /// sRGB, or nothing.
    Srgb,
    /// An ICC profile.
    Profile(Vec<u8>),
    /// What a file describes in other ways, and in words.
    Described(Box<ColorProfile>, String),
}

impl ColourSpace {
    /// Of a file that has a profile, or none.
    pub(super) fn of(profile: Option<Vec<u8>>) -> ColourSpace {
        profile.map_or(ColourSpace::Srgb, ColourSpace::Profile)
    }
}

/// Conversion of a file's colours to sRGB.
pub(super) struct Conversion {
    transform: Arc<TransformF32Executor>,
    /// Colour channels that the profile has: 1, 3 or 4.
    channels: usize,
}

impl Conversion {
    /// The conversion that is asked for; `None` where there is nothing to convert.
    pub(super) fn new(colours: &ColourSpace, channels: Channels, remarks: &mut Vec<String>) -> Option<Conversion> {
        match colours {
            ColourSpace::Srgb => None,
            ColourSpace::Profile(profile) => Conversion::of_profile(profile, channels, remarks),
            ColourSpace::Described(source, words) => Conversion::from_source(source, words, channels, remarks),
        }
    }

    fn of_profile(profile: &[u8], channels: Channels, remarks: &mut Vec<String>) -> Option<Conversion> {
        if profile.len() > PROFILE_LIMIT_BYTES {
            remarks.push("its colour profile is too large and was ignored".into());
            return None;
        }
        let Ok(source) = ColorProfile::new_from_slice(profile) else {
            remarks.push("its colour profile cannot be read and was ignored".into());
            return None;
        };
        Conversion::from_source(&source, &name(&source), channels, remarks)
    }

    fn from_source(
        source: &ColorProfile,
        name: &str,
        channels: Channels,
        remarks: &mut Vec<String>,
    ) -> Option<Conversion> {
        let (layout, profile_channels) = match (source.color_space, channels) {
            (DataColorSpace::Gray, Channels::Grey | Channels::GreyAlpha) => (Layout::Gray, 1),
            // Grey is a colour too: its three parts are equal.
            (DataColorSpace::Rgb, Channels::Grey | Channels::GreyAlpha | Channels::Rgb | Channels::RgbAlpha) => {
                (Layout::Rgb, 3)
            }
            // Four channels, whatever the library's name for them.
            (DataColorSpace::Cmyk, Channels::Cmyk) => (Layout::Rgba, 4),
            _ => {
                remarks.push("its colour profile is not meant for its channels and was ignored".into());
                return None;
            }
        };
        let srgb = ColorProfile::new_srgb();
        let transform = source.create_transform_f32(layout, &srgb, Layout::Rgb, TransformOptions::default());
        let Ok(transform) = transform else {
            remarks.push("its colour profile cannot be used and was ignored".into());
            return None;
        };
        let conversion = Conversion { transform, channels: profile_channels };
        if conversion.changes_nothing() {
            return None;
        }
        remarks.push(format!("its colours were converted from {name} to sRGB"));
        Some(conversion)
    }

    /// Converts pixels of 0..=255 to sRGB of 0..=255; colours that sRGB does not have are clipped.
    pub(super) fn convert<'a>(&self, pixels: impl Iterator<Item = &'a [f32]>, rgb: &mut [f32]) -> Result<(), Failure> {
        let mut source = Vec::with_capacity(rgb.len() / 3 * self.channels);
        for pixel in pixels {
            for channel in 0..self.channels {
                // A grey pixel under a profile of three channels gives its one value three times.
                source.push(pixel[channel.min(pixel.len() - 1)] / 255.0);
            }
        }
        self.transform
            .transform(&source, rgb)
            .map_err(|error| Failure::Unsupported(format!("colour profile: {error}")))?;
        for value in rgb {
            // A damaged profile may give anything; a number within the range comes out.
            *value = if value.is_nan() { 0.0 } else { (*value * 255.0).clamp(0.0, 255.0) };
        }
        Ok(())
    }

    /// Whether all colours of a grid stay within half a step of 8 bits.
    fn changes_nothing(&self) -> bool {
        const STEPS: usize = 17;
        if self.channels == 4 {
            return false;
        }
        let level = |step: usize| step as f32 * 255.0 / (STEPS - 1) as f32;
        let mut grid = Vec::new();
        for red in 0..STEPS {
            for green in 0..STEPS {
                for blue in 0..STEPS {
                    // One grey channel walks through the greys many times; that is cheap enough.
                    grid.extend([red, green, blue].map(level).iter().take(self.channels).copied());
                }
            }
        }
        let mut converted = vec![0.0; grid.len() / self.channels * 3];
        if self.convert(grid.chunks_exact(self.channels), &mut converted).is_err() {
            return false;
        }
        let pairs = grid.chunks_exact(self.channels).zip(converted.chunks_exact(3));
        pairs.into_iter().all(|(before, after)| {
            (0..3).all(|channel| (before[channel.min(self.channels - 1)] - after[channel]).abs() < 0.5)
        })
    }
}

/// What the profile calls itself, as far as it can be shown.
fn name(profile: &ColorProfile) -> String {
    let text = match &profile.description {
        Some(ProfileText::PlainString(text)) => text.as_str(),
        Some(ProfileText::Localizable(texts)) => texts.first().map_or("", |text| text.value.as_str()),
        Some(ProfileText::Description(text)) => text.ascii_string.as_str(),
        None => "",
    };
    let shown: String = one_line(text).chars().take(60).collect();
    if shown.is_empty() { "a colour profile without a name".into() } else { shown }
}
