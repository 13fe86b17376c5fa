//! The maps between the layers: rings of rows on the device, as many rows of each as a plan asks for.

use std::ops::Range;

use impasto_vgg::plan::{LayerSlots, Operation, TILE_ROWS};
use impasto_vgg::{Layer, Plan, Pooling, SessionRequest};

use crate::device::Device;
use crate::storage::Storage;

/// The least that a buffer holds, in bytes: a quad in f32.
const LEAST_BYTES: u64 = 16;

/// The size of one map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSize {
    /// Rows of the ring; of signs and routes, rows of windows.
    pub rows: u32,
    /// Bytes in all.
    pub bytes: u64,
}

/// A map on the device.
#[derive(Debug)]
pub struct Ring {
    /// Where it stands.
    pub buffer: wgpu::Buffer,
    /// Rows of the ring.
    pub rows: u32,
}

/// What stands between a layer and the next; `None` for what the plan has no use for.
#[derive(Debug, Default)]
pub struct LayerMaps<T> {
    /// `[channels / 4][rows][width]` quads, as [`Storage`] has them.
    pub features: Option<T>,
    /// `[channels / 8][rows of windows][windows across]` u32; see forward.wgsl.
    pub signs: Option<T>,
    /// For a convolution before a max pooling, as the signs.
    pub routes: Option<T>,
    /// As the features.
    pub gradient: Option<T>,
}

/// The sizes of all maps of a plan, for each layer up to the deepest tap.
pub fn sizes(request: &SessionRequest, plan: &Plan) -> Vec<LayerMaps<RingSize>> {
    let routed = |layer: Layer| {
        let pooling = plan.slots.get(layer.index() + 1).filter(|_| layer.pools_after())?;
        (request.pooling == Pooling::Max && pooling.winners > 0).then_some(pooling.winners)
    };
    let quad_bytes = Storage::of(request.precision).quad_bytes();
    let layers = Layer::all().zip(&plan.slots);
    let sizes = layers.map(|(layer, slots): (Layer, &LayerSlots)| {
        let (height, width) = layer.map_size(request.height, request.width);
        let quads = (layer.channels() / 4) as u64;
        let values = |rows: usize| {
            let bytes = quads * (rows * width) as u64 * quad_bytes;
            (rows > 0).then_some(RingSize { rows: rows as u32, bytes })
        };
        let words = |window_rows: usize| {
            let bytes = quads / 2 * (window_rows * width.div_ceil(2)) as u64 * size_of::<u32>() as u64;
            RingSize { rows: window_rows as u32, bytes }
        };
        // Rows that begin and end anywhere touch one row of windows more than half of them.
        let signs = (slots.signs > 0).then(|| words((slots.signs.div_ceil(2) + 1).min(height.div_ceil(2))));
        LayerMaps {
            features: values(slots.features),
            signs,
            routes: routed(layer).map(words),
            gradient: values(slots.gradient),
        }
    });
    sizes.collect()
}

/// Rows of the picture that conv1_1 reads at a time, at most.
pub fn picture_rows(request: &SessionRequest, plan: &Plan) -> usize {
    let operations = plan.forward.iter().chain(&plan.backward);
    let rows = operations.filter_map(|operation| match operation {
        Operation::Forward { layer, tile_rows } if layer.index() == 0 => Some(tile_rows.len() * TILE_ROWS + 2),
        _ => None,
    });
    rows.max().unwrap_or(0).min(request.height)
}

/// Bytes of so many rows of the picture, as conv1_1 reads it: `[3][rows][width]` f32, whatever the maps are in.
pub fn picture_bytes(request: &SessionRequest, rows: usize) -> u64 {
    (3 * rows * request.width * size_of::<f32>()) as u64
}

impl LayerMaps<RingSize> {
    /// The sizes of those that there are.
    pub fn all(&self) -> impl Iterator<Item = RingSize> {
        [self.features, self.signs, self.routes, self.gradient].into_iter().flatten()
    }

    /// Makes them.
    pub fn create(&self, device: &Device) -> LayerMaps<Ring> {
        let ring = |size: RingSize| Ring { buffer: create(device, size.bytes), rows: size.rows };
        LayerMaps {
            features: self.features.map(ring),
            signs: self.signs.map(ring),
            routes: self.routes.map(ring),
            gradient: self.gradient.map(ring),
        }
    }
}

/// A buffer that shaders read and write.
pub fn create(device: &Device, bytes: u64) -> wgpu::Buffer {
    device.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.max(LEAST_BYTES),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

/// A buffer that the host reads.
pub fn create_readable(device: &Device, bytes: u64) -> wgpu::Buffer {
    device.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.max(LEAST_BYTES),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// A buffer that the host fills and the device copies from; as it is made, the host may fill it.
pub fn create_writable(device: &Device, bytes: u64) -> wgpu::Buffer {
    device.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.max(LEAST_BYTES),
        usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    })
}

/// Rows of a map as ranges that stand together in a ring of `ring_rows`.
pub fn runs(rows: Range<usize>, ring_rows: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = rows.start;
    std::iter::from_fn(move || {
        let end = rows.end.min((start / ring_rows + 1) * ring_rows);
        let run = start..end;
        start = end;
        (!run.is_empty()).then_some(run)
    })
}
