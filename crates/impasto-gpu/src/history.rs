//! An optimiser's pairs of vectors on the device: a ring of slots in a few buffers, multiplied and added where they are.
//!
//! A sweep takes its vector up once and brings it down once. Products come down as partial sums, which the host adds in
//! their order.

use std::ops::Range;
use std::sync::Arc;

use impasto_vgg::bfloat16::Bfloat16;
use impasto_vgg::{EngineError, History, Products, Vectors};
use rayon::prelude::*;

use crate::bindings::Maker;
use crate::device::DeviceFault;
use crate::engine::Shared;
use crate::maps;
use crate::pipelines::{Family, Kernel};
use crate::recorder::{Recorder, Work};
use crate::storage::Storage;
use crate::upload::{Upload, copy_slices, copy_values};

/// Values of an octet.
const OCTET: usize = 8;
/// Bytes of an octet in bfloat16 and in f32.
const PAIR_OCTET_BYTES: u64 = 16;
const VECTOR_OCTET_BYTES: u64 = 32;
/// Octets of a segment: what a workgroup multiplies.
const SEGMENT_OCTETS: usize = 1024;
/// Octets that a workgroup adds to.
const ADDED_OCTETS: usize = 256;
/// Bytes of a segment's two sums.
const PARTIAL_BYTES: usize = 2 * size_of::<f32>();
/// Bytes that a thread copies at a time.
const COPIED: usize = 1 << 14;

/// How much a history holds, and how it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryShape {
    capacity: usize,
    values: usize,
    /// Slots in a buffer that a shader sees at once.
    slots_at_once: usize,
}

impl HistoryShape {
    /// Of so many pairs of vectors, where a shader sees no more than `binding_bytes` at once; `None` where that is too
    /// little for one vector.
    pub fn new(capacity: usize, values: usize, binding_bytes: u64) -> Option<HistoryShape> {
        let shape = HistoryShape { capacity, values, slots_at_once: 0 };
        let slots_at_once = capacity.min((binding_bytes / shape.slot_bytes().max(1)) as usize);
        let is_seen = shape.vector_bytes().max(shape.partial_bytes()) <= binding_bytes;
        (is_seen && slots_at_once > 0 && values > 0).then_some(HistoryShape { slots_at_once, ..shape })
    }

    fn octets(&self) -> usize {
        self.values.div_ceil(OCTET)
    }

    fn segments(&self) -> usize {
        self.octets().div_ceil(SEGMENT_OCTETS)
    }

    fn slot_bytes(&self) -> u64 {
        self.octets() as u64 * PAIR_OCTET_BYTES
    }

    fn vector_bytes(&self) -> u64 {
        self.octets() as u64 * VECTOR_OCTET_BYTES
    }

    fn partial_bytes(&self) -> u64 {
        (self.capacity * self.segments() * PARTIAL_BYTES) as u64
    }

    fn factor_bytes(&self) -> u64 {
        (self.capacity * size_of::<f32>()) as u64
    }

    /// The pairs alone.
    pub fn pair_bytes(&self) -> u64 {
        2 * self.capacity as u64 * self.slot_bytes()
    }

    /// All that it takes on the device, with what the host writes and reads.
    pub fn bytes(&self) -> u64 {
        // The pairs, the newest change once more, and a pair on its way.
        let slots = self.pair_bytes() + 3 * self.slot_bytes();
        let sums = 2 * self.partial_bytes() + self.factor_bytes();
        slots + 3 * self.vector_bytes() + sums + Recorder::BYTES
    }

    /// Pairs in neighbouring slots of one buffer, in the order of their age: the buffer, the first slot in it, and the
    /// places among all `count` pairs, the oldest of which is in slot `oldest`.
    fn runs(&self, oldest: usize, count: usize) -> impl Iterator<Item = (usize, usize, Range<usize>)> {
        let (capacity, at_once) = (self.capacity, self.slots_at_once);
        let mut place = 0;
        std::iter::from_fn(move || {
            let slot = (oldest + place) % capacity;
            let end_of_buffer = ((slot / at_once + 1) * at_once).min(capacity);
            let run = place..count.min(place + end_of_buffer - slot);
            place = run.end;
            (!run.is_empty()).then_some((slot / at_once, slot % at_once, run))
        })
    }
}

/// Some slots of one of the two vectors.
#[derive(Debug)]
struct Slots {
    buffer: wgpu::Buffer,
    multiply: wgpu::BindGroup,
    add: wgpu::BindGroup,
}

/// A history on a device.
#[derive(Debug)]
pub struct GpuHistory {
    shared: Arc<Shared>,
    shape: HistoryShape,
    recorder: Recorder,
    /// The slot of the oldest pair, and how many there are.
    oldest: usize,
    count: usize,
    steps: Vec<Slots>,
    changes: Vec<Slots>,
    /// The newest change once more: a shader sees it beside any buffer of slots.
    newest: wgpu::Buffer,
    pair_upload: Upload,
    /// What is multiplied and added to.
    vector: wgpu::Buffer,
    vector_upload: Upload,
    readable_vector: wgpu::Buffer,
    factors: wgpu::Buffer,
    partials: wgpu::Buffer,
    readable_partials: wgpu::Buffer,
}

impl GpuHistory {
    /// A history without pairs; `None` where the device has no memory for it, or does not work any more.
    pub(crate) fn new(shared: Arc<Shared>, shape: HistoryShape) -> Option<GpuHistory> {
        let device = shared.device.clone();
        device.check().ok()?;
        shared.faults.before_session(&device, shape.bytes());
        let history = GpuHistory::made(shared, shape);
        if device.fault() == Some(DeviceFault::OutOfMemory) {
            drop(history);
            let _ = device.take_fault();
            // What was made is given back now.
            let _ = device.wait();
            return None;
        }
        device.check().ok().map(|()| history)
    }

    fn made(shared: Arc<Shared>, shape: HistoryShape) -> GpuHistory {
        let device = &shared.device;
        let recorder = Recorder::new(device, &shared.pace, &shared.faults);
        let newest = maps::create(device, shape.slot_bytes());
        let vector = maps::create(device, shape.vector_bytes());
        let factors = maps::create(device, shape.factor_bytes());
        let partials = maps::create(device, shape.partial_bytes());
        let make = Maker { device, pipelines: &shared.pipelines, recorder: &recorder, partials: &partials };
        let slots = || {
            let firsts = (0..shape.capacity).step_by(shape.slots_at_once);
            let slots = firsts.map(|first| {
                let count = shape.slots_at_once.min(shape.capacity - first);
                let buffer = maps::create(device, count as u64 * shape.slot_bytes());
                let multiply = make.bind(Family::Dots, &[&buffer, &vector, &newest, &partials]);
                let add = make.bind(Family::AddScaled, &[&buffer, &factors, &vector]);
                Slots { buffer, multiply, add }
            });
            slots.collect()
        };
        let (steps, changes) = (slots(), slots());
        let pair_upload = Upload::new(device, 2 * shape.slot_bytes());
        let vector_upload = Upload::new(device, shape.vector_bytes());
        let readable_vector = maps::create_readable(device, shape.vector_bytes());
        let readable_partials = maps::create_readable(device, shape.partial_bytes());
        GpuHistory {
            shared,
            shape,
            recorder,
            oldest: 0,
            count: 0,
            steps,
            changes,
            newest,
            pair_upload,
            vector,
            vector_upload,
            readable_vector,
            factors,
            partials,
            readable_partials,
        }
    }

    /// Does some work; a want of memory is forgotten, for what the history took is given back after it.
    fn work<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R, EngineError>) -> Result<R, EngineError> {
        let result = self.shared.device.check().and_then(|()| work(self));
        if result.is_err() && self.shared.device.fault() == Some(DeviceFault::OutOfMemory) {
            let _ = self.shared.device.take_fault();
        }
        result
    }

    fn check_length(&self, length: usize) -> Result<(), EngineError> {
        if length == self.shape.values {
            return Ok(());
        }
        let message = format!("a history of vectors of {} values was given {length}", self.shape.values);
        Err(EngineError::Request(message))
    }

    fn slots(&self, vectors: Vectors) -> &[Slots] {
        match vectors {
            Vectors::Steps => &self.steps,
            Vectors::Changes => &self.changes,
        }
    }

    fn take_in(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError> {
        let shape = self.shape;
        if self.count == shape.capacity {
            (self.oldest, self.count) = ((self.oldest + 1) % shape.capacity, self.count - 1);
        }
        let slot = (self.oldest + self.count) % shape.capacity;
        let bytes = shape.slot_bytes();
        self.pair_upload.reclaim(&mut self.recorder)?;
        self.pair_upload.fill(&self.shared.device, 2 * bytes, |view| {
            let (steps, changes) = view.split_at(bytes as usize);
            copy_halves(steps, step);
            copy_halves(changes, change);
        })?;
        let (buffer, offset) = (slot / shape.slots_at_once, (slot % shape.slots_at_once) as u64 * bytes);
        let copies = [
            (0, (&self.steps[buffer].buffer, offset), bytes),
            (bytes, (&self.changes[buffer].buffer, offset), bytes),
            (bytes, (&self.newest, 0), bytes),
        ];
        self.pair_upload.copy(&mut self.recorder, copies);
        self.count += 1;
        self.recorder.submit()
    }

    fn products(&mut self, vectors: Vectors, vector: &[f32]) -> Result<Products, EngineError> {
        let (shape, segments) = (self.shape, self.shape.segments());
        let padding = [0; VECTOR_OCTET_BYTES as usize];
        let values: &[u8] = bytemuck::cast_slice(vector);
        let slices = [values, &padding[..shape.vector_bytes() as usize - values.len()]];
        self.vector_upload.reclaim(&mut self.recorder)?;
        self.vector_upload.fill(&self.shared.device, shape.vector_bytes(), |view| copy_slices(view, &slices))?;
        self.vector_upload.copy(&mut self.recorder, [(0, (&self.vector, 0), shape.vector_bytes())]);
        for (buffer, first_slot, places) in shape.runs(self.oldest, self.count) {
            let parameters = [shape.octets(), segments, first_slot, places.start].map(|value| value as u32);
            self.dispatch(vectors, buffer, &Kernel::Dots, &parameters, places.len() * segments)?;
        }
        let bytes = (self.count * segments * PARTIAL_BYTES) as u64;
        self.recorder.encoder().copy_buffer_to_buffer(&self.partials, 0, &self.readable_partials, 0, bytes);
        self.recorder.read(&self.readable_partials, bytes, |bytes| {
            let partials: Vec<[f32; 2]> = bytemuck::pod_collect_to_vec(bytes);
            let sum = |segments: &[[f32; 2]], which: usize| -> f64 {
                segments.iter().fold(0.0, |sum, partial| sum + f64::from(partial[which]))
            };
            let of_pairs = || partials.chunks_exact(segments);
            Products {
                with_vector: of_pairs().map(|pair| sum(pair, 0)).collect(),
                with_newest_change: of_pairs().map(|pair| sum(pair, 1)).collect(),
            }
        })
    }

    fn sum(&mut self, vectors: Vectors, factors: &[f64], scale: f32, vector: &mut [f32]) -> Result<(), EngineError> {
        let shape = self.shape;
        let factors: Vec<f32> = factors.iter().map(|&factor| factor as f32).collect();
        self.shared.device.queue().write_buffer(&self.factors, 0, bytemuck::cast_slice(&factors));
        for (buffer, first_slot, places) in shape.runs(self.oldest, self.count) {
            let scale = if places.end == self.count { scale } else { 1.0 };
            let counts = [shape.octets(), first_slot, places.start, places.len()].map(|value| value as u32);
            let parameters: Vec<u32> = counts.into_iter().chain([scale.to_bits()]).collect();
            let workgroups = shape.octets().div_ceil(ADDED_OCTETS);
            self.dispatch(vectors, buffer, &Kernel::AddScaled, &parameters, workgroups)?;
        }
        let bytes = shape.vector_bytes();
        self.recorder.encoder().copy_buffer_to_buffer(&self.vector, 0, &self.readable_vector, 0, bytes);
        self.recorder.read(&self.readable_vector, bytes, |bytes| copy_values(vector, bytes))
    }

    /// Records a kernel over some slots of one buffer.
    fn dispatch(
        &mut self,
        vectors: Vectors,
        buffer: usize,
        kernel: &Kernel,
        parameters: &[u32],
        workgroups: usize,
    ) -> Result<(), EngineError> {
        let slots = &self.slots(vectors)[buffer];
        let (bindings, flop) = match kernel {
            Kernel::Dots => (slots.multiply.clone(), 4 * SEGMENT_OCTETS * OCTET),
            _ => (slots.add.clone(), 2 * ADDED_OCTETS * OCTET * self.count),
        };
        self.recorder.dispatch(&Work {
            pipeline: &self.shared.pipelines.get(*kernel, Storage::Single),
            bindings: &bindings,
            parameters,
            workgroups: workgroups as u32,
            flop: flop as f64,
            label: None,
        })
    }
}

impl History for GpuHistory {
    fn push(&mut self, step: &[Bfloat16], change: &[Bfloat16]) -> Result<(), EngineError> {
        self.check_length(step.len())?;
        self.check_length(change.len())?;
        self.work(|history| history.take_in(step, change))
    }

    fn clear(&mut self) {
        (self.oldest, self.count) = (0, 0);
    }

    fn multiply(&mut self, vectors: Vectors, vector: &[f32]) -> Result<Products, EngineError> {
        self.check_length(vector.len())?;
        if self.count == 0 {
            return Err(EngineError::Order("a history without pairs has no products; push one first"));
        }
        self.work(|history| history.products(vectors, vector))
    }

    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32, vector: &mut [f32]) -> Result<(), EngineError> {
        self.check_length(vector.len())?;
        if factors.len() != self.count || self.count == 0 {
            return Err(EngineError::Order("a sum over a history needs one factor for each of its pairs"));
        }
        self.work(|history| history.sum(vectors, factors, scale, vector))
    }
}

/// Copies values of bfloat16, two a word, many threads at a time; zeros behind them.
fn copy_halves(to: wgpu::WriteOnly<'_, [u8]>, values: &[Bfloat16]) {
    const VALUES: usize = COPIED / size_of::<u16>();
    let (chunks, mut rest) = to.into_chunks::<COPIED>();
    let chunks: Vec<_> = chunks.into_iter().collect();
    let (whole, last) = values.split_at((chunks.len() * VALUES).min(values.len()));
    rest.copy_from_slice(&bytemuck::cast_slice(&words(last))[..rest.len()]);
    chunks.into_par_iter().zip(whole.par_chunks(VALUES)).for_each(|(chunk, values)| {
        wgpu::WriteOnly::<[u8]>::from(chunk).copy_from_slice(bytemuck::cast_slice(&words(values)));
    });
}

/// Two values a word; zeros behind them.
fn words(values: &[Bfloat16]) -> [u32; COPIED / size_of::<u32>()] {
    let mut words = [0; COPIED / size_of::<u32>()];
    for (word, pair) in words.iter_mut().zip(values.chunks(2)) {
        let upper = pair.get(1).map_or(0, |value| value.to_bits());
        *word = u32::from(pair[0].to_bits()) | u32::from(upper) << 16;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_hold_each_pair_once_in_the_order_of_their_age() {
        for (capacity, at_once) in [(1, 1), (5, 5), (5, 2), (7, 3)] {
            let shape = HistoryShape { capacity, values: 10, slots_at_once: at_once };
            for oldest in 0..capacity {
                for count in 0..=capacity {
                    let mut slots = Vec::new();
                    for (buffer, first, places) in shape.runs(oldest, count) {
                        assert!(first + places.len() <= at_once && places.start == slots.len());
                        slots.extend(places.enumerate().map(|(offset, _)| buffer * at_once + first + offset));
                    }
                    let expected: Vec<usize> = (0..count).map(|place| (oldest + place) % capacity).collect();
                    assert_eq!(slots, expected, "{capacity} {at_once} {oldest} {count}");
                }
            }
        }
    }

    #[test]
    fn a_vector_that_no_shader_sees_at_once_is_not_kept() {
        assert!(HistoryShape::new(4, 1000, 4000).is_some());
        assert_eq!(HistoryShape::new(4, 1000, 3999), None);
        assert_eq!(HistoryShape::new(0, 1000, 4000), None);
        assert_eq!(HistoryShape::new(4, 1000, 4000).unwrap().slots_at_once, 2);
    }
}
