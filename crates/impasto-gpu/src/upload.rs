//! Bytes on their way to the device, through memory that the host sees and keeps: to ask for it anew takes longer than
//! to copy the bytes. And the copies that the host makes of many bytes, both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use impasto_vgg::EngineError;
use impasto_vgg::bfloat16::Bfloat16;
use rayon::prelude::*;

use crate::device::{Device, DeviceFault};
use crate::maps;
use crate::recorder::Recorder;

/// Bytes that a thread copies at a time.
const COPIED: usize = 1 << 16;

/// Bytes of halves that a thread copies at a time.
const COPIED_HALVES: usize = 1 << 14;

/// Bytes that are on their way at a time to a buffer that lasts.
pub const WRITTEN: usize = 16 << 20;

/// A buffer that the host fills and the device copies from.
#[derive(Debug)]
pub struct Upload {
    buffer: wgpu::Buffer,
    /// Whether the host may fill it: what it held is where it was to go.
    is_free: Arc<AtomicBool>,
}

impl Upload {
    /// A buffer of so many bytes.
    pub fn new(device: &Device, bytes: u64) -> Upload {
        Upload { buffer: maps::create_writable(device, bytes), is_free: Arc::new(AtomicBool::new(true)) }
    }

    /// Waits until it may be filled.
    ///
    /// # Errors
    /// A device that was lost or refused the work.
    pub fn reclaim(&self, recorder: &mut Recorder) -> Result<(), EngineError> {
        if self.is_free() { Ok(()) } else { recorder.wait_until(|| self.is_free()) }
    }

    fn is_free(&self) -> bool {
        self.is_free.load(Ordering::Acquire)
    }

    /// Has its first `bytes` filled, each of them; it must have been reclaimed.
    ///
    /// # Errors
    /// A device that was lost.
    pub fn fill(
        &self,
        device: &Device,
        bytes: u64,
        with: impl FnOnce(wgpu::WriteOnly<'_, [u8]>),
    ) -> Result<(), EngineError> {
        match self.buffer.get_mapped_range_mut(..bytes) {
            Ok(mut view) => with(view.slice(..)),
            Err(error) => {
                // A device that is lost has no memory to show, and may not have said yet that it is.
                device.wait()?;
                return Err(device.error(&DeviceFault::Refused { reason: error.to_string() }));
            }
        }
        self.buffer.unmap();
        self.is_free.store(false, Ordering::Release);
        Ok(())
    }

    /// Records copies of what it was filled with: from where, where to, and how many bytes.
    pub fn copy<'a>(
        &self,
        recorder: &mut Recorder,
        copies: impl IntoIterator<Item = (u64, (&'a wgpu::Buffer, u64), u64)>,
    ) {
        let encoder = recorder.encoder();
        for (from, (to, offset), bytes) in copies {
            encoder.copy_buffer_to_buffer(&self.buffer, from, to, offset, bytes);
        }
        let is_free = Arc::clone(&self.is_free);
        // What goes wrong shows when it is filled again.
        encoder.map_buffer_on_submit(&self.buffer, wgpu::MapMode::Write, .., move |_| {
            is_free.store(true, Ordering::Release);
        });
    }
}

/// Brings values to a buffer that lasts, from a multiple of 4 bytes on, and waits until they are there: what is on its way
/// stands on the device once more, [`WRITTEN`] bytes at most.
///
/// # Errors
/// A device that was lost or has no memory for it.
pub fn write<T: bytemuck::NoUninit>(
    device: &Device,
    buffer: &wgpu::Buffer,
    offset: u64,
    values: &[T],
) -> Result<(), EngineError> {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    for (index, part) in bytes.chunks(WRITTEN).enumerate() {
        device.queue().write_buffer(buffer, offset + (index * WRITTEN) as u64, part);
        device.queue().submit([]);
        device.wait()?;
    }
    Ok(())
}

/// Copies slices one behind the other, many threads at a time.
pub fn copy_slices(mut to: wgpu::WriteOnly<'_, [u8]>, slices: &[&[u8]]) {
    let mut pieces = Vec::new();
    for slice in slices {
        let (own, others) = to.split_at(slice.len());
        to = others;
        let (chunks, mut rest) = own.into_chunks::<COPIED>();
        let (sources, last) = slice.as_chunks::<COPIED>();
        pieces.extend(chunks.into_iter().zip(sources));
        rest.copy_from_slice(last);
    }
    pieces.into_par_iter().for_each(|(chunk, source)| wgpu::WriteOnly::<[u8]>::from(chunk).copy_from_slice(source));
}

/// Copies values as they came from the device, many threads at a time; what is beyond `to` is left.
pub fn copy_values(to: &mut [f32], bytes: &[u8]) {
    let pieces = to.par_chunks_mut(COPIED / size_of::<f32>()).zip(bytes.par_chunks(COPIED));
    pieces.for_each(|(values, bytes)| {
        let values: &mut [u8] = bytemuck::cast_slice_mut(values);
        values.copy_from_slice(&bytes[..values.len()]);
    });
}

/// Copies values of bfloat16, two a word, many threads at a time; zeros behind them.
pub fn copy_halves(to: wgpu::WriteOnly<'_, [u8]>, values: &[Bfloat16]) {
    const VALUES: usize = COPIED_HALVES / size_of::<u16>();
    let (chunks, mut rest) = to.into_chunks::<COPIED_HALVES>();
    let chunks: Vec<_> = chunks.into_iter().collect();
    let (whole, last) = values.split_at((chunks.len() * VALUES).min(values.len()));
    rest.copy_from_slice(&bytemuck::cast_slice(&words(last))[..rest.len()]);
    chunks.into_par_iter().zip(whole.par_chunks(VALUES)).for_each(|(chunk, values)| {
        wgpu::WriteOnly::<[u8]>::from(chunk).copy_from_slice(bytemuck::cast_slice(&words(values)));
    });
}

/// Two values a word; zeros behind them.
fn words(values: &[Bfloat16]) -> [u32; COPIED_HALVES / size_of::<u32>()] {
    let word = |lower: Bfloat16, upper: u16| u32::from(lower.to_bits()) | u32::from(upper) << 16;
    let mut words = [0; COPIED_HALVES / size_of::<u32>()];
    let (pairs, last) = values.as_chunks::<2>();
    for (to, pair) in words.iter_mut().zip(pairs) {
        *to = word(pair[0], pair[1].to_bits());
    }
    if let &[last] = last {
        words[pairs.len()] = word(last, 0);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_stand_one_behind_the_other() {
        let bytes: Vec<u8> = (0..3 * COPIED + 20).map(|index| (index % 251) as u8).collect();
        let (first, rest) = bytes.split_at(2 * COPIED + 4);
        let (second, third) = rest.split_at(COPIED);
        let mut copied = vec![0; bytes.len()];
        copy_slices(wgpu::WriteOnly::from_mut(&mut copied[..]), &[first, second, third]);
        assert!(copied == bytes);
    }

    #[test]
    fn values_come_back_whole_and_padding_does_not() {
        let values: Vec<f32> = (0..COPIED + 3).map(|value| value as f32).collect();
        let padded: Vec<f32> = values.iter().copied().chain([-1.0; 5]).collect();
        let mut copied = vec![0.0; values.len()];
        copy_values(&mut copied, bytemuck::cast_slice(&padded));
        assert!(copied == values);
    }
}
