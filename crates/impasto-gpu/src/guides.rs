//! What guides a style tap, on the device: the guide of each region in pieces of rows, and the numbers of the chunks that each
//! sees anything of. What a region does not see is not summed for it; a chunk of nothing would add nothing.

use std::ops::Range;

use impasto_vgg::EngineError;
use impasto_vgg::guides::guide_sum;
use impasto_vgg::plan::TILE_ROWS;

use crate::device::Device;
use crate::maps;
use crate::shape::{CHUNK_COLUMNS, FLOAT_BYTES, TapShape, shared};
use crate::upload;

/// The guides of all regions of one tap.
#[derive(Debug)]
pub struct RegionGuides {
    shape: TapShape,
    /// As [`TapShape::pieces`] cuts them.
    pub(crate) pieces: Vec<GuidePiece>,
    /// By region: what its moments are divided by.
    sums: Vec<f64>,
}

/// Some rows of them.
#[derive(Debug)]
pub(crate) struct GuidePiece {
    pub(crate) rows: Range<usize>,
    /// `[regions][rows][width]` f32.
    pub(crate) values: wgpu::Buffer,
    /// The numbers of the chunks that each region sees, as u32, one region's behind the other's. Chunks are counted from the
    /// map's first row on.
    pub(crate) seen: wgpu::Buffer,
    /// The same, by region.
    seen_by: Vec<Vec<u32>>,
}

impl RegionGuides {
    /// Guides that see nothing yet.
    pub fn new(device: &Device, shape: TapShape) -> RegionGuides {
        let pieces = shape.pieces(device.binding_limit_bytes()).map(|rows| GuidePiece {
            values: maps::create(device, shape.guide_row_bytes() * rows.len() as u64),
            seen: maps::create(device, (shape.regions * shape.chunks(&rows)) as u64 * FLOAT_BYTES),
            seen_by: vec![Vec::new(); shape.regions],
            rows,
        });
        RegionGuides { shape, pieces: pieces.collect(), sums: vec![0.0; shape.regions] }
    }

    /// Takes `[regions, height, width]` that have passed their check.
    ///
    /// # Errors
    /// A device that was lost or has no memory for it.
    pub fn set(&mut self, device: &Device, values: &[f32]) -> Result<(), EngineError> {
        let TapShape { width, .. } = self.shape;
        let guides = || values.chunks_exact(self.shape.positions());
        self.sums = guides().map(guide_sum).collect();
        for piece in &mut self.pieces {
            let own = piece.rows.start * width..piece.rows.end * width;
            let bytes_of_region = own.len() as u64 * FLOAT_BYTES;
            for (region, guide) in guides().enumerate() {
                upload::write(device, &piece.values, region as u64 * bytes_of_region, &guide[own.clone()])?;
            }
            piece.seen_by = guides().map(|guide| seen_chunks(&self.shape, guide, piece.rows.clone())).collect();
            upload::write(device, &piece.seen, 0, &piece.seen_by.concat())?;
        }
        Ok(())
    }

    /// The sum of a region's guide.
    pub fn sum(&self, region: usize) -> f64 {
        self.sums[region]
    }
}

impl GuidePiece {
    /// Those of these rows that it holds.
    pub(crate) fn rows_of(&self, rows: &Range<usize>) -> Option<Range<usize>> {
        shared(&self.rows, rows)
    }

    /// Where the chunks that a region sees of some rows stand in the list of all.
    pub(crate) fn seen(&self, shape: &TapShape, region: usize, rows: &Range<usize>) -> Range<usize> {
        let before: usize = self.seen_by[..region].iter().map(Vec::len).sum();
        let place = |tile_row: usize| {
            let first = (tile_row * shape.chunks_across()) as u32;
            before + self.seen_by[region].partition_point(|&number| number < first)
        };
        place(rows.start / TILE_ROWS)..place(rows.end.div_ceil(TILE_ROWS))
    }
}

/// The numbers of the chunks of some rows, which begin at a chunk's first, in which a guide counts anything, in their order.
fn seen_chunks(shape: &TapShape, guide: &[f32], rows: Range<usize>) -> Vec<u32> {
    let mut seen = Vec::new();
    for top in rows.clone().step_by(TILE_ROWS) {
        let lines = &guide[top * shape.width..(top + TILE_ROWS).min(rows.end) * shape.width];
        for column in 0..shape.chunks_across() {
            let own = column * CHUNK_COLUMNS..((column + 1) * CHUNK_COLUMNS).min(shape.width);
            let mut lines = lines.chunks_exact(shape.width);
            if lines.any(|line| line[own.clone()].iter().any(|&value| value > 0.0)) {
                seen.push((top / TILE_ROWS * shape.chunks_across() + column) as u32);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use impasto_vgg::{Border, Guides, Layer, Pooling, Precision, SessionRequest};

    use super::*;

    /// A map of 10 rows and 130 columns: three chunks across, three down.
    #[test]
    fn chunks_are_seen_where_anything_counts() {
        let layer = Layer::named("conv1_1").unwrap();
        let request = SessionRequest {
            height: 10,
            width: 130,
            pooling: Pooling::Max,
            border: Border::Zero,
            precision: Precision::F32,
            style_taps: vec![layer],
            content_taps: Vec::new(),
            matched_taps: Vec::new(),
            guides: Guides { regions: 1, emphasis: false },
            way_back: true,
            memory_limit_bytes: None,
        };
        let shape = TapShape::new(&request, layer);
        let mut guide = vec![0.0; 1300];
        assert!(seen_chunks(&shape, &guide, 0..10).is_empty());
        for (y, x) in [(3, 63), (4, 64), (9, 129)] {
            guide[y * 130 + x] = 1e-9;
        }
        assert_eq!(seen_chunks(&shape, &guide, 0..10), [0, 4, 8]);
        assert_eq!(seen_chunks(&shape, &guide, 4..10), [4, 8]);
        assert_eq!(seen_chunks(&shape, &[1.0; 1300], 8..10), [6, 7, 8]);
    }
}
