//! Commands on their way to the device: recorded, cut into submissions that a slow adapter finishes in a fraction of its
//! watchdog's patience, and read back.
//!
//! Nobody knows how fast an adapter is before it has worked. So work is counted in floating-point operations, the first
//! submissions are small, and each that is done says how large the next may be. What is cut where changes no bit: a
//! workgroup makes the same values whichever submission it is in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use impasto_vgg::EngineError;
use impasto_vgg::profile::LayerTime;

use crate::device::{Device, DeviceFault};
use crate::faults::FaultClock;
use crate::pipelines::PARAMETER_BYTES;
use crate::stopwatch::{Label, Stopwatch};

/// What a submission is to take, at most, in seconds: half of what a display's user would notice.
const TARGET_S: f64 = 0.02;
/// Work of the first submission: well under a tenth of a second where nothing but a processor computes.
const FIRST_FLOP: u64 = 200_000_000;
/// Below this, submitting costs more than working.
const LEAST_FLOP: f64 = 2e7;
const MOST_FLOP: f64 = 1e14;
/// Submissions that wait on the device at a time: one runs while the next is recorded.
const IN_FLIGHT: usize = 2;
/// Dispatches of a submission.
const MOST_DISPATCHES: usize = 1024;
/// Workgroups in a line: few, so that few are left over in the last one, and so that small pictures have more lines than
/// one.
const LINE: u32 = 64;
/// Workgroups of a dispatch: every adapter takes 65535 lines.
const MOST_WORKGROUPS: u32 = LINE * 65535;

/// How much work a submission may hold on a device; shared by all that submit to it.
#[derive(Clone, Debug)]
pub struct Pace(Arc<AtomicU64>);

impl Default for Pace {
    fn default() -> Pace {
        Pace(Arc::new(AtomicU64::new(FIRST_FLOP)))
    }
}

impl Pace {
    /// Floating-point operations of a submission.
    fn flop(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }

    /// Learns from a submission that is done.
    fn learn(&self, flop: f64, seconds: f64) {
        // Too little work says nothing about the speed.
        if flop < 0.5 * self.flop() && seconds < TARGET_S {
            return;
        }
        let next = (flop * TARGET_S / seconds.max(1e-6)).clamp(0.25 * self.flop(), 2.0 * self.flop());
        self.0.store(next.clamp(LEAST_FLOP, MOST_FLOP) as u64, Ordering::Relaxed);
    }
}

/// One kernel over a number of workgroups.
#[derive(Debug)]
pub struct Work<'a> {
    /// The kernel.
    pub pipeline: &'a wgpu::ComputePipeline,
    /// Its buffers.
    pub bindings: &'a wgpu::BindGroup,
    /// Its parameters behind `first`, `end` and `dispatch_width`.
    pub parameters: &'a [u32],
    /// How many workgroups there are in all.
    pub workgroups: u32,
    /// Floating-point operations of one.
    pub flop: f64,
    /// Whose time it is; `None` for what is no part of an evaluation.
    pub label: Option<Label>,
}

/// Records and submits.
#[derive(Debug)]
pub struct Recorder {
    device: Device,
    pace: Pace,
    faults: Arc<FaultClock>,
    stopwatch: Option<Stopwatch>,
    parameters: wgpu::Buffer,
    staged: Vec<u8>,
    /// The pass that kernels are recorded in until something else is recorded; it ends before its encoder does.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    flop: f64,
    in_flight: VecDeque<Submission>,
    /// When the last submission that is done was done.
    last_done: Instant,
}

#[derive(Debug)]
struct Submission {
    index: wgpu::SubmissionIndex,
    flop: f64,
    start: Instant,
}

impl Recorder {
    /// Bytes that a recorder takes on the device.
    pub const BYTES: u64 = MOST_DISPATCHES as u64 * PARAMETER_BYTES;

    /// A recorder with nothing in it.
    pub fn new(device: &Device, pace: &Pace, faults: &Arc<FaultClock>) -> Recorder {
        let parameters = device.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: Recorder::BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Recorder {
            device: device.clone(),
            pace: pace.clone(),
            faults: faults.clone(),
            stopwatch: None,
            parameters,
            staged: Vec::new(),
            pass: None,
            encoder: None,
            flop: 0.0,
            in_flight: VecDeque::new(),
            last_done: Instant::now(),
        }
    }

    /// Where a kernel's parameters stand: the resource of its binding 0.
    pub fn parameters(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.parameters,
            offset: 0,
            size: wgpu::BufferSize::new(PARAMETER_BYTES),
        })
    }

    /// Records a kernel, over as many submissions as its work needs.
    ///
    /// # Errors
    /// A device that was lost or refused the work.
    pub fn dispatch(&mut self, work: &Work<'_>) -> Result<(), EngineError> {
        let mut first = 0;
        while first < work.workgroups {
            let room = ((self.pace.flop() - self.flop) / work.flop.max(1.0)).max(1.0);
            let count = room.min(f64::from(MOST_WORKGROUPS.min(work.workgroups - first))) as u32;
            self.dispatch_part(work, first, count);
            first += count;
            if self.flop >= self.pace.flop() || self.staged.len() as u64 >= Recorder::BYTES {
                self.submit()?;
            }
        }
        Ok(())
    }

    fn dispatch_part(&mut self, work: &Work<'_>, first: u32, count: u32) {
        let offset = self.staged.len();
        let line = count.min(LINE);
        let parameters = [first, first + count, line].into_iter().chain(work.parameters.iter().copied());
        self.staged.extend(parameters.flat_map(u32::to_ne_bytes));
        self.staged.resize(offset + PARAMETER_BYTES as usize, 0);
        self.flop += f64::from(count) * work.flop;
        // A part's share need not be whole: the first part stands for all positions.
        let label = work.label.map(|label| if first == 0 { label } else { Label { positions: 0.0, ..label } });
        let pass = self.pass(label);
        pass.set_pipeline(work.pipeline);
        pass.set_bind_group(0, work.bindings, &[offset as u32]);
        pass.dispatch_workgroups(line, count.div_ceil(line), 1);
    }

    /// Where a kernel is recorded: with all others, or in a pass of its own where times are taken.
    fn pass(&mut self, label: Option<Label>) -> &mut wgpu::ComputePass<'static> {
        if self.stopwatch.is_some() {
            self.pass = None;
        }
        let Recorder { pass, encoder, stopwatch, device, .. } = self;
        pass.get_or_insert_with(|| {
            let encoder = encoder.get_or_insert_with(|| device.device().create_command_encoder(&Default::default()));
            let timestamp_writes = stopwatch.as_mut().zip(label).map(|(stopwatch, label)| stopwatch.start(label));
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            encoder.begin_compute_pass(&descriptor).forget_lifetime()
        })
    }

    /// Records what is no kernel: copies and clears.
    pub fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        let device = self.device.device();
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    /// Submits what was recorded, and waits until the device has come as far as is asked for or has nothing left to do.
    ///
    /// # Errors
    /// As [`Recorder::dispatch`].
    pub fn wait_until(&mut self, is_there: impl Fn() -> bool) -> Result<(), EngineError> {
        self.submit()?;
        while !is_there() {
            if self.in_flight.is_empty() {
                return self.device.wait();
            }
            self.wait_for_oldest()?;
        }
        Ok(())
    }

    /// Hands what was recorded to the device, once it is no more than a submission behind.
    ///
    /// # Errors
    /// As [`Recorder::dispatch`].
    pub fn submit(&mut self) -> Result<(), EngineError> {
        self.pass = None;
        let Some(mut encoder) = self.encoder.take() else { return self.device.check() };
        while self.in_flight.len() >= IN_FLIGHT {
            self.wait_for_oldest()?;
        }
        if !self.staged.is_empty() {
            self.device.queue().write_buffer(&self.parameters, 0, &self.staged);
            self.staged.clear();
        }
        let times = self.stopwatch.as_ref().and_then(|stopwatch| stopwatch.finish(&mut encoder));
        self.faults.before_submission(&self.device);
        let start = Instant::now();
        let index = self.device.queue().submit([encoder.finish()]);
        self.in_flight.push_back(Submission { index, flop: self.flop, start });
        self.flop = 0.0;
        self.device.check()?;
        match times {
            None => Ok(()),
            Some((readable, bytes)) => self.take_times(&readable, bytes),
        }
    }

    /// Waits for the times of what was submitted.
    fn take_times(&mut self, readable: &wgpu::Buffer, bytes: u64) -> Result<(), EngineError> {
        let mut stopwatch = self.stopwatch.take();
        let taken = self.map(readable, bytes, |bytes| {
            if let Some(stopwatch) = &mut stopwatch {
                stopwatch.add(bytes);
            }
        });
        self.stopwatch = stopwatch;
        taken
    }

    /// Starts to take the time of all that is dispatched, anew; to no effect where the adapter has no clock.
    pub fn take_time(&mut self) {
        self.stopwatch = Stopwatch::new(&self.device, MOST_DISPATCHES);
    }

    /// The times taken so far.
    pub fn times(&self) -> Vec<LayerTime> {
        self.stopwatch.as_ref().map_or(Vec::new(), |stopwatch| stopwatch.profile().times())
    }

    fn wait_for_oldest(&mut self) -> Result<(), EngineError> {
        let Some(Submission { index, flop, start }) = self.in_flight.pop_front() else { return Ok(()) };
        let poll = wgpu::PollType::Wait { submission_index: Some(index), timeout: None };
        let waited = self.device.device().poll(poll);
        let done = Instant::now();
        let seconds = (done - start.max(self.last_done)).as_secs_f64();
        self.last_done = done;
        self.pace.learn(flop, seconds);
        // A wait that failed fails again, and says why.
        if waited.is_err() { self.device.wait() } else { self.device.check() }
    }

    /// Submits what was recorded, waits for all of it, and reads `bytes` of a buffer that the host may map.
    ///
    /// # Errors
    /// As [`Recorder::dispatch`].
    pub fn read<R>(
        &mut self,
        buffer: &wgpu::Buffer,
        bytes: u64,
        with: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, EngineError> {
        self.submit()?;
        self.map(buffer, bytes, with)
    }

    /// Waits for all that was submitted, and for what comes of it.
    fn wait_for_all(&mut self, is_mapped: &AtomicBool) -> Result<(), EngineError> {
        while !self.in_flight.is_empty() {
            self.wait_for_oldest()?;
        }
        if is_mapped.load(Ordering::Acquire) { self.device.check() } else { self.device.wait() }
    }

    /// Waits for all that was submitted, and reads `bytes` of a buffer that the host may map.
    fn map<R>(&mut self, buffer: &wgpu::Buffer, bytes: u64, with: impl FnOnce(&[u8]) -> R) -> Result<R, EngineError> {
        let slice = buffer.slice(..bytes);
        let is_mapped = Arc::new(AtomicBool::new(false));
        let mapped = Arc::clone(&is_mapped);
        // Asked for before it can be given: so one wait does for both. What goes wrong shows in the wait and in the range.
        slice.map_async(wgpu::MapMode::Read, move |_| mapped.store(true, Ordering::Release));
        if let Err(error) = self.wait_for_all(&is_mapped) {
            buffer.unmap();
            return Err(error);
        }
        let result = match slice.get_mapped_range() {
            Ok(view) => with(&view),
            Err(error) => return Err(self.device.error(&DeviceFault::Refused { reason: error.to_string() })),
        };
        buffer.unmap();
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adapters from a processor to a card of a data centre: after the first few, submissions are neither long nor many.
    #[test]
    fn submissions_come_to_a_fraction_of_a_watchdogs_patience() {
        for flop_per_s in [2e9, 1e10, 3e11, 5e12, 4e13] {
            let pace = Pace::default();
            let mut longest: f64 = 0.0;
            for submission in 0..40 {
                let flop = pace.flop();
                let seconds = flop / flop_per_s + 1e-4;
                if submission > 0 {
                    longest = longest.max(seconds);
                }
                pace.learn(flop, seconds);
            }
            assert!(longest < 0.05, "{flop_per_s}: {longest}");
            assert!(pace.flop() / flop_per_s > 0.01, "{flop_per_s}: {}", pace.flop());
        }
    }

    /// An adapter that is suddenly busy with something else gets less at once.
    #[test]
    fn a_slower_adapter_gets_less() {
        let pace = Pace::default();
        pace.learn(pace.flop(), 0.001);
        let before = pace.flop();
        pace.learn(before, 0.2);
        assert!(pace.flop() <= 0.25 * before);
        // Little work says nothing.
        let before = pace.flop();
        pace.learn(1e3, 1e-5);
        assert_eq!(pace.flop(), before);
    }
}
