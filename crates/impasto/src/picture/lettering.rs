//! Letters for the labels of a contact sheet: five pixels wide, seven high, two more below the line, drawn for impasto.
//!
//! Small letters, digits and what stands in names and numbers; capitals are drawn small, anything else as a box.

use crate::picture::Picture;

/// Width of a letter and the gap behind it, in its own pixels.
const ADVANCE: usize = 6;
/// Height of a letter with what hangs below the line, in its own pixels.
pub(crate) const HEIGHT: usize = 9;

/// Rows from the top, five bits each, the leftmost highest; a last number for the two rows below the line where needed.
const LETTERS: [(char, [u8; HEIGHT]); 49] = [
    (' ', [0; HEIGHT]),
    ('a', [0, 0, 14, 1, 15, 17, 15, 0, 0]),
    ('b', [16, 16, 30, 17, 17, 17, 30, 0, 0]),
    ('c', [0, 0, 14, 17, 16, 17, 14, 0, 0]),
    ('d', [1, 1, 15, 17, 17, 17, 15, 0, 0]),
    ('e', [0, 0, 14, 17, 31, 16, 14, 0, 0]),
    ('f', [6, 9, 8, 28, 8, 8, 8, 0, 0]),
    ('g', [0, 0, 15, 17, 17, 17, 15, 1, 14]),
    ('h', [16, 16, 30, 17, 17, 17, 17, 0, 0]),
    ('i', [4, 0, 12, 4, 4, 4, 14, 0, 0]),
    ('j', [2, 0, 6, 2, 2, 2, 2, 18, 12]),
    ('k', [16, 16, 18, 20, 24, 20, 18, 0, 0]),
    ('l', [12, 4, 4, 4, 4, 4, 14, 0, 0]),
    ('m', [0, 0, 26, 21, 21, 21, 21, 0, 0]),
    ('n', [0, 0, 30, 17, 17, 17, 17, 0, 0]),
    ('o', [0, 0, 14, 17, 17, 17, 14, 0, 0]),
    ('p', [0, 0, 30, 17, 17, 17, 30, 16, 16]),
    ('q', [0, 0, 15, 17, 17, 17, 15, 1, 1]),
    ('r', [0, 0, 22, 25, 16, 16, 16, 0, 0]),
    ('s', [0, 0, 15, 16, 14, 1, 30, 0, 0]),
    ('t', [8, 8, 28, 8, 8, 9, 6, 0, 0]),
    ('u', [0, 0, 17, 17, 17, 17, 15, 0, 0]),
    ('v', [0, 0, 17, 17, 17, 10, 4, 0, 0]),
    ('w', [0, 0, 17, 21, 21, 21, 10, 0, 0]),
    ('x', [0, 0, 17, 10, 4, 10, 17, 0, 0]),
    ('y', [0, 0, 17, 17, 17, 17, 15, 1, 14]),
    ('z', [0, 0, 31, 2, 4, 8, 31, 0, 0]),
    ('0', [14, 17, 19, 21, 25, 17, 14, 0, 0]),
    ('1', [4, 12, 4, 4, 4, 4, 14, 0, 0]),
    ('2', [14, 17, 1, 6, 8, 16, 31, 0, 0]),
    ('3', [14, 17, 1, 6, 1, 17, 14, 0, 0]),
    ('4', [2, 6, 10, 18, 31, 2, 2, 0, 0]),
    ('5', [31, 16, 30, 1, 1, 17, 14, 0, 0]),
    ('6', [6, 8, 16, 30, 17, 17, 14, 0, 0]),
    ('7', [31, 1, 2, 4, 8, 8, 8, 0, 0]),
    ('8', [14, 17, 17, 14, 17, 17, 14, 0, 0]),
    ('9', [14, 17, 17, 15, 1, 2, 12, 0, 0]),
    ('.', [0, 0, 0, 0, 0, 12, 12, 0, 0]),
    (',', [0, 0, 0, 0, 0, 12, 12, 4, 8]),
    (':', [0, 0, 12, 12, 0, 12, 12, 0, 0]),
    ('-', [0, 0, 0, 31, 0, 0, 0, 0, 0]),
    ('_', [0, 0, 0, 0, 0, 0, 0, 31, 0]),
    ('=', [0, 0, 31, 0, 31, 0, 0, 0, 0]),
    ('+', [0, 4, 4, 31, 4, 4, 0, 0, 0]),
    ('/', [0, 1, 2, 4, 8, 16, 0, 0, 0]),
    ('(', [2, 4, 8, 8, 8, 4, 2, 0, 0]),
    (')', [8, 4, 2, 2, 2, 4, 8, 0, 0]),
    ('*', [0, 21, 14, 31, 14, 21, 0, 0, 0]),
    ('%', [24, 25, 2, 4, 8, 19, 3, 0, 0]),
];

/// What stands for a letter that there is none of.
const BOX: [u8; HEIGHT] = [31, 17, 17, 17, 17, 17, 31, 0, 0];

/// Width of a text in pixels, each of a letter's pixels drawn `scale` wide.
pub(crate) fn width_of(text: &str, scale: usize) -> usize {
    (text.chars().count() * ADVANCE).saturating_sub(1) * scale
}

/// Draws a text with its upper left corner at column `left` and row `top`; what does not fit is cut off.
pub fn draw(picture: &mut Picture, text: &str, left: usize, top: usize, scale: usize, colour: [f32; 3]) {
    for (place, letter) in text.chars().enumerate() {
        let rows = rows_of(letter);
        for y in 0..HEIGHT * scale {
            for x in 0..5 * scale {
                let is_ink = rows[y / scale] >> (4 - x / scale) & 1 == 1;
                let (column, row) = (left + place * ADVANCE * scale + x, top + y);
                if is_ink && column < picture.width && row < picture.height {
                    set(picture, column, row, colour);
                }
            }
        }
    }
}

fn rows_of(letter: char) -> [u8; HEIGHT] {
    let small = letter.to_ascii_lowercase();
    LETTERS.iter().find(|(known, _)| *known == small).map_or(BOX, |(_, rows)| *rows)
}

fn set(picture: &mut Picture, column: usize, row: usize, colour: [f32; 3]) {
    let positions = picture.width * picture.height;
    for (channel, value) in colour.into_iter().enumerate() {
        picture.values[channel * positions + row * picture.width + column] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_differ_and_stay_in_their_cell() {
        for (place, (letter, rows)) in LETTERS.iter().enumerate() {
            assert!(rows.iter().all(|row| *row < 32), "{letter}");
            for (other, others) in &LETTERS[place + 1..] {
                assert!(letter != other && rows != others, "{letter} and {other}");
            }
        }
    }

    #[test]
    fn a_text_is_as_wide_as_it_says_and_is_cut_at_the_edge() {
        let mut picture = Picture::filled(40, 20, [255.0; 3]).unwrap();
        draw(&mut picture, "l-", 3, 1, 2, [0.0; 3]);
        let is_ink = |column: &usize| (0..20).any(|row| picture.values[row * 40 + column] == 0.0);
        let inked: Vec<usize> = (0..40).filter(is_ink).collect();
        // The l begins one of its pixels to the right of its cell; the dash fills its own.
        assert_eq!((inked[0], inked[inked.len() - 1] + 1), (3 + 2, 3 + width_of("l-", 2)));
        draw(&mut picture, "far beyond the edge", 30, 15, 3, [0.0; 3]);
    }
}
