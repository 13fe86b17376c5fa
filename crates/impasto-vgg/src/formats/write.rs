//! Weights into impasto's own safetensors layout: `NAME.weight` `[outputs, inputs, 3, 3]` and `NAME.bias` `[outputs]` for
//! each convolution, or, for layers held as a codebook, `NAME.weight_index` (u8) with `NAME.codebook`.

use std::collections::HashMap;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView, serialize};

use super::vgg19_convolutions;
use crate::weights::{CODEBOOK_LEN, ConvolutionWeights, Weights, WeightsError};

/// How [`write_safetensors`] stores kernels; biases and codebooks are always f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredAs {
    /// As they are in memory: a codebook where there is one, f32 elsewhere. Nothing is lost.
    Held,
    /// f32: 80 MB. Nothing is lost.
    F32,
    /// Half precision: 40 MB, 11 bits a value.
    F16,
    /// bfloat16: 40 MB, 8 bits a value.
    Bf16,
}

/// The bytes of a safetensors file with `weights`, which [`super::read`] reads back.
///
/// # Errors
/// A kernel value that half precision cannot hold (above 65,504).
///
/// ```
/// use std::io::Cursor;
/// use impasto_vgg::formats::{self, StoredAs};
/// use impasto_vgg::Weights;
///
/// let file = formats::write_safetensors(&Weights::embedded(), StoredAs::Held)?;
/// let back = formats::read(&mut Cursor::new(file))?;
/// assert_eq!(back.convolutions[0].kernel(), Weights::embedded().convolutions()[0].kernel());
/// # Ok::<(), impasto_vgg::WeightsError>(())
/// ```
pub fn write_safetensors(weights: &Weights, stored_as: StoredAs) -> Result<Vec<u8>, WeightsError> {
    let mut tensors = Vec::new();
    for (shape, convolution) in vgg19_convolutions().iter().zip(weights.convolutions()) {
        let name = shape.name();
        tensors.push(Tensor::f32(format!("{name}.bias"), vec![convolution.outputs], &convolution.bias));
        tensors.extend(kernel_tensors(&name, convolution, stored_as)?);
    }
    let views = tensors
        .iter()
        .map(|tensor| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
            view.map(|view| (tensor.name.as_str(), view)).map_err(|error| WeightsError::malformed(error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let about = HashMap::from([("format".to_owned(), "impasto".to_owned())]);
    serialize(views, Some(about)).map_err(|error| WeightsError::malformed(error.to_string()))
}

struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn f32(name: String, shape: Vec<usize>, values: &[f32]) -> Tensor {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor { name, dtype: Dtype::F32, shape, bytes }
    }
}

fn kernel_tensors(
    name: &str,
    convolution: &ConvolutionWeights,
    stored_as: StoredAs,
) -> Result<Vec<Tensor>, WeightsError> {
    let shape = vec![convolution.outputs, convolution.inputs, 3, 3];
    if let (StoredAs::Held, Some((index, codebook))) = (stored_as, convolution.codebook()) {
        let index = Tensor { name: format!("{name}.weight_index"), dtype: Dtype::U8, shape, bytes: index.to_vec() };
        return Ok(vec![index, Tensor::f32(format!("{name}.codebook"), vec![CODEBOOK_LEN], codebook)]);
    }
    let name = format!("{name}.weight");
    let kernel = convolution.kernel();
    let (dtype, bytes): (Dtype, Vec<u8>) = match stored_as {
        StoredAs::Held | StoredAs::F32 => return Ok(vec![Tensor::f32(name, shape, &kernel)]),
        StoredAs::F16 => {
            let halves: Vec<f16> = kernel.iter().map(|&value| f16::from_f32(value)).collect();
            if halves.iter().any(|value| !value.is_finite()) {
                return Err(WeightsError::NotFinite(name));
            }
            (Dtype::F16, halves.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        StoredAs::Bf16 => (Dtype::BF16, kernel.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect()),
    };
    Ok(vec![Tensor { name, dtype, shape, bytes }])
}
