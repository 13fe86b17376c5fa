//! The shaders, compiled: one pipeline for each kernel and each choice of its constants, made on first use.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use impasto_vgg::MEAN_RGB;

use crate::device::Device;
use crate::storage::Storage;

/// Positions that a workgroup of a convolution makes: 2 `across` by 2 `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// 2x2 windows in a row.
    pub across: u32,
    /// Rows of windows.
    pub down: u32,
}

/// Channels that a workgroup makes.
pub const TILE_CHANNELS: usize = 64;

/// From the one that reads its weights least often to the one that gives small maps most workgroups.
const TILES: [Tile; 3] = [Tile { across: 8, down: 4 }, Tile { across: 4, down: 4 }, Tile { across: 4, down: 2 }];

/// Workgroups from which on a larger tile is preferred: a few for each core of a large card.
const WORKGROUPS_WANTED: usize = 400;

impl Tile {
    /// The tile for a map of this size with so many channels; the same whatever part of the map is made at a time.
    pub fn for_map(height: usize, width: usize, channels: usize) -> Tile {
        let enough =
            |tile: &&Tile| tile.count(height, width) as usize * channels.div_ceil(TILE_CHANNELS) >= WORKGROUPS_WANTED;
        TILES.iter().find(enough).copied().unwrap_or(TILES[2])
    }

    /// Tiles that cover so many rows and columns.
    pub fn count(self, rows: usize, width: usize) -> u32 {
        (rows.div_ceil(2 * self.down as usize) * width.div_ceil(2 * self.across as usize)) as u32
    }

    /// Positions of a tile.
    pub fn positions(self) -> u32 {
        4 * self.across * self.down
    }

    fn constants(self) -> [(&'static str, f64); 4] {
        let (across, down) = (f64::from(self.across), f64::from(self.down));
        [
            ("WINDOWS_ACROSS", across),
            ("WINDOWS_DOWN", down),
            ("THREADS", across * down * 8.0),
            ("PATCH", (2.0 * across + 2.0) * (2.0 * down + 2.0)),
        ]
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
    Moments,
    /// distance.wgsl
    Distance,
    /// accumulate.wgsl
    Accumulate,
    /// injection.wgsl
    Injection,
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
}

const FAMILIES: [Family; 7] = [
    Family::Forward,
    Family::Backward,
    Family::Pixels,
    Family::Moments,
    Family::Distance,
    Family::Accumulate,
    Family::Injection,
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
            Kernel::Moments => Family::Moments,
            Kernel::Distance => Family::Distance,
            Kernel::Accumulate => Family::Accumulate,
            Kernel::Injection => Family::Injection,
        }
    }

    fn constants(self) -> Vec<(&'static str, f64)> {
        let flag = |value: bool| f64::from(u8::from(value));
        match self {
            Kernel::Forward { tile, picture, replicate, features, signs, pooling, routes } => {
                let mut constants = tile.constants().to_vec();
                constants.extend([
                    ("READS_PICTURE", flag(picture)),
                    ("REPLICATE", flag(replicate)),
                    ("MEAN_RED", f64::from(MEAN_RGB[0])),
                    ("MEAN_GREEN", f64::from(MEAN_RGB[1])),
                    ("MEAN_BLUE", f64::from(MEAN_RGB[2])),
                    ("WRITES_FEATURES", flag(features)),
                    ("WRITES_SIGNS", flag(signs)),
                    ("POOLING", f64::from(pooling as u8)),
                    ("WRITES_ROUTES", flag(routes)),
                ]);
                constants
            }
            Kernel::Backward { tile, own, signed, pooling, accumulate, masked } => {
                let mut constants = tile.constants().to_vec();
                constants.extend([
                    ("OWN", flag(own)),
                    ("SIGNED", flag(signed)),
                    ("POOLING", f64::from(pooling as u8)),
                    ("ACCUMULATE", flag(accumulate)),
                    ("MASKED", flag(masked)),
                ]);
                constants
            }
            Kernel::Pixels { signed, replicate } => vec![("SIGNED", flag(signed)), ("REPLICATE", flag(replicate))],
            Kernel::Moments | Kernel::Distance | Kernel::Accumulate | Kernel::Injection => Vec::new(),
        }
    }
}

impl Family {
    /// Its own file, and those that it names as coming after it.
    fn source(self, storage: Storage) -> String {
        const MAPS: &str = include_str!("shaders/maps.wgsl");
        const CONVOLUTION: &str = include_str!("shaders/convolution.wgsl");
        const CHUNKS: &str = include_str!("shaders/chunks.wgsl");
        let files: &[&str] = match self {
            Family::Forward => &[include_str!("shaders/forward.wgsl"), CONVOLUTION, MAPS],
            Family::Backward => &[include_str!("shaders/backward.wgsl"), CONVOLUTION, MAPS],
            Family::Pixels => &[include_str!("shaders/pixels.wgsl"), MAPS],
            Family::Moments => &[include_str!("shaders/moments.wgsl"), CHUNKS, MAPS],
            Family::Distance => &[include_str!("shaders/distance.wgsl"), CHUNKS, MAPS],
            Family::Accumulate => &[include_str!("shaders/accumulate.wgsl")],
            Family::Injection => &[include_str!("shaders/injection.wgsl"), MAPS],
        };
        let storage = match storage {
            Storage::Single => include_str!("shaders/storage_f32.wgsl"),
            Storage::Half => include_str!("shaders/storage_f16.wgsl"),
        };
        [files, &[storage, include_str!("shaders/nan.wgsl")]].concat().concat()
    }

    /// Its buffers, binding 1 first; binding 0 is the dispatch's parameters.
    pub fn buffers(self) -> &'static [Access] {
        use Access::{Read, Write};
        match self {
            Family::Forward => &[Read, Read, Read, Write, Write, Write, Write, Read],
            Family::Backward => &[Read, Read, Read, Read, Read, Write, Read],
            Family::Pixels => &[Read, Read, Read, Write],
            Family::Moments | Family::Accumulate => &[Read, Write],
            Family::Distance => &[Read, Read, Write],
            Family::Injection => &[Read, Read, Read, Read, Write],
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
    /// For each way to store maps, read on first use.
    modules: [OnceLock<wgpu::ShaderModule>; 2],
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
            module: shader.module(self.device.device(), storage),
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

    fn module(&self, device: &wgpu::Device, storage: Storage) -> &wgpu::ShaderModule {
        self.modules[storage as usize].get_or_init(|| {
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(self.family.source(storage).into()),
            })
        })
    }
}
