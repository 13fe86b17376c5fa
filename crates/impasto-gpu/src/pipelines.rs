//! The shaders, compiled: one pipeline for each kernel and each choice of its constants, made on first use.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use impasto_vgg::MEAN_RGB;

use crate::device::Device;
use crate::storage::Storage;

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

/// A shader with its constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// forward.wgsl
    Forward {
        /// What a workgroup makes.
        tile: Tile,
        /// Whether it reads the picture, as conv1_1 does.
        picture: bool,
        /// Whether edge pixels are repeated beyond the edge.
        replicate: bool,
        /// Whether the map is written.
        features: bool,
        /// Whether its signs are.
        signs: bool,
        /// What follows.
        pooling: PoolingAfter,
        /// Whether the winners of a max pooling are written.
        routes: bool,
    },
    /// backward.wgsl
    Backward {
        /// What a workgroup makes.
        tile: Tile,
        /// Whether the layer has a gradient of its own.
        own: bool,
        /// Whether that, or the pooling's, is still to be masked.
        signed: bool,
        /// What follows.
        pooling: PoolingAfter,
        /// Whether the result is added to what stands there.
        accumulate: bool,
        /// Whether it is masked by the signs of the map below.
        masked: bool,
    },
    /// pixels.wgsl
    Pixels {
        /// Whether the gradient is still to be masked.
        signed: bool,
        /// Whether edge pixels are repeated beyond the edge.
        replicate: bool,
    },
    /// moments.wgsl
    Moments {
        /// Whether they are those of a region.
        guided: bool,
    },
    /// distance.wgsl
    Distance {
        /// Whether positions count by an emphasis.
        emphasis: bool,
    },
    /// accumulate.wgsl
    Accumulate,
    /// injection.wgsl
    Injection {
        /// Whether the moments are those of regions.
        guided: bool,
        /// Whether positions count by an emphasis.
        emphasis: bool,
    },
    /// dots.wgsl
    Dots,
    /// add_scaled.wgsl
    AddScaled,
    /// halve.wgsl
    Halve {
        /// Whether the level above is the vector.
        from_vector: bool,
    },
    /// apex.wgsl
    Apex,
    /// weigh.wgsl
    Weigh {
        /// Whether the level is the vector.
        from_vector: bool,
    },
}

/// The kernels that share a shader and its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The way forward through a convolution.
    Forward,
    /// The way back through one.
    Backward,
    /// The way back through conv1_1.
    Pixels,
    /// Partial moments.
    Moments,
    /// Partial distances.
    Distance,
    /// Totals of both.
    Accumulate,
    /// Gradients at taps.
    Injection,
    /// Products with what a history holds.
    Dots,
    /// Sums of what a history holds.
    AddScaled,
    /// A pyramid's way down.
    Halve,
    /// And up.
    Weigh,
    /// Its small levels, both ways.
    Apex,
}

const FAMILIES: [Family; 12] = [
    Family::Forward,
    Family::Backward,
    Family::Pixels,
    Family::Moments,
    Family::Distance,
    Family::Accumulate,
    Family::Injection,
    Family::Dots,
    Family::AddScaled,
    Family::Halve,
    Family::Weigh,
    Family::Apex,
];

/// How a shader uses one of its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It writes, and may read.
    Write,
}

impl Kernel {
    /// The shader behind it.
    pub fn family(self) -> Family {
        match self {
            Kernel::Forward { .. } => Family::Forward,
            Kernel::Backward { .. } => Family::Backward,
            Kernel::Pixels { .. } => Family::Pixels,
            Kernel::Moments { .. } => Family::Moments,
            Kernel::Distance { .. } => Family::Distance,
            Kernel::Accumulate => Family::Accumulate,
            Kernel::Injection { .. } => Family::Injection,
            Kernel::Dots => Family::Dots,
            Kernel::AddScaled => Family::AddScaled,
            Kernel::Halve { .. } => Family::Halve,
            Kernel::Weigh { .. } => Family::Weigh,
            Kernel::Apex => Family::Apex,
        }
    }

    /// The tile of a convolution.
    fn tile(self) -> Option<Tile> {
        match self {
            Kernel::Forward { tile, .. } | Kernel::Backward { tile, .. } => Some(tile),
            _ => None,
        }
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        let flag = |value: bool| f64::from(u8::from(value));
        match self {
            Kernel::Forward { tile: _, picture, replicate, features, signs, pooling, routes } => {
                vec![
                    ("READS_PICTURE", flag(picture)),
                    ("REPLICATE", flag(replicate)),
                    ("MEAN_RED", f64::from(MEAN_RGB[0])),
                    ("MEAN_GREEN", f64::from(MEAN_RGB[1])),
                    ("MEAN_BLUE", f64::from(MEAN_RGB[2])),
                    ("WRITES_FEATURES", flag(features)),
                    ("WRITES_SIGNS", flag(signs)),
                    ("POOLING", f64::from(pooling as u8)),
                    ("WRITES_ROUTES", flag(routes)),
                ]
            }
            Kernel::Backward { tile: _, own, signed, pooling, accumulate, masked } => {
                vec![
                    ("OWN", flag(own)),
                    ("SIGNED", flag(signed)),
                    ("POOLING", f64::from(pooling as u8)),
                    ("ACCUMULATE", flag(accumulate)),
                    ("MASKED", flag(masked)),
                ]
            }
            Kernel::Pixels { signed, replicate } => vec![("SIGNED", flag(signed)), ("REPLICATE", flag(replicate))],
            Kernel::Halve { from_vector } | Kernel::Weigh { from_vector } => vec![("FROM_VECTOR", flag(from_vector))],
            Kernel::Moments { guided } => vec![("GUIDED", flag(guided))],
            Kernel::Distance { emphasis } => vec![("EMPHASIS", flag(emphasis))],
            Kernel::Injection { guided, emphasis } => {
                vec![("GUIDED", flag(guided)), ("EMPHASIS", flag(emphasis))]
            }
            Kernel::Accumulate | Kernel::Dots | Kernel::AddScaled | Kernel::Apex => Vec::new(),
        }
    }
}

impl Family {
    /// Its own file, and those that it names as coming after it.
    fn source(self, storage: Storage, tile: Option<Tile>) -> String {
        const MAPS: &str = include_str!("shaders/maps.wgsl");
        const CONVOLUTION: &str = include_str!("shaders/convolution.wgsl");
        const CHUNKS: &str = include_str!("shaders/chunks.wgsl");
        const PAIRS: &str = include_str!("shaders/pairs.wgsl");
        const LEVELS: &str = include_str!("shaders/levels.wgsl");
        let files: &[&str] = match self {
            Family::Forward => &[include_str!("shaders/forward.wgsl"), CONVOLUTION, MAPS],
            Family::Backward => &[include_str!("shaders/backward.wgsl"), CONVOLUTION, MAPS],
            Family::Pixels => &[include_str!("shaders/pixels.wgsl"), MAPS],
            Family::Moments => &[include_str!("shaders/moments.wgsl"), CHUNKS, MAPS],
            Family::Distance => &[include_str!("shaders/distance.wgsl"), CHUNKS, MAPS],
            Family::Accumulate => &[include_str!("shaders/accumulate.wgsl")],
            Family::Injection => &[include_str!("shaders/injection.wgsl"), MAPS],
            Family::Dots => &[include_str!("shaders/dots.wgsl"), PAIRS],
            Family::AddScaled => &[include_str!("shaders/add_scaled.wgsl"), PAIRS],
            Family::Halve => &[include_str!("shaders/halve.wgsl"), LEVELS],
            Family::Weigh => &[include_str!("shaders/weigh.wgsl"), LEVELS],
            Family::Apex => &[include_str!("shaders/apex.wgsl")],
        };
        let storage = match storage {
            Storage::Single => include_str!("shaders/storage_f32.wgsl"),
            Storage::Half => include_str!("shaders/storage_f16.wgsl"),
        };
        let tile = tile.map_or("", Tile::source);
        [files, &[tile, storage, include_str!("shaders/nan.wgsl")]].concat().concat()
    }

    /// Its buffers, binding 1 first; binding 0 is the dispatch's parameters.
    pub fn buffers(self) -> &'static [Access] {
        use Access::{Read, Write};
        match self {
            Family::Forward => &[Read, Read, Read, Write, Write, Write, Write, Read],
            Family::Backward => &[Read, Read, Read, Read, Read, Write, Read],
            Family::Pixels => &[Read, Read, Read, Write],
            Family::Accumulate => &[Read, Write],
            Family::AddScaled => &[Read, Read, Write],
            Family::Moments | Family::Distance | Family::Dots => &[Read, Read, Read, Write],
            Family::Halve | Family::Weigh => &[Write, Write, Read],
            Family::Apex => &[Write],
            Family::Injection => &[Read, Read, Read, Read, Read, Read, Write],
        }
    }
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
