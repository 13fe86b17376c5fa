//! What the taps of one layer give to its gradient: both its style tap and its content tap in one pass.

use std::ops::Range;

use impasto_vgg::EngineError;
use impasto_vgg::profile::Step;

use crate::bindings::Maker;
use crate::content::ContentTap;
use crate::maps::Ring;
use crate::pipelines::{Family, Kernel, Pipelines};
use crate::recorder::{Recorder, Work};
use crate::shape::TapShape;
use crate::stopwatch::Label;
use crate::style::StyleTap;

/// Positions that a workgroup makes.
const TILE_POSITIONS: usize = 64;

/// The bindings of a tapped layer's injection.
#[derive(Debug)]
pub struct Injection {
    shape: TapShape,
    features_rows: usize,
    gradient_rows: usize,
    /// Tiles of channels that one group of bindings serves: all, or a piece of the content target.
    pieces: Vec<(Range<usize>, wgpu::BindGroup)>,
}

impl Injection {
    /// For a layer's taps, of which there is at least one. `unused` stands where a shader's buffer is not read.
    pub fn new(
        make: Maker<'_>,
        taps: (Option<&StyleTap>, Option<&ContentTap>),
        [features, gradient]: [&Ring; 2],
        unused: &wgpu::Buffer,
    ) -> Option<Injection> {
        let (style, content) = taps;
        let shape = style.map(|tap| tap.shape).or(content.map(|tap| tap.shape))?;
        let (panel, means) = style.map_or((unused, unused), |tap| (&tap.panel, &tap.means));
        let bind = |target: &wgpu::Buffer| {
            make.bind(Family::Injection, &[&features.buffer, panel, means, target, &gradient.buffer])
        };
        let pieces = match content {
            Some(content) => content.pieces.iter().map(|piece| (piece.tiles.clone(), bind(&piece.buffer))).collect(),
            None => vec![(0..shape.tiles(), bind(unused))],
        };
        Some(Injection { shape, features_rows: features.rows as usize, gradient_rows: gradient.rows as usize, pieces })
    }

    /// Sets rows of the gradient.
    ///
    /// # Errors
    /// A device that was lost or refused the work.
    pub fn inject(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        taps: (Option<&StyleTap>, Option<&ContentTap>),
        rows: Range<usize>,
    ) -> Result<(), EngineError> {
        let (style, content) = taps;
        let TapShape { layer, height, width, channels } = self.shape;
        let quads = if style.is_some_and(|tap| tap.has_second) { channels / 4 } else { 0 };
        let pipeline = pipelines.get(Kernel::Injection);
        for (tiles, bindings) in &self.pieces {
            let counts = [
                rows.start,
                rows.end,
                height,
                width,
                self.features_rows,
                self.gradient_rows,
                tiles.start,
                tiles.len(),
                quads,
                channels / 4,
                usize::from(style.is_some_and(|tap| tap.has_mean)),
                usize::from(content.is_some()),
            ];
            let mut parameters = counts.map(|value| value as u32).to_vec();
            parameters.push(content.map_or(0.0, |tap| tap.twice_weight).to_bits());
            recorder.dispatch(&Work {
                pipeline: &pipeline,
                bindings,
                parameters: &parameters,
                workgroups: ((rows.len() * width).div_ceil(TILE_POSITIONS) * tiles.len()) as u32,
                label: Label {
                    step: Step::Inject,
                    layer,
                    positions: (rows.len() * width * tiles.len()) as f64 / self.shape.tiles() as f64,
                },
                flop: (2 * TILE_POSITIONS * 64 * (4 * quads).max(16)) as f64,
            })?;
        }
        Ok(())
    }
}
