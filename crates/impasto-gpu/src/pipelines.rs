//! The shaders, compiled: one pipeline for each kernel and each choice of its constants, made on first use.

mod kernel;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use self::kernel::{Access, FAMILIES};
use crate::device::Device;
use crate::storage::Storage;

pub use self::kernel::{Family, Kernel};

/// What a workgroup of a convolution makes: 2x2 windows of positions by [`CONVOLUTION_CHANNELS`] channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tile {
    /// 8 windows in a row, 4 rows of them: reads its weights least often.
    Large,
    /// 4 by 4: gives small maps more workgroups, and takes less memory of a workgroup.
    Small,
}

/// Channels that a workgroup makes at taps.
pub const TILE_CHANNELS: usize = 64;

/// Channels that a workgroup of a convolution makes.
pub const CONVOLUTION_CHANNELS: usize = 32;

/// Workgroups from which on a large tile is preferred: one or two for each core of a large card.
const WORKGROUPS_WANTED: usize = 200;

/// Bytes of a workgroup's memory that a large tile takes.
const LARGE_BYTES: u32 = 22 << 10;

impl Tile {
    /// The tile for a map of this size with so many channels, on a device whose workgroups have so many bytes of memory;
    /// the same whatever part of the map is made at a time.
    pub fn for_map(height: usize, width: usize, channels: usize, workgroup_bytes: u32) -> Tile {
        let workgroups = Tile::Large.count(height, width) as usize * channels.div_ceil(CONVOLUTION_CHANNELS);
        if workgroups >= WORKGROUPS_WANTED && workgroup_bytes >= LARGE_BYTES { Tile::Large } else { Tile::Small }
    }

    /// Windows in a row.
    pub fn windows_across(self) -> usize {
        match self {
            Tile::Large => 8,
            Tile::Small => 4,
        }
    }

    /// Rows of windows.
    pub fn windows_down(self) -> usize {
        4
    }

    /// Tiles that cover so many rows and columns.
    pub fn count(self, rows: usize, width: usize) -> u32 {
        (rows.div_ceil(2 * self.windows_down()) * width.div_ceil(2 * self.windows_across())) as u32
    }

    /// The constants of convolution.wgsl.
    fn source(self) -> &'static str {
        match self {
            Tile::Large => include_str!("shaders/tile_large.wgsl"),
            Tile::Small => include_str!("shaders/tile_small.wgsl"),
        }
    }
}

/// What a pooling after a convolution does, as the shaders count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolingAfter {
    /// There is none, or none that anyone looks at.
    None,
    /// The mean of a window.
    Average,
    /// Its largest value.
    Max,
}

/// Bytes of a dispatch's parameters, and the distance from one to the next in their buffer: the largest alignment that
/// an adapter may ask for.
pub const PARAMETER_BYTES: u64 = 256;

/// One shader with the layout of its bindings.
#[derive(Debug)]
struct Shader {
    family: Family,
    /// For each way to store maps and each tile, read on first use.
    modules: [[OnceLock<wgpu::ShaderModule>; 2]; 2],
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
}

/// All pipelines of a device, as far as anyone asked for them.
#[derive(Debug)]
pub struct Pipelines {
    device: Device,
    shaders: Vec<Shader>,
    compiled: Mutex<BTreeMap<(Kernel, Storage), wgpu::ComputePipeline>>,
}

impl Pipelines {
    /// Lays the bindings out; reads and compiles nothing yet.
    pub fn new(device: &Device) -> Pipelines {
        let shaders = FAMILIES.iter().map(|&family| Shader::new(device.device(), family)).collect();
        Pipelines { device: device.clone(), shaders, compiled: Mutex::default() }
    }

    /// The layout of a family's bindings.
    pub fn bindings(&self, family: Family) -> &wgpu::BindGroupLayout {
        &self.shaders[family as usize].bindings
    }

    /// The pipeline of a kernel over maps that are stored so; compiled on first use.
    pub fn get(&self, kernel: Kernel, storage: Storage) -> wgpu::ComputePipeline {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.entry((kernel, storage)).or_insert_with(|| self.compile(kernel, storage)).clone()
    }

    fn compile(&self, kernel: Kernel, storage: Storage) -> wgpu::ComputePipeline {
        let shader = &self.shaders[kernel.family() as usize];
        let constants = kernel.constants();
        self.device.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&shader.layout),
            module: shader.module(self.device.device(), storage, kernel.tile()),
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Every shader writes what it reads there.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    }
}

impl Shader {
    fn new(device: &wgpu::Device, family: Family) -> Shader {
        let entry = |binding: usize, ty: wgpu::BufferBindingType| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: ty == wgpu::BufferBindingType::Uniform,
                min_binding_size: None,
            },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
        entries.extend(family.buffers().iter().enumerate().map(|(index, &access)| {
            entry(index + 1, wgpu::BufferBindingType::Storage { read_only: access == Access::Read })
        }));
        let bindings =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Shader { family, modules: Default::default(), bindings, layout }
    }

    fn module(&self, device: &wgpu::Device, storage: Storage, tile: Option<Tile>) -> &wgpu::ShaderModule {
        self.modules[storage as usize][tile.unwrap_or(Tile::Large) as usize].get_or_init(|| {
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(self.family.source(storage, tile).into()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_tile_needs_a_large_map_and_the_memory() {
        assert_eq!(Tile::for_map(512, 512, 64, LARGE_BYTES), Tile::Large);
        assert_eq!(Tile::for_map(512, 512, 64, LARGE_BYTES - 1), Tile::Small);
        assert_eq!(Tile::for_map(32, 32, 512, LARGE_BYTES), Tile::Small);
        // 15 by 9 tiles by 2 for 64 channels: the picture of tests/gpu/tiles.rs.
        assert_eq!(Tile::for_map(113, 131, 64, LARGE_BYTES), Tile::Large);
    }

    /// What is called the tile in Rust is what its shader's constants say.
    #[test]
    fn tiles_are_as_their_shaders_have_them() {
        for tile in [Tile::Large, Tile::Small] {
            let has = |name: &str, value: usize| tile.source().contains(&format!("const {name}: u32 = {value}u;"));
            assert!(
                has("WINDOWS_ACROSS", tile.windows_across()) && has("WINDOWS_DOWN", tile.windows_down()),
                "{tile:?}"
            );
        }
    }
}
