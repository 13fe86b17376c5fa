//! A picture turned by quarters and mirrored: pixels move, none changes.

use super::Picture;

/// One of the eight ways that a square falls on itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Quarter turns, clockwise.
    pub quarters: u8,
    /// Whether left and right change places first.
    pub mirrored: bool,
}

impl Turn {
    /// The four turns, and after them, where `mirrored`, the four of the mirror image.
    pub fn all(mirrored: bool) -> impl Iterator<Item = Turn> + Clone {
        let count = if mirrored { 8 } else { 4 };
        (0..count).map(|place| Turn { quarters: place % 4, mirrored: place >= 4 })
    }
}

impl Picture {
    /// This picture, turned.
    ///
    /// ```
    /// use impasto::picture::{Picture, turn::Turn};
    /// let red_blue = Picture::from_rgb8(2, 1, &[255, 0, 0, 0, 0, 255])?;
    /// let turned = red_blue.turned(Turn { quarters: 1, mirrored: false });
    /// assert_eq!((turned.width, turned.height), (1, 2));
    /// assert_eq!(turned.values, red_blue.values);
    /// let mirrored = red_blue.turned(Turn { quarters: 1, mirrored: true });
    /// assert_eq!(mirrored.values, [0.0, 255.0, 0.0, 0.0, 255.0, 0.0]);
    /// # Ok::<(), impasto::picture::PictureError>(())
    /// ```
    #[must_use]
    pub fn turned(&self, turn: Turn) -> Picture {
        let (width, height) = (self.width, self.height);
        let is_upended = turn.quarters % 2 == 1;
        let (new_width, new_height) = if is_upended { (height, width) } else { (width, height) };
        let source = |y: usize, x: usize| {
            let (y, x) = match turn.quarters % 4 {
                0 => (y, x),
                1 => (height - 1 - x, y),
                2 => (height - 1 - y, width - 1 - x),
                _ => (x, width - 1 - y),
            };
            y * width + if turn.mirrored { width - 1 - x } else { x }
        };
        let places = (0..new_height).flat_map(|y| (0..new_width).map(move |x| source(y, x)));
        let planes = self.values.chunks_exact(width * height);
        let values = planes.flat_map(|plane| places.clone().map(|place| plane[place])).collect();
        Picture { width: new_width, height: new_height, values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_quarters_are_none_and_two_mirrors_are_none() {
        let picture = Picture::new(3, 2, (0..18).map(|value| value as f32).collect()).unwrap();
        let quarter = |picture: &Picture| picture.turned(Turn { quarters: 1, mirrored: false });
        let mut turned = picture.clone();
        for turn in Turn::all(false) {
            assert_eq!(picture.turned(turn), turned, "{turn:?}");
            turned = quarter(&turned);
        }
        assert_eq!(turned, picture);
        let mirror = Turn { quarters: 0, mirrored: true };
        assert_eq!(picture.turned(mirror).turned(mirror), picture);
        assert_eq!(picture.turned(mirror).values[..6], [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
        // All eight differ.
        let all: Vec<Picture> = Turn::all(true).map(|turn| picture.turned(turn)).collect();
        assert!((1..8).all(|place| !all[..place].contains(&all[place])));
    }
}
