//! What taps sum, in a tree of three levels in a fixed order: a chunk of positions in f32 (moments.wgsl, distance.wgsl), the
//! chunks of a map in f32 with what rounding takes kept beside (accumulate.wgsl), and what is left in f64 on the host.

use impasto_vgg::profile::Step;
use impasto_vgg::{EngineError, Layer};

use crate::bindings::Maker;
use crate::maps;
use crate::pipelines::{Family, Kernel, Pipelines};
use crate::recorder::{Recorder, Work};
use crate::shape::FLOAT_BYTES;
use crate::stopwatch::Label;

/// What a tap sums, and where.
#[derive(Debug)]
pub struct Sums {
    totals: wgpu::Buffer,
    accumulate: wgpu::BindGroup,
    elements: usize,
}

impl Sums {
    /// Sums of so many elements.
    pub fn new(make: Maker<'_>, elements: usize) -> Sums {
        let totals = maps::create(make.device, 2 * FLOAT_BYTES * elements as u64);
        let accumulate = make.bind(Family::Accumulate, &[make.partials, &totals]);
        Sums { totals, accumulate, elements }
    }

    /// Adds a batch of `chunks` to the totals.
    pub fn add(
        &self,
        pipelines: &Pipelines,
        recorder: &mut Recorder,
        layer: Layer,
        chunks: usize,
    ) -> Result<(), EngineError> {
        recorder.dispatch(&Work {
            pipeline: &pipelines.get(Kernel::Accumulate),
            bindings: &self.accumulate,
            parameters: &[self.elements as u32, chunks as u32, self.elements as u32],
            workgroups: self.elements.div_ceil(64) as u32,
            flop: (64 * 8 * chunks) as f64,
            label: Label { step: Step::Observe, layer, positions: 0.0 },
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

/// Pairs of a sum and its rest, as f64.
pub fn totals(bytes: &[u8]) -> Vec<f64> {
    let float = |bytes: [u8; 4]| f64::from(f32::from_ne_bytes(bytes));
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().map(|&[a, b, c, d, e, f, g, h]| float([a, b, c, d]) + float([e, f, g, h])).collect()
}
