//! What the samples of a pixel mean.

/// What the samples of a pixel mean, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Grey,
    GreyAlpha,
    Rgb,
    RgbAlpha,
    /// Four inks, the largest sample being all of the ink.
    Cmyk,
}

impl Channels {
    pub(super) fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::GreyAlpha => 2,
            Channels::Rgb => 3,
            Channels::RgbAlpha | Channels::Cmyk => 4,
        }
    }

    /// How many of them are colour.
    pub(super) fn colour_count(self) -> usize {
        match self {
            Channels::Grey | Channels::GreyAlpha => 1,
            Channels::Rgb | Channels::RgbAlpha => 3,
            Channels::Cmyk => 4,
        }
    }
}
