//! The weights on the device, in the order in which the shaders read them; made once for each convolution and shared by
//! all sessions.

use std::sync::{Arc, Mutex, PoisonError};

use impasto_vgg::weights::CONVOLUTION_COUNT;
use impasto_vgg::{ConvolutionWeights, Layer, LayerKind, Weights};

use crate::device::Device;
use crate::pipelines::TILE_CHANNELS;

/// Channels of a quad.
const QUAD: usize = 4;

/// One convolution's weights.
#[derive(Debug)]
pub struct ConvolutionBuffers {
    /// For forward.wgsl.
    pub forward: wgpu::Buffer,
    /// `[outputs]` f32.
    pub bias: wgpu::Buffer,
    /// For backward.wgsl; of conv1_1, for pixels.wgsl.
    pub backward: wgpu::Buffer,
}

/// The weights of all convolutions, as far as anyone asked for them.
#[derive(Debug)]
pub struct DeviceWeights {
    device: Device,
    weights: Arc<Weights>,
    buffers: Mutex<[Option<Arc<ConvolutionBuffers>>; CONVOLUTION_COUNT]>,
}

impl DeviceWeights {
    /// Nothing yet.
    pub fn new(device: &Device, weights: Arc<Weights>) -> DeviceWeights {
        DeviceWeights { device: device.clone(), weights, buffers: Mutex::default() }
    }

    /// The weights of the convolution in this place, 0 for conv1_1; brought to the device on first use.
    pub fn get(&self, index: usize) -> Arc<ConvolutionBuffers> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers[index].get_or_insert_with(|| Arc::new(self.bring(&self.weights.convolutions()[index]))).clone()
    }

    /// Forgets what is there: for when there was not memory enough for all of it.
    pub fn forget(&self) {
        *self.buffers.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }

    fn bring(&self, weights: &ConvolutionWeights) -> ConvolutionBuffers {
        let kernel = weights.kernel();
        let backward = if weights.inputs < TILE_CHANNELS {
            pixel_order(&kernel, weights)
        } else {
            // The gradient of an output position goes to where its value came from: taps run the other way round.
            let value =
                |output: usize, input: usize, tap: usize| kernel[(input * weights.inputs + output) * 9 + 8 - tap];
            tile_order(weights.inputs, weights.outputs, value)
        };
        let value = |output: usize, input: usize, tap: usize| {
            if input < weights.inputs { kernel[(output * weights.inputs + input) * 9 + tap] } else { 0.0 }
        };
        ConvolutionBuffers {
            forward: self.upload(&tile_order(weights.outputs, weights.inputs.next_multiple_of(QUAD), value)),
            bias: self.upload(&weights.bias),
            backward: self.upload(&backward),
        }
    }

    fn upload(&self, values: &[f32]) -> wgpu::Buffer {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let buffer = self.device.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.device.queue().write_buffer(&buffer, 0, &bytes);
        buffer
    }
}

/// Bytes of the weights up to a layer, both ways.
pub fn bytes(deepest: Option<Layer>) -> u64 {
    let layers = Layer::all().take_while(|&layer| Some(layer) <= deepest);
    let floats = layers.map(|layer| match layer.info().kind {
        LayerKind::Convolution { inputs, .. } if inputs < TILE_CHANNELS => layer.channels() * (9 * (QUAD + inputs) + 1),
        LayerKind::Convolution { inputs, .. } => layer.channels() * (9 * 2 * inputs + 1),
        LayerKind::Pooling => 0,
    });
    floats.sum::<usize>() as u64 * size_of::<f32>() as u64
}

/// `[tile of 64 outputs][quad of inputs][9 taps][4 inputs][64 outputs]`, as convolution.wgsl reads it.
fn tile_order(outputs: usize, inputs: usize, value: impl Fn(usize, usize, usize) -> f32) -> Vec<f32> {
    let mut ordered = Vec::with_capacity(outputs * inputs * 9);
    for tile in (0..outputs).step_by(TILE_CHANNELS) {
        for quad in (0..inputs).step_by(QUAD) {
            for (tap, input) in (0..9).flat_map(|tap| (quad..quad + QUAD).map(move |input| (tap, input))) {
                ordered.extend((tile..tile + TILE_CHANNELS).map(|output| value(output, input, tap)));
            }
        }
    }
    ordered
}

/// `[quad of outputs][9 taps][3 inputs][4 outputs]`, as pixels.wgsl reads it.
fn pixel_order(kernel: &[f32], weights: &ConvolutionWeights) -> Vec<f32> {
    let mut ordered = Vec::with_capacity(kernel.len());
    for quad in (0..weights.outputs).step_by(QUAD) {
        for (tap, input) in (0..9).flat_map(|tap| (0..weights.inputs).map(move |input| (tap, input))) {
            ordered.extend((quad..quad + QUAD).map(|output| kernel[(output * weights.inputs + input) * 9 + tap]));
        }
    }
    ordered
}
