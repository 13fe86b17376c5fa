//! The small network that `scripts/make_weight_files.py` puts into files, computed here once more.

use impasto_vgg::formats::ConvolutionShape;

/// Its convolutions.
pub const SMALL: [ConvolutionShape; 3] = [
    ConvolutionShape { block: 1, place: 1, inputs: 3, outputs: 2 },
    ConvolutionShape { block: 1, place: 2, inputs: 2, outputs: 3 },
    ConvolutionShape { block: 2, place: 1, inputs: 3, outputs: 2 },
];

/// The script's kernel value at `[o, i, y, x]` of layer `layer`.
pub fn kernel_value(layer: usize, o: usize, i: usize, y: usize, x: usize) -> f32 {
    (((7 * o + 5 * i + 3 * y + x + 11 * layer) % 32) as f32 - 15.0) / 8.0
}

/// A layer's kernel, `[outputs, inputs, 3, 3]`.
pub fn kernel(layer: usize) -> Vec<f32> {
    let shape = SMALL[layer];
    (0..shape.outputs * shape.inputs * 9)
        .map(|at| kernel_value(layer, at / (shape.inputs * 9), at / 9 % shape.inputs, at / 3 % 3, at % 3))
        .collect()
}
