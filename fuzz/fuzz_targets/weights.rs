//! What the targets of weight files share: any bytes as a file of one format, read as a small network.

use std::io::Cursor;

use impasto_vgg::formats::{ConvolutionShape, read_network};

/// The network of `scripts/make_weight_files.py`, whose files are the seeds.
const SMALL: [ConvolutionShape; 3] = [
    ConvolutionShape { block: 1, place: 1, inputs: 3, outputs: 2 },
    ConvolutionShape { block: 1, place: 2, inputs: 2, outputs: 3 },
    ConvolutionShape { block: 2, place: 1, inputs: 3, outputs: 2 },
];

/// Reads `bytes` with the parts of `signature` put at their places, so that every run reaches the reader that is meant.
/// What comes out is finite weights or a sentence.
pub fn read(bytes: &[u8], signature: &[(usize, &[u8])]) {
    let mut bytes = bytes.to_vec();
    for &(at, part) in signature {
        if let Some(place) = bytes.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
    }
    match read_network(&mut Cursor::new(bytes), &SMALL) {
        Ok(file) => {
            for (convolution, shape) in file.convolutions.iter().zip(&SMALL) {
                let kernel = convolution.kernel();
                assert_eq!(kernel.len(), shape.outputs * shape.inputs * 9);
                assert!(kernel.iter().chain(&convolution.bias).all(|value| value.is_finite()));
            }
        }
        Err(error) => {
            let sentence = error.to_string();
            assert!(sentence.len() <= 400 && !sentence.chars().any(char::is_control), "{sentence}");
        }
    }
}
