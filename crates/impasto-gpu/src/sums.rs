//! What taps sum, in a tree of three levels in a fixed order: a chunk of positions in f32 (moments.wgsl, distance.wgsl), the
//! chunks of a map in f32 with what rounding takes kept beside (accumulate.wgsl), and what is left in f64 on the host.

use std::ops::Range;

use impasto_vgg::profile::Step;
use impasto_vgg::{EngineError, Layer};

use crate::bindings::Maker;
use crate::maps;
use crate::pipelines::{Family, Kernel, Pipelines};
use crate::recorder::{Recorder, Work};
use crate::shape::{FLOAT_BYTES, TapShape, batch};
use crate::stopwatch::Label;
use crate::storage::Storage;

/// What a tap sums, and where.
#[derive(Debug)]
pub struct Sums {
    totals: wgpu::Buffer,
    accumulate: wgpu::BindGroup,
    elements: usize,
}

/// A kernel that makes partial sums of chunks: moments.wgsl or distance.wgsl.
#[derive(Clone, Debug)]
pub struct ChunkKernel<'a> {
    /// Which of them.
    pub kernel: Kernel,
    /// Its buffers.
    pub bindings: &'a wgpu::BindGroup,
    /// The tap's shape.
    pub shape: TapShape,
    /// Rows of the features' ring.
    pub features_rows: u32,
    /// The row that chunks are counted from.
    pub row_begin: usize,
    /// Which chunks, or places in a list of chunks.
    pub chunks: Range<usize>,
    /// Its last parameters: those that others have not.
    pub parameters: &'a [usize],
    /// Workgroups of a chunk.
    pub workgroups: usize,
    /// Floating-point operations of one.
    pub flop: f64,
    /// Positions that count in the profile: those of a layer count once, whatever its taps and regions.
    pub positions: f64,
}

impl Sums {
    /// Sums of so many elements.
    pub fn new(make: Maker<'_>, elements: usize) -> Sums {
        let totals = maps::create(make.device, 2 * FLOAT_BYTES * elements as u64);
        let accumulate = make.bind(Family::Accumulate, &[make.partials, &totals]);
        Sums { totals, accumulate, elements }
    }

    /// Takes chunks of a tap's map in, a batch at a time.
    ///
    /// # Errors
    /// A device that was lost or refused the work.
    pub fn take_in(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        kernel: &ChunkKernel<'_>,
    ) -> Result<(), EngineError> {
        let TapShape { layer, height, width, .. } = kernel.shape;
        let (chunks, chunks_across) = (kernel.chunks.len(), kernel.shape.chunks_across());
        if chunks == 0 {
            return Ok(());
        }
        let pipeline = pipelines.get(kernel.kernel, kernel.shape.storage);
        let most = batch(chunks, self.elements as u64 * FLOAT_BYTES);
        for first in kernel.chunks.clone().step_by(most) {
            let count = most.min(kernel.chunks.end - first);
            let map = [height, width, kernel.features_rows as usize, kernel.shape.tiles()];
            let parameters = [kernel.row_begin, first, chunks_across].into_iter().chain(map);
            let parameters = parameters.chain(kernel.parameters.iter().copied());
            let parameters: Vec<u32> = parameters.map(|value| value as u32).collect();
            let positions = kernel.positions * count as f64 / chunks as f64;
            recorder.dispatch(&Work {
                pipeline: &pipeline,
                bindings: kernel.bindings,
                parameters: &parameters,
                workgroups: (count * kernel.workgroups) as u32,
                label: Some(Label { step: Step::Observe, layer, positions }),
                flop: kernel.flop,
            })?;
            self.add(pipelines, recorder, layer, count)?;
        }
        Ok(())
    }

    /// Adds a batch of `chunks` to the totals.
    fn add(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        layer: Layer,
        chunks: usize,
    ) -> Result<(), EngineError> {
        recorder.dispatch(&Work {
            // What is added is f32, however the maps are stored.
            pipeline: &pipelines.get(Kernel::Accumulate, Storage::Single),
            bindings: &self.accumulate,
            parameters: &[self.elements as u32, chunks as u32, self.elements as u32, 0],
            workgroups: self.elements.div_ceil(64) as u32,
            flop: (64 * 8 * chunks) as f64,
            label: Some(Label { step: Step::Observe, layer, positions: 0.0 }),
        })
    }

    /// Bytes of the totals.
    pub fn bytes(&self) -> u64 {
        2 * FLOAT_BYTES * self.elements as u64
    }

    /// Starts again from nothing.
    pub fn clear(&self, recorder: &mut Recorder) {
        recorder.encoder().clear_buffer(&self.totals, 0, None);
    }

    /// Copies the totals to where the host may read them; returns where the next may go.
    pub fn copy_to(&self, recorder: &mut Recorder, readable: &wgpu::Buffer, offset: u64) -> u64 {
        recorder.encoder().copy_buffer_to_buffer(&self.totals, 0, readable, offset, self.bytes());
        offset + self.bytes()
    }
}

/// Bytes of a sum and its rest.
pub const PAIR_OF_FLOATS: usize = 2 * FLOAT_BYTES as usize;

/// A sum and its rest, as f64.
pub fn total([a, b, c, d, e, f, g, h]: [u8; PAIR_OF_FLOATS]) -> f64 {
    let float = |bytes: [u8; 4]| f64::from(f32::from_ne_bytes(bytes));
    float([a, b, c, d]) + float([e, f, g, h])
}

/// Pairs of a sum and its rest, as f64.
pub fn totals(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.as_chunks::<PAIR_OF_FLOATS>().0.iter().map(|&pair| total(pair))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapter::{GpuChoice, adapters, choose};
    use crate::faults::FaultClock;
    use crate::recorder::Pace;

    /// Chunk after chunk of ones, each less than half a bit of the total: plain f32 would lose them all.
    #[test]
    fn what_rounding_takes_is_kept() {
        const ONES: usize = 1000;
        const LARGE: f32 = 16_777_216.0;
        let adapters = adapters();
        let Ok(adapter) = choose(&adapters, GpuChoice::Best) else {
            println!("skipped: there is no adapter");
            return;
        };
        let device = adapter.open().unwrap();
        let pipelines = Pipelines::new(&device);
        let mut recorder = Recorder::new(&device, &Pace::default(), &Arc::new(FaultClock::default()));
        // Two elements a chunk: ones behind something large, and ones alone.
        let chunks = std::iter::once([LARGE, 1.0]).chain([[1.0; 2]; ONES]);
        let bytes: Vec<u8> = chunks.flatten().flat_map(f32::to_ne_bytes).collect();
        let partials = maps::create(&device, bytes.len() as u64);
        device.queue().write_buffer(&partials, 0, &bytes);
        let sums =
            Sums::new(Maker { device: &device, pipelines: &pipelines, recorder: &recorder, partials: &partials }, 2);
        sums.clear(&mut recorder);
        sums.add(&pipelines, &mut recorder, Layer::named("conv1_1").unwrap(), ONES + 1).unwrap();
        let readable = maps::create_readable(&device, sums.bytes());
        sums.copy_to(&mut recorder, &readable, 0);
        let totals: Vec<f64> = recorder.read(&readable, sums.bytes(), |bytes| totals(bytes).collect()).unwrap();
        assert_eq!(totals[1], 1.0 + ONES as f64);
        assert_eq!(totals[0], f64::from(LARGE) + ONES as f64);
    }
}
