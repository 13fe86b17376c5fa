//! The weights on the device, in the order in which the shaders read them; made once for each convolution and shared by
//! all sessions.

use std::sync::{Arc, Mutex, PoisonError};

use impasto_vgg::weights::CONVOLUTION_COUNT;
use impasto_vgg::{ConvolutionWeights, Layer, LayerKind, Weights};

use rayon::prelude::*;

use crate::device::Device;
use crate::pipelines::CONVOLUTION_CHANNELS;

/// Channels of a quad.
const QUAD: usize = 4;
/// Taps of a 3x3 convolution.
const TAPS: usize = 9;
/// Points of Winograd's F(2x2, 3x3), which take their place.
const POINTS: usize = 16;

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
        let (taps, _) = kernel.as_chunks::<TAPS>();
        let backward = if weights.inputs < CONVOLUTION_CHANNELS {
            pixel_order(&kernel, weights)
        } else {
            // The gradient of an output position goes to where its value came from: taps run the other way round.
            let rotated = |output: usize, input: usize| {
                let mut rotated = taps[input * weights.inputs + output];
                rotated.reverse();
                rotated
            };
            tile_order(weights.inputs, weights.outputs, rotated)
        };
        let own = |output: usize, input: usize| {
            if input < weights.inputs { taps[output * weights.inputs + input] } else { [0.0; TAPS] }
        };
        ConvolutionBuffers {
            forward: self.upload(&tile_order(weights.outputs, weights.inputs.next_multiple_of(QUAD), own)),
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
        LayerKind::Convolution { inputs, .. } if inputs < CONVOLUTION_CHANNELS => {
            layer.channels() * (POINTS * QUAD + TAPS * inputs + 1)
        }
        LayerKind::Convolution { inputs, .. } => layer.channels() * (POINTS * 2 * inputs + 1),
        LayerKind::Pooling => 0,
    });
    floats.sum::<usize>() as u64 * size_of::<f32>() as u64
}

/// `[tile of 32 outputs][quad of inputs][4 inputs][16 points][32 outputs]`, transformed, as convolution.wgsl reads it.
fn tile_order(outputs: usize, inputs: usize, taps: impl Fn(usize, usize) -> [f32; TAPS] + Sync) -> Vec<f32> {
    const LINE: usize = POINTS * CONVOLUTION_CHANNELS;
    let mut ordered = vec![0.0; outputs * inputs * POINTS];
    let lines = ordered.par_chunks_exact_mut(LINE).enumerate();
    lines.for_each(|(line, values)| {
        let (first_output, input) = (line / inputs * CONVOLUTION_CHANNELS, line % inputs);
        for output in 0..CONVOLUTION_CHANNELS {
            for (point, value) in transformed(&taps(first_output + output, input)).into_iter().enumerate() {
                values[point * CONVOLUTION_CHANNELS + output] = value;
            }
        }
    });
    ordered
}

/// G g G^T of Winograd's F(2x2, 3x3), in f64, rounded once at the end.
fn transformed(taps: &[f32; TAPS]) -> [f32; POINTS] {
    let points = |[a, b, c]: [f64; 3]| [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c];
    let value = |row: usize, column: usize| f64::from(taps[row * 3 + column]);
    let columns = [0, 1, 2].map(|column| points([0, 1, 2].map(|row| value(row, column))));
    let rows = [0, 1, 2, 3].map(|row| points(columns.map(|column| column[row])));
    std::array::from_fn(|point| rows[point / 4][point % 4] as f32)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A window by the points of its values and of the weights is the sum of the taps: for all values and weights that are
    /// one at a place and zero elsewhere, that is for all.
    #[test]
    fn points_take_the_place_of_taps() {
        let lines = |[a, b, c, d]: [f64; 4]| [a - c, b + c, c - b, b - d];
        for tap in 0..TAPS {
            let mut taps = [0.0; TAPS];
            taps[tap] = 1.0;
            let weights = transformed(&taps);
            for place in 0..16 {
                let value = |row: usize, column: usize| f64::from(u8::from(row * 4 + column == place));
                let columns = [0, 1, 2, 3].map(|column| lines([0, 1, 2, 3].map(|row| value(row, column))));
                let values = [0, 1, 2, 3].map(|row| lines(columns.map(|column| column[row])));
                let product = |row: usize, column: usize| values[row][column] * f64::from(weights[row * 4 + column]);
                let both = |[a, b, c, d]: [f64; 4]| [a + b + c, b - c - d];
                let rows = [0, 1, 2, 3].map(|row| both([0, 1, 2, 3].map(|column| product(row, column))));
                let window = [0, 1].map(|column| both(rows.map(|row| row[column])));
                for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let expected = value(row + tap / 3, column + tap % 3);
                    assert_eq!(window[column][row], expected, "tap {tap}, place {place}, position {row}, {column}");
                }
            }
        }
    }
}
