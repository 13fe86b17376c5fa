//! How long the device's work took, by its own clock.

use std::time::Duration;

use impasto_vgg::Layer;
use impasto_vgg::profile::{Profile, Step};

use crate::device::Device;
use crate::maps;

/// Whose time a dispatch's is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// The kind of operation.
    pub step: Step,
    /// The layer.
    pub layer: Layer,
    /// Positions of the layer's map that it makes or takes in.
    pub positions: f64,
}

/// Takes the time of each dispatch of a submission.
#[derive(Debug)]
pub struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readable: wgpu::Buffer,
    /// Of the submission that is being recorded.
    labels: Vec<Label>,
    /// Nanoseconds of a tick.
    period_ns: f64,
    profile: Profile,
}

/// Bytes of a time stamp.
const STAMP_BYTES: u64 = 8;

impl Stopwatch {
    /// A stopwatch for submissions of so many dispatches; `None` where the adapter has no clock.
    pub fn new(device: &Device, dispatches: usize) -> Option<Stopwatch> {
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let count = 2 * dispatches as u32;
        let queries = device.device().create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let bytes = u64::from(count) * STAMP_BYTES;
        let resolved = device.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let readable = maps::create_readable(device, bytes);
        let period_ns = f64::from(device.queue().get_timestamp_period());
        Some(Stopwatch { queries, resolved, readable, labels: Vec::new(), period_ns, profile: Profile::default() })
    }

    /// Where the next dispatch writes its times.
    pub fn start(&mut self, label: Label) -> wgpu::ComputePassTimestampWrites<'_> {
        let first = 2 * self.labels.len() as u32;
        self.labels.push(label);
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    /// Records the way of a submission's times to the host; `None` where there are none.
    pub fn finish(&self, encoder: &mut wgpu::CommandEncoder) -> Option<(wgpu::Buffer, u64)> {
        let count = 2 * self.labels.len() as u32;
        if count == 0 {
            return None;
        }
        let bytes = u64::from(count) * STAMP_BYTES;
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readable, 0, bytes);
        Some((self.readable.clone(), bytes))
    }

    /// Takes a submission's times in.
    pub fn add(&mut self, bytes: &[u8]) {
        let (stamps, _) = bytes.as_chunks::<8>();
        for (label, pair) in self.labels.drain(..).zip(stamps.chunks_exact(2)) {
            let [start, end] = [pair[0], pair[1]].map(u64::from_ne_bytes);
            let elapsed = Duration::from_nanos((end.saturating_sub(start) as f64 * self.period_ns) as u64);
            self.profile.add(label.step, label.layer, label.positions as usize, elapsed);
        }
    }

    /// What was taken in so far.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}
