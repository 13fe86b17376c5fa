//! What the taps of one layer give to its gradient: both its style tap and its content tap in one pass.

use std::ops::Range;

use impasto_vgg::EngineError;
use impasto_vgg::profile::Step;

use crate::bindings::Maker;
use crate::content::ContentTap;
use crate::maps::Ring;
use crate::pipelines::{Family, Kernel, Pipelines, TILE_CHANNELS};
use crate::recorder::{Recorder, Work};
use crate::shape::{TapShape, shared};
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
    /// For each piece of the content target and of the guides, which are cut alike, its rows and a group of bindings; one for
    /// all rows where there are neither.
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
        let pieces = shape.pieces(make.device.binding_limit_bytes()).enumerate().map(|(index, rows)| {
            let guides =
                style.and_then(|tap| tap.guides.as_ref()).map_or(unused, |guides| &guides.pieces[index].values);
            let (target, emphasis) =
                content.map_or((unused, unused), |tap| (&tap.pieces[index].buffer, &tap.pieces[index].emphasis));
            let buffers = [&features.buffer, panel, means, target, guides, emphasis, &gradient.buffer];
            (rows, make.bind(Family::Injection, &buffers))
        });
        Some(Injection {
            shape,
            features_rows: features.rows as usize,
            gradient_rows: gradient.rows as usize,
            pieces: pieces.collect(),
        })
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
        for (piece, bindings) in &self.pieces {
            if let Some(rows) = shared(piece, &rows) {
                self.inject_piece(pipelines, recorder, taps, bindings, (rows, piece.clone()))?;
            }
        }
        Ok(())
    }

    /// Sets rows that a piece holds, which has rows of its own.
    fn inject_piece(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        (style, content): (Option<&StyleTap>, Option<&ContentTap>),
        bindings: &wgpu::BindGroup,
        (rows, piece): (Range<usize>, Range<usize>),
    ) -> Result<(), EngineError> {
        let TapShape { layer, width, .. } = self.shape;
        let (tiles, all_quads) = (self.shape.tiles(), self.shape.quads());
        let quads = if style.is_some_and(|tap| tap.has_second) { all_quads } else { 0 };
        let counts = [
            rows.start,
            rows.end,
            width,
            self.features_rows,
            self.gradient_rows,
            piece.start,
            piece.len(),
            tiles,
            quads,
            all_quads,
            usize::from(style.is_some_and(|tap| tap.has_mean)),
            usize::from(content.is_some()),
        ];
        let mut parameters = counts.map(|value| value as u32).to_vec();
        parameters.push(content.map_or(0.0, |tap| tap.twice_weight).to_bits());
        parameters.push(self.shape.regions as u32);
        let kernel =
            Kernel::Injection { guided: self.shape.regions > 0, emphasis: content.is_some_and(|tap| tap.has_emphasis) };
        recorder.dispatch(&Work {
            pipeline: &pipelines.get(kernel, self.shape.storage),
            bindings,
            parameters: &parameters,
            workgroups: ((rows.len() * width).div_ceil(TILE_POSITIONS) * tiles) as u32,
            label: Some(Label { step: Step::Inject, layer, positions: (rows.len() * width) as f64 }),
            flop: (2 * TILE_POSITIONS * TILE_CHANNELS * (4 * quads * self.shape.moments()).max(16)) as f64,
        })
    }
}
