//! An optimiser's pairs of vectors on the device: a ring of slots in a few buffers, multiplied and added where they are.
//!
//! The vector that they are multiplied with goes up once and comes down once. Products come down as partial sums, which the
//! host adds in their order.

mod pyramid;
mod shape;

use std::sync::Arc;

use impasto_vgg::bfloat16::Bfloat16;
use impasto_vgg::{EngineError, History, Products, Vectors, Weighing};

use crate::bindings::Maker;
use crate::device::DeviceFault;
use crate::maps;
use crate::pipelines::{Family, Kernel};
use crate::recorder::{Recorder, Work};
use crate::shared::Shared;
use crate::storage::Storage;
use crate::upload::{Upload, copy_halves, copy_slices, copy_values};

use pyramid::Pyramid;
pub use shape::HistoryShape;
use shape::{ADDED_OCTETS, OCTET, PARTIAL_BYTES, SEGMENT_OCTETS, VECTOR_OCTET_BYTES};

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
    /// What is multiplied, added to and weighed, and whether it has come yet.
    vector: wgpu::Buffer,
    has_vector: bool,
    vector_upload: Upload,
    readable_vector: wgpu::Buffer,
    pyramid: Pyramid,
    factors: wgpu::Buffer,
    /// Whether a sum is recorded and not submitted: it reads its factors when it is.
    needs_factors: bool,
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
        let pyramid = Pyramid::new(make, &vector, shape.values);
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
            has_vector: false,
            vector_upload,
            readable_vector,
            pyramid,
            factors,
            needs_factors: false,
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
        // On its way while the host goes on.
        self.submit()
    }

    fn take_vector(&mut self, vector: &[f32]) -> Result<(), EngineError> {
        let shape = self.shape;
        let padding = [0; VECTOR_OCTET_BYTES as usize];
        let values: &[u8] = bytemuck::cast_slice(vector);
        let slices = [values, &padding[..shape.vector_bytes() as usize - values.len()]];
        self.vector_upload.reclaim(&mut self.recorder)?;
        self.vector_upload.fill(&self.shared.device, shape.vector_bytes(), |view| copy_slices(view, &slices))?;
        self.vector_upload.copy(&mut self.recorder, [(0, (&self.vector, 0), shape.vector_bytes())]);
        self.has_vector = true;
        self.submit()
    }

    /// Hands what was recorded to the device.
    fn submit(&mut self) -> Result<(), EngineError> {
        self.needs_factors = false;
        self.recorder.submit()
    }

    fn products(&mut self, vectors: Vectors) -> Result<Products, EngineError> {
        let (shape, segments) = (self.shape, self.shape.segments());
        for (buffer, first_slot, places) in shape.runs(self.oldest, self.count) {
            let parameters = [shape.octets(), segments, first_slot, places.start].map(|value| value as u32);
            self.dispatch(vectors, buffer, &Kernel::Dots, &parameters, places.len() * segments)?;
        }
        let bytes = (self.count * segments * PARTIAL_BYTES) as u64;
        self.recorder.encoder().copy_buffer_to_buffer(&self.partials, 0, &self.readable_partials, 0, bytes);
        self.needs_factors = false;
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

    fn sum(&mut self, vectors: Vectors, factors: &[f64], scale: f32) -> Result<(), EngineError> {
        let shape = self.shape;
        if self.needs_factors {
            self.submit()?;
        }
        let factors: Vec<f32> = factors.iter().map(|&factor| factor as f32).collect();
        self.shared.device.queue().write_buffer(&self.factors, 0, bytemuck::cast_slice(&factors));
        for (buffer, first_slot, places) in shape.runs(self.oldest, self.count) {
            let scale = if places.start == 0 { scale } else { 1.0 };
            let counts = [shape.octets(), first_slot, places.start, places.len()].map(|value| value as u32);
            let parameters: Vec<u32> = counts.into_iter().chain([scale.to_bits()]).collect();
            let workgroups = shape.octets().div_ceil(ADDED_OCTETS);
            self.dispatch(vectors, buffer, &Kernel::AddScaled, &parameters, workgroups)?;
        }
        self.needs_factors = true;
        Ok(())
    }

    fn bring(&mut self, vector: &mut [f32]) -> Result<(), EngineError> {
        let bytes = self.shape.vector_bytes();
        self.recorder.encoder().copy_buffer_to_buffer(&self.vector, 0, &self.readable_vector, 0, bytes);
        self.needs_factors = false;
        self.recorder.read(&self.readable_vector, bytes, |bytes| copy_values(vector, bytes))
    }

    fn check_vector(&self) -> Result<(), EngineError> {
        match self.has_vector {
            true => Ok(()),
            false => Err(EngineError::Order("a history without a vector has nothing to work on; load one first")),
        }
    }

    /// Checks that there is a vector, and so many pairs.
    fn check_pairs(&self, pairs: usize) -> Result<(), EngineError> {
        self.check_vector()?;
        if self.count == 0 || self.count != pairs {
            return Err(EngineError::Order(
                "a history has products and sums over all of its pairs; push one first, and give a factor for each",
            ));
        }
        Ok(())
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

    fn load(&mut self, vector: &[f32]) -> Result<(), EngineError> {
        self.check_length(vector.len())?;
        self.work(|history| history.take_vector(vector))
    }

    fn multiply(&mut self, vectors: Vectors) -> Result<Products, EngineError> {
        self.check_pairs(self.count)?;
        self.work(|history| history.products(vectors))
    }

    fn add(&mut self, vectors: Vectors, factors: &[f64], scale: f32) -> Result<(), EngineError> {
        self.check_pairs(factors.len())?;
        self.work(|history| history.sum(vectors, factors, scale))
    }

    fn weigh(&mut self, weighing: Weighing<'_>) -> Result<(), EngineError> {
        self.check_vector()?;
        self.pyramid.check(&weighing)?;
        self.work(|history| {
            let GpuHistory { pyramid, recorder, shared, .. } = history;
            pyramid.record(shared, recorder, &weighing)
        })
    }

    fn read(&mut self, vector: &mut [f32]) -> Result<(), EngineError> {
        self.check_length(vector.len())?;
        self.check_vector()?;
        self.work(|history| history.bring(vector))
    }
}
