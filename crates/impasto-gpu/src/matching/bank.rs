//! A bank on the device: in panels for the product that finds matches (search.wgsl), always centred, and entry by entry for the
//! distances (cosines.wgsl), in the form that the tap asks for. Both are of length 1, made in f64 and rounded once. It stands in
//! pieces, none larger than a shader may see.

use impasto_vgg::EngineError;
use impasto_vgg::matching::{Bank, LEAST_NORM, MatchedTap};
use rayon::prelude::*;

use crate::device::Device;
use crate::maps;
use crate::shape::FLOAT_BYTES;
use crate::upload;

/// Entries that a workgroup of the search goes through.
pub const SEGMENT_ENTRIES: usize = 512;
/// Entries of a panel, one line of which has them side by side.
const PANEL_ENTRIES: usize = 64;

/// Some entries of a bank, from a segment's first on.
#[derive(Debug)]
pub struct BankPiece {
    /// The first.
    pub first_entry: usize,
    /// How many.
    pub entries: usize,
    /// `[entries / 64][channel][64]` f32, zeros behind the last.
    pub panels: wgpu::Buffer,
    /// `[entry][channels]` f32.
    pub directions: wgpu::Buffer,
}

/// Segments that so many entries come to.
pub fn segments(entries: usize) -> usize {
    entries.div_ceil(SEGMENT_ENTRIES)
}

/// Bytes of a bank, all pieces.
pub fn bytes(tap: &MatchedTap) -> u64 {
    let values = (tap.entries.next_multiple_of(PANEL_ENTRIES) + tap.entries) as u64 * tap.layer.channels() as u64;
    values * FLOAT_BYTES
}

/// Bytes of the smallest piece that a bank can be cut into.
pub fn least_piece_bytes(tap: &MatchedTap) -> u64 {
    panel_bytes(tap.layer.channels(), tap.entries.min(SEGMENT_ENTRIES))
}

fn panel_bytes(channels: usize, entries: usize) -> u64 {
    (entries.next_multiple_of(PANEL_ENTRIES) * channels) as u64 * FLOAT_BYTES
}

/// Makes a bank's pieces, without values yet.
pub fn pieces(device: &Device, tap: &MatchedTap) -> Vec<BankPiece> {
    let channels = tap.layer.channels();
    let segments = device.binding_limit_bytes() / panel_bytes(channels, SEGMENT_ENTRIES);
    let at_once = (segments as usize).clamp(1, tap.entries.div_ceil(SEGMENT_ENTRIES)) * SEGMENT_ENTRIES;
    let pieces = (0..tap.entries).step_by(at_once).map(|first_entry| {
        let entries = at_once.min(tap.entries - first_entry);
        BankPiece {
            first_entry,
            entries,
            panels: maps::create(device, panel_bytes(channels, entries)),
            directions: maps::create(device, (entries * channels) as u64 * FLOAT_BYTES),
        }
    });
    pieces.collect()
}

/// Brings a bank, which has passed its check, to its pieces.
///
/// # Errors
/// A device that was lost or has no memory for it.
pub fn fill(device: &Device, tap: &MatchedTap, pieces: &[BankPiece], bank: &Bank) -> Result<(), EngineError> {
    let channels = tap.layer.channels();
    let mut mean = vec![0.0; channels];
    for entry in bank.features.chunks_exact(channels) {
        mean.iter_mut().zip(entry).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= tap.entries as f64);
    let offset = if tap.centred { mean.clone() } else { vec![0.0; channels] };
    for piece in pieces {
        let own = &bank.features[piece.first_entry * channels..][..piece.entries * channels];
        upload::write(device, &piece.panels, 0, &panels(&units(own, &mean), channels))?;
        upload::write(device, &piece.directions, 0, &units(own, &offset))?;
    }
    Ok(())
}

/// Entries less `mean`, each of length 1, or 0 where it has none.
fn units(entries: &[f32], mean: &[f64]) -> Vec<f32> {
    let mut units = vec![0.0; entries.len()];
    let lines = units.par_chunks_exact_mut(mean.len()).zip(entries.par_chunks_exact(mean.len()));
    lines.for_each(|(line, entry)| {
        let values = || entry.iter().zip(mean).map(|(&value, mean)| f64::from(value) - mean);
        let norm = values().map(|value| value * value).sum::<f64>().sqrt();
        let factor = if norm > LEAST_NORM { 1.0 / norm } else { 0.0 };
        line.iter_mut().zip(values()).for_each(|(unit, value)| *unit = (value * factor) as f32);
    });
    units
}

/// The same in panels.
fn panels(units: &[f32], channels: usize) -> Vec<f32> {
    let entries = units.len() / channels;
    let mut panels = vec![0.0; entries.next_multiple_of(PANEL_ENTRIES) * channels];
    let of_panel = units.par_chunks(PANEL_ENTRIES * channels);
    panels.par_chunks_exact_mut(PANEL_ENTRIES * channels).zip(of_panel).for_each(|(panel, units)| {
        for (place, unit) in units.chunks_exact(channels).enumerate() {
            for (line, &value) in panel.chunks_exact_mut(PANEL_ENTRIES).zip(unit) {
                line[place] = value;
            }
        }
    });
    panels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_have_entries_side_by_side() {
        let units: Vec<f32> = (0..66 * 3).map(|value| value as f32).collect();
        let panels = panels(&units, 3);
        assert_eq!(panels.len(), 128 * 3);
        for entry in 0..128 {
            for channel in 0..3 {
                let value = panels[(entry / 64 * 3 + channel) * 64 + entry % 64];
                assert_eq!(value, if entry < 66 { (entry * 3 + channel) as f32 } else { 0.0 });
            }
        }
    }
}
