//! [`Weighing`] of a history's vector where it is: down a pyramid of levels, each half of the one above it, and up again.

use impasto_vgg::{EngineError, Weighing};

use crate::bindings::Maker;
use crate::maps;
use crate::pipelines::{Family, Kernel};
use crate::recorder::{Recorder, Work};
use crate::shared::Shared;
use crate::storage::Storage;
use crate::upload::{Upload, copy_slices};

/// What a workgroup makes of a plane, in values.
const TILE: (usize, usize) = (32, 8);
/// Floating-point operations of a value, about.
const VALUE_FLOP: usize = 40;
/// Values of a plane that a workgroup reads to make all levels below it, and values of those, at most.
const APEX_VALUES: usize = 1 << 12;
const BELOW_APEX_VALUES: usize = 1408;
/// Levels that apex.wgsl has weights for.
const APEX_LEVELS: usize = 8;

/// A level below the vector's own, where it stands among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    width: usize,
    height: usize,
    offset: usize,
}

/// The vector's own level and those below it.
fn levels(weighing: &Weighing<'_>) -> Vec<Level> {
    let mut level = Level { width: weighing.width, height: weighing.height, offset: 0 };
    let mut levels = vec![level];
    for place in 1..weighing.level_weights.len() {
        let offset = if place == 1 { 0 } else { level.offset + 3 * level.width * level.height };
        level = Level { width: level.width.div_ceil(2), height: level.height.div_ceil(2), offset };
        levels.push(level);
    }
    levels
}

/// The place of the level from which on one workgroup makes those below it: not the vector's, and not the last.
fn apex(levels: &[Level]) -> Option<usize> {
    (1..levels.len().saturating_sub(1)).find(|&place| {
        let below: usize = levels[place + 1..].iter().map(|level| level.width * level.height).sum();
        let fits = levels[place].width * levels[place].height <= APEX_VALUES && below <= BELOW_APEX_VALUES;
        fits && levels.len() - place <= APEX_LEVELS
    })
}

/// Values that levels may take below a vector of so many: a third of it, and what odd sides are rounded up by.
fn level_values(values: usize) -> usize {
    values * 2 / 5
}

/// Bytes on the device for vectors of so many values.
pub fn bytes(values: usize) -> u64 {
    // The root also on its way there.
    (size_of::<f32>() * (level_values(values) + 2 * values.div_ceil(3))) as u64
}

/// Buffers for [`Weighing`] of vectors of one length.
#[derive(Debug)]
pub struct Pyramid {
    values: usize,
    root: wgpu::Buffer,
    root_upload: Upload,
    halve: wgpu::BindGroup,
    weigh: wgpu::BindGroup,
    apex: wgpu::BindGroup,
}

impl Pyramid {
    /// For this vector, of so many values.
    pub fn new(make: Maker<'_>, vector: &wgpu::Buffer, values: usize) -> Pyramid {
        let plane_bytes = (size_of::<f32>() * values.div_ceil(3)) as u64;
        let root = maps::create(make.device, plane_bytes);
        let levels = maps::create(make.device, (size_of::<f32>() * level_values(values)) as u64);
        let bind = |family| make.bind(family, &[vector, &levels, &root]);
        Pyramid {
            values,
            root_upload: Upload::new(make.device, plane_bytes),
            halve: bind(Family::Halve),
            weigh: bind(Family::Weigh),
            apex: make.bind(Family::Apex, &[&levels]),
            root,
        }
    }

    /// Checks what the shaders rely on.
    ///
    /// # Errors
    /// See [`impasto_vgg::History::weigh`].
    pub fn check(&self, weighing: &Weighing<'_>) -> Result<(), EngineError> {
        let Weighing { width, height, level_weights, root } = *weighing;
        let is_size = 3 * width * height == self.values && (root.is_empty() || root.len() == width * height);
        let below = levels(weighing).last().map_or(0, |last| match level_weights.len() {
            0 | 1 => 0,
            _ => last.offset + 3 * last.width * last.height,
        });
        if is_size && !level_weights.is_empty() && below <= level_values(self.values) {
            return Ok(());
        }
        Err(EngineError::Request(format!(
            "a vector of {} values cannot be weighed as {width}x{height} on {} levels with a root of {}",
            self.values,
            level_weights.len(),
            root.len()
        )))
    }

    /// Records what makes P times the vector of it; `weighing` has been checked.
    pub fn record(
        &mut self,
        shared: &Shared,
        recorder: &mut Recorder,
        weighing: &Weighing<'_>,
    ) -> Result<(), EngineError> {
        let root: &[u8] = bytemuck::cast_slice(weighing.root);
        if !root.is_empty() {
            let bytes = root.len() as u64;
            self.root_upload.reclaim(recorder)?;
            self.root_upload.fill(&shared.device, bytes, |view| copy_slices(view, &[root]))?;
            self.root_upload.copy(recorder, [(0, (&self.root, 0), bytes)]);
        }
        let (weights, levels) = (weighing.level_weights, levels(weighing));
        let has_root = u32::from(!root.is_empty());
        let parameters = |fine: &Level, coarse: Option<&Level>| -> Vec<u32> {
            let nothing = Level { width: 0, height: 0, offset: 0 };
            let values = [fine, coarse.unwrap_or(&nothing)].map(|level| [level.width, level.height, level.offset]);
            values.concat().into_iter().map(|value| value as u32).chain([has_root]).collect()
        };
        let last = apex(&levels).unwrap_or(levels.len() - 1);
        for (place, pair) in levels[..=last].windows(2).enumerate() {
            let kernel = Kernel::Halve { from_vector: place == 0 };
            let parameters = parameters(&pair[0], Some(&pair[1]));
            dispatch(shared, recorder, kernel, &self.halve, &parameters, tiles_of(pair[1]))?;
        }
        if last + 1 < levels.len() {
            let Level { width, height, offset } = levels[last];
            let mut parameters: Vec<u32> = vec![width as u32, height as u32, offset as u32];
            parameters.extend([(levels.len() - 1 - last) as u32, 0]);
            let weights = weights[last..].iter().copied().chain([0.0; APEX_LEVELS]).take(APEX_LEVELS);
            parameters.extend(weights.map(f32::to_bits));
            dispatch(shared, recorder, Kernel::Apex, &self.apex, &parameters, 3)?;
        }
        // The vector alone, where there is nothing below it.
        let above_last = 0..last.max(1);
        for place in above_last.rev() {
            // The coarsest level has no weight of its own yet: it is scaled on the way.
            let coarse_weight = if place + 2 == levels.len() { weights[place + 1] } else { 1.0 };
            let mut parameters = parameters(&levels[place], levels.get(place + 1));
            parameters.extend([weights[place], coarse_weight].map(f32::to_bits));
            let kernel = Kernel::Weigh { from_vector: place == 0 };
            dispatch(shared, recorder, kernel, &self.weigh, &parameters, tiles_of(levels[place]))?;
        }
        Ok(())
    }
}

/// Workgroups that make a level.
fn tiles_of(level: Level) -> usize {
    3 * level.width.div_ceil(TILE.0) * level.height.div_ceil(TILE.1)
}

/// Records a kernel.
fn dispatch(
    shared: &Shared,
    recorder: &mut Recorder,
    kernel: Kernel,
    bindings: &wgpu::BindGroup,
    parameters: &[u32],
    workgroups: usize,
) -> Result<(), EngineError> {
    recorder.dispatch(&Work {
        pipeline: &shared.pipelines.get(kernel, Storage::Single),
        bindings,
        parameters,
        workgroups: workgroups as u32,
        flop: (TILE.0 * TILE.1 * VALUE_FLOP) as f64,
        label: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stand_one_behind_the_other_within_their_buffer() {
        for (width, height) in [(8, 8), (9, 9), (17, 9), (33, 500), (512, 384)] {
            let (mut count, mut side) = (1, usize::min(width, height));
            while side >= 8 {
                (count, side) = (count + 1, side.div_ceil(2));
            }
            let weights = vec![1.0; count];
            let levels = levels(&Weighing { width, height, level_weights: &weights, root: &[] });
            let mut end = 0;
            for pair in levels.windows(2) {
                assert_eq!((pair[1].width, pair[1].height), (pair[0].width.div_ceil(2), pair[0].height.div_ceil(2)));
                assert_eq!(pair[1].offset, end);
                end += 3 * pair[1].width * pair[1].height;
            }
            assert!(end <= level_values(3 * width * height), "{width}x{height}");
        }
    }
}
