//! Which buffers stand behind which binding of which shader.

use impasto_vgg::{Layer, LayerKind, SessionRequest};

use crate::device::Device;
use crate::maps::{self, LayerMaps, Ring};
use crate::pipelines::{Family, Pipelines, Tile};
use crate::recorder::Recorder;
use crate::weights::{ConvolutionBuffers, DeviceWeights};

/// What bindings are made with.
#[derive(Clone, Copy, Debug)]
pub struct Maker<'a> {
    /// Where.
    pub device: &'a Device,
    /// By what.
    pub pipelines: &'a Pipelines,
    /// Whose parameters.
    pub recorder: &'a Recorder,
    /// Partial sums of all taps.
    pub partials: &'a wgpu::Buffer,
}

impl Maker<'_> {
    /// A group of bindings: the recorder's parameters, then these buffers.
    pub fn bind(&self, family: Family, buffers: &[&wgpu::Buffer]) -> wgpu::BindGroup {
        let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: self.recorder.parameters() }];
        entries.extend(buffers.iter().enumerate().map(|(index, buffer)| wgpu::BindGroupEntry {
            binding: index as u32 + 1,
            resource: buffer.as_entire_binding(),
        }));
        let layout = self.pipelines.bindings(family);
        self.device.device().create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
    }
}

/// One convolution's bindings both ways.
#[derive(Debug)]
pub struct Convolution {
    /// What a workgroup makes on the way forward.
    pub tile: Tile,
    /// And on the way back.
    pub back_tile: Tile,
    /// Of forward.wgsl.
    pub forward: wgpu::BindGroup,
    /// Of backward.wgsl or pixels.wgsl, where the plan has a way back.
    pub backward: Option<wgpu::BindGroup>,
}

/// Buffers that stand where a shader does not look: one for each binding, since what is written may stand there once.
#[derive(Debug)]
pub struct Unused {
    /// What is only read.
    pub read: wgpu::Buffer,
    /// What is written.
    pub written: [wgpu::Buffer; 4],
}

impl Unused {
    /// Buffers of next to nothing.
    pub fn new(device: &Device) -> Unused {
        Unused { read: maps::create(device, 0), written: std::array::from_fn(|_| maps::create(device, 0)) }
    }
}

/// What the bindings of convolutions are made of.
pub struct Bindings<'a> {
    pub weights: &'a DeviceWeights,
    pub make: Maker<'a>,
    pub maps: &'a [LayerMaps<Ring>],
    pub picture: &'a Ring,
    pub pixels: &'a wgpu::Buffer,
    pub unused: &'a Unused,
}

impl Bindings<'_> {
    /// A layer's bindings; `None` for a pooling.
    pub fn convolution(&self, request: &SessionRequest, layer: Layer, has_way_back: bool) -> Option<Convolution> {
        let LayerKind::Convolution { index: place, inputs } = layer.info().kind else { return None };
        let (height, width) = layer.map_size(request.height, request.width);
        let weights = self.weights.get(place);
        let workgroup_bytes = self.make.device.limits().max_compute_workgroup_storage_size;
        Some(Convolution {
            tile: Tile::for_map(height, width, layer.channels(), workgroup_bytes),
            back_tile: Tile::for_map(height, width, inputs, workgroup_bytes),
            forward: self.forward(&weights, layer),
            backward: has_way_back.then(|| self.backward(&weights, layer)),
        })
    }

    fn forward(&self, weights: &ConvolutionBuffers, layer: Layer) -> wgpu::BindGroup {
        let (own, written) = (&self.maps[layer.index()], &self.unused.written);
        let input = layer.index().checked_sub(1).and_then(|index| self.maps[index].features.as_ref());
        let pooled = self.maps.get(layer.index() + 1).filter(|_| layer.pools_after());
        let pooled = pooled.and_then(|maps| maps.features.as_ref());
        let buffers = [
            &weights.forward,
            &weights.bias,
            buffer(input, &self.unused.read),
            buffer(own.features.as_ref(), &written[0]),
            buffer(own.signs.as_ref(), &written[1]),
            buffer(pooled, &written[2]),
            buffer(own.routes.as_ref(), &written[3]),
            if layer.index() == 0 { &self.picture.buffer } else { &self.unused.read },
        ];
        self.make.bind(Family::Forward, &buffers)
    }

    fn backward(&self, weights: &ConvolutionBuffers, layer: Layer) -> wgpu::BindGroup {
        let own = &self.maps[layer.index()];
        let unused = &self.unused.read;
        let gradient = buffer(own.gradient.as_ref(), unused);
        let signs = buffer(own.signs.as_ref(), unused);
        let Some(below) = layer.index().checked_sub(1).map(|index| &self.maps[index]) else {
            return self.make.bind(Family::Pixels, &[&weights.backward, gradient, signs, self.pixels]);
        };
        let pooled = self.maps.get(layer.index() + 1).filter(|_| layer.pools_after());
        let pooled = pooled.and_then(|maps| maps.gradient.as_ref());
        let buffers = [
            &weights.backward,
            gradient,
            buffer(pooled, unused),
            signs,
            buffer(own.routes.as_ref(), unused),
            buffer(below.gradient.as_ref(), &self.unused.written[0]),
            buffer(below.signs.as_ref(), unused),
        ];
        self.make.bind(Family::Backward, &buffers)
    }
}

fn buffer<'a>(ring: Option<&'a Ring>, unused: &'a wgpu::Buffer) -> &'a wgpu::Buffer {
    ring.map_or(unused, |ring| &ring.buffer)
}
