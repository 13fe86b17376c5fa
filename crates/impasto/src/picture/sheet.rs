//! A contact sheet: pictures in rows and columns, each with its label below it.

use crate::picture::lettering::{HEIGHT, draw, width_of};
use crate::picture::{Picture, PictureError};

/// A picture of the sheet, and the lines of its label.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The picture.
    pub picture: Picture,
    /// A line for each thing that is told of it.
    pub label: Vec<String>,
}

/// The paper's white, and the ink.
const PAPER: [f32; 3] = [255.0; 3];
const INK: [f32; 3] = [20.0; 3];

/// Lays the cells out in so many columns, row by row. Every cell is as large as the largest picture, and letters are as
/// large as the longest label allows.
///
/// # Errors
/// A sheet too large for memory; no columns or no cells.
pub fn sheet(cells: &[Cell], columns: usize) -> Result<Picture, PictureError> {
    if columns == 0 || cells.is_empty() {
        return Err(PictureError::Size { width: 0, height: 0 });
    }
    let largest = |side: fn(&Picture) -> usize| cells.iter().map(|cell| side(&cell.picture)).max().unwrap_or(0);
    let (width, height) = (largest(|picture| picture.width), largest(|picture| picture.height));
    let lines = cells.iter().map(|cell| cell.label.len()).max().unwrap_or(0);
    let scale = letter_scale(cells, width);
    let gap = (width / 32).max(4);
    let label_height = lines * (HEIGHT + 2) * scale;
    let (across, down) = (width + gap, gap + height + gap / 2 + label_height);
    let rows = cells.len().div_ceil(columns);
    let mut sheet = Picture::filled(columns * across + gap, rows * down + gap, PAPER)?;
    for (place, cell) in cells.iter().enumerate() {
        let (left, top) = (gap + place % columns * across, gap + place / columns * down);
        paste(&mut sheet, &cell.picture, left, top);
        for (line, text) in cell.label.iter().enumerate() {
            let below = top + height + gap / 2 + line * (HEIGHT + 2) * scale;
            draw(&mut sheet, text, left, below, scale, INK);
        }
    }
    Ok(sheet)
}

/// As large as is readable, no larger than the picture deserves, and so that the longest line fits if it can.
fn letter_scale(cells: &[Cell], width: usize) -> usize {
    let longest = cells.iter().flat_map(|cell| &cell.label).map(|line| width_of(line, 1)).max().unwrap_or(0);
    (width / longest.max(1)).min(width / 80).max(1)
}

fn paste(sheet: &mut Picture, picture: &Picture, left: usize, top: usize) {
    let positions = sheet.width * sheet.height;
    for channel in 0..3 {
        for (row, values) in picture.plane(channel).chunks_exact(picture.width).enumerate() {
            let first = channel * positions + (top + row) * sheet.width + left;
            sheet.values[first..first + picture.width].copy_from_slice(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(shade: f32, width: usize) -> Cell {
        let picture = Picture::filled(width, 20, [shade, 0.0, 0.0]).unwrap();
        Cell { picture, label: vec!["ratio=1e-3".to_owned(), "seed=2".to_owned()] }
    }

    #[test]
    fn every_picture_stands_whole_on_the_sheet() {
        let cells = [cell(10.0, 64), cell(11.0, 64), cell(12.0, 40)];
        let made = sheet(&cells, 2).unwrap();
        for (shade, pixels) in [(10.0, 64 * 20), (11.0, 64 * 20), (12.0, 40 * 20)] {
            assert_eq!(made.plane(0).iter().filter(|&&value| value == shade).count(), pixels);
        }
        let is_ink = |value: &&f32| **value == INK[0];
        assert!(made.plane(1).iter().filter(is_ink).count() > 3 * 50);
        assert!(sheet(&[], 2).is_err() && sheet(&cells, 0).is_err());
    }
}
