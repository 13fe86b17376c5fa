//! The network's weights in memory: the embedded release as a codebook a layer, or full-precision values.
//!
//! Weights stay as they came (a byte an element for the embedded ones) until an engine asks for a layer, so a process
//! that never looks past conv5_1 never decodes what lies behind it.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, OnceLock};

use safetensors::SafeTensors;

use crate::layers::{Layer, LayerInfo};

/// Convolutions in VGG-19.
pub const CONVOLUTION_COUNT: usize = 16;

/// Entries of an embedded layer's codebook.
pub(crate) const CODEBOOK_LEN: usize = 256;

/// A weights file that cannot be used: a sentence's second half, the caller puts the file's name before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The first bytes are of no known format.
    #[error(
        "is no weights file that impasto knows: give a .safetensors, PyTorch .pth, MatConvNet .mat or Keras .h5 of VGG-19"
    )]
    Unknown,
    /// What was saved in a weights file's place, with the way out.
    #[error("is {0}")]
    Instead(&'static str),
    /// A relative of VGG-19.
    #[error(
        "is {0}, and impasto paints with VGG-19; give its weights, or leave --weights out for those inside the program"
    )]
    OtherNetwork(&'static str),
    /// A known format, but the file contradicts itself or ends early.
    #[error("is damaged: {0}; fetch or export it again")]
    Malformed(String),
    /// A known format that uses something which impasto does not read.
    #[error("uses {0}, which impasto does not read; convert it to safetensors")]
    Unsupported(String),
    /// A pickle that names something other than tensors and dictionaries.
    #[error("asks Python to run {0}, and impasto runs nothing from a file; give a plain state dict of tensors")]
    Code(String),
    /// Longer than any weights file has to be, packed or unpacked.
    #[error("is longer than 1 GiB, or unpacks to more, which no VGG-19 does")]
    TooLong,
    /// Its contents would take more memory than VGG-19's weights.
    #[error("asks for more than {limit_mib} MiB of memory, which no VGG-19 needs")]
    TooMuchMemory {
        /// What one file may take, in MiB.
        limit_mib: u64,
    },
    /// A tensor that VGG-19 needs is missing.
    #[error("has no tensor {0:?}, so it is not VGG-19")]
    Missing(String),
    /// A tensor has another shape or type than VGG-19's.
    #[error("holds {name:?} as {found}, where VGG-19 has {expected}")]
    Shape {
        /// The tensor.
        name: String,
        /// What it is.
        found: String,
        /// What it has to be.
        expected: String,
    },
    /// A value is infinite or not a number.
    #[error("holds values in {0:?} that are not finite; fetch or export it again")]
    NotFinite(String),
    /// Most of a tensor is so close to zero that it carries nothing.
    #[error("holds next to nothing in {0:?}: most values are below 1e-38; fetch or export it again")]
    Subnormal(String),
    /// The file could not be read.
    #[error("cannot be read ({0})")]
    Io(String),
}

impl WeightsError {
    pub(crate) fn malformed(reason: impl Into<String>) -> WeightsError {
        WeightsError::Malformed(reason.into())
    }

    pub(crate) fn out_of_memory() -> WeightsError {
        WeightsError::Io("this machine has no memory left for it".to_owned())
    }

    /// An error while reading: the disk's, or, where bytes ran out or did not unpack, the file's.
    pub(crate) fn from_io(error: io::Error) -> WeightsError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => WeightsError::malformed("it ends in the middle of a tensor"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                WeightsError::malformed("its compressed data do not unpack")
            }
            _ => WeightsError::Io(error.to_string()),
        }
    }
}

/// One convolution's weights.
#[derive(Clone, Debug)]
pub struct ConvolutionWeights {
    /// Output channels.
    pub outputs: usize,
    /// Input channels.
    pub inputs: usize,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    kernel: Kernel,
    rescale: Option<Rescale>,
}

/// Factors on a kernel, applied as it is decoded, so that a normalised network takes no more memory than another.
#[derive(Clone, Debug)]
struct Rescale {
    /// `[inputs]`: what each input was divided by.
    inputs: Vec<f32>,
    /// `[outputs]`: what each output is to be divided by.
    outputs: Vec<f32>,
}

#[derive(Clone, Debug)]
enum Kernel {
    /// `weight = codebook[index]`.
    Codebook { index: Cow<'static, [u8]>, codebook: Box<[f32; CODEBOOK_LEN]> },
    /// The values themselves.
    Full(Vec<f32>),
}

impl ConvolutionWeights {
    /// Weights given in full: `kernel` is `[outputs, inputs, 3, 3]`, `bias` is `[outputs]`.
    ///
    /// # Panics
    /// Where the lengths do not fit together.
    pub fn from_values(outputs: usize, inputs: usize, kernel: Vec<f32>, bias: Vec<f32>) -> ConvolutionWeights {
        assert_eq!(kernel.len(), outputs * inputs * 9, "kernel is [outputs, inputs, 3, 3]");
        assert_eq!(bias.len(), outputs, "bias is [outputs]");
        ConvolutionWeights { outputs, inputs, bias, kernel: Kernel::Full(kernel), rescale: None }
    }

    /// Weights whose kernel, `[outputs, inputs, 3, 3]`, is an index into a codebook.
    pub(crate) fn from_codebook(
        outputs: usize,
        inputs: usize,
        index: Cow<'static, [u8]>,
        codebook: [f32; CODEBOOK_LEN],
        bias: Vec<f32>,
    ) -> ConvolutionWeights {
        debug_assert_eq!((index.len(), bias.len()), (outputs * inputs * 9, outputs));
        let kernel = Kernel::Codebook { index, codebook: Box::new(codebook) };
        ConvolutionWeights { outputs, inputs, bias, kernel, rescale: None }
    }

    /// Whether all that it holds is of so many outputs and inputs.
    fn is_of(&self, outputs: usize, inputs: usize) -> bool {
        let kernel_len = match &self.kernel {
            Kernel::Codebook { index, .. } => index.len(),
            Kernel::Full(values) => values.len(),
        };
        let rescale = self.rescale.as_ref().map_or((inputs, outputs), |r| (r.inputs.len(), r.outputs.len()));
        (self.outputs, self.inputs, self.bias.len()) == (outputs, inputs, outputs)
            && kernel_len == outputs * inputs * 9
            && rescale == (inputs, outputs)
    }

    /// For people: `[64, 3, 3, 3] and a bias of 64`.
    fn shapes(&self) -> String {
        format!("[{}, {}, 3, 3] and a bias of {}", self.outputs, self.inputs, self.bias.len())
    }

    /// The kernel as an index, `[outputs, inputs, 3, 3]`, and the 256 values that it points to, where it is held so and
    /// these are its values.
    pub fn codebook(&self) -> Option<(&[u8], &[f32])> {
        match &self.kernel {
            Kernel::Codebook { index, codebook } if self.rescale.is_none() => Some((index, codebook.as_slice())),
            _ => None,
        }
    }

    /// The same convolution for inputs that were divided by `inputs` (`[inputs]`), whose outputs are divided by
    /// `outputs` (`[outputs]`). All are above 0.
    ///
    /// # Panics
    /// Where the lengths are others.
    pub fn rescaled(&self, inputs: &[f32], outputs: &[f32]) -> ConvolutionWeights {
        assert_eq!((inputs.len(), outputs.len()), (self.inputs, self.outputs), "a factor for each channel");
        let bias = self.bias.iter().zip(outputs).map(|(bias, output)| bias / output).collect();
        let product = |old: Option<&Vec<f32>>, new: &[f32]| match old {
            None => new.to_vec(),
            Some(old) => old.iter().zip(new).map(|(old, new)| old * new).collect(),
        };
        let rescale = Rescale {
            inputs: product(self.rescale.as_ref().map(|rescale| &rescale.inputs), inputs),
            outputs: product(self.rescale.as_ref().map(|rescale| &rescale.outputs), outputs),
        };
        ConvolutionWeights { bias, rescale: Some(rescale), ..self.clone() }
    }

    /// The kernel's values, `[outputs, inputs, 3, 3]`, decoded where they are kept as a codebook. Output channel o
    /// multiplies input channel i at row y - 1 + ky, column x - 1 + kx by element `[o, i, ky, kx]` (correlation, as
    /// every deep-learning library has it).
    pub fn kernel(&self) -> Cow<'_, [f32]> {
        let values = match &self.kernel {
            Kernel::Full(values) => Cow::Borrowed(values.as_slice()),
            Kernel::Codebook { index, codebook } => {
                Cow::Owned(index.iter().map(|&entry| codebook[usize::from(entry)]).collect())
            }
        };
        match &self.rescale {
            None => values,
            Some(rescale) => Cow::Owned(rescale.apply(values.into_owned())),
        }
    }
}

impl Rescale {
    /// Multiplies a kernel by its inputs' factors and divides it by its outputs'; f64 in between, rounded once.
    fn apply(&self, mut kernel: Vec<f32>) -> Vec<f32> {
        for (filter, output) in kernel.chunks_exact_mut(self.inputs.len() * 9).zip(&self.outputs) {
            for (plane, input) in filter.chunks_exact_mut(9).zip(&self.inputs) {
                let factor = f64::from(*input) / f64::from(*output);
                plane.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * factor) as f32);
            }
        }
        kernel
    }
}

/// The weights of all sixteen convolutions, each of VGG-19's shape.
#[derive(Clone, Debug)]
pub struct Weights {
    /// conv1_1 first.
    convolutions: Vec<ConvolutionWeights>,
}

impl Weights {
    /// The weights inside the binary: the original release of VGG-19, 8-bit codebook a layer.
    pub fn embedded() -> Arc<Weights> {
        static EMBEDDED: OnceLock<Arc<Weights>> = OnceLock::new();
        EMBEDDED
            .get_or_init(|| {
                let files = [
                    impasto_weights_early::SAFETENSORS,
                    impasto_weights_middle::SAFETENSORS,
                    impasto_weights_late::SAFETENSORS,
                ];
                let files = files.map(|bytes| SafeTensors::deserialize(bytes).expect(EMBEDDED_IS_WHOLE));
                let convolutions = Layer::convolutions()
                    .map(|(layer, inputs)| {
                        let bias_name = format!("{layer}.bias");
                        let file = files.iter().find(|file| file.tensor(&bias_name).is_ok()).expect(EMBEDDED_IS_WHOLE);
                        embedded_convolution(file, layer.info(), inputs)
                    })
                    .collect();
                Arc::new(Weights::from_convolutions(convolutions).expect(EMBEDDED_IS_WHOLE))
            })
            .clone()
    }

    /// Weights of convolutions, conv1_1 first.
    ///
    /// # Errors
    /// Fewer or more than sixteen, or one of another shape than VGG-19's.
    pub fn from_convolutions(convolutions: Vec<ConvolutionWeights>) -> Result<Weights, WeightsError> {
        let mut found = convolutions.iter();
        for (layer, inputs) in Layer::convolutions() {
            let convolution = found.next().ok_or_else(|| WeightsError::Missing(format!("{layer}.weight")))?;
            if !convolution.is_of(layer.channels(), inputs) {
                return Err(WeightsError::Shape {
                    name: format!("{layer}.weight"),
                    found: convolution.shapes(),
                    expected: format!("[{}, {inputs}, 3, 3] and a bias of {0}", layer.channels()),
                });
            }
        }
        match found.next() {
            None => Ok(Weights { convolutions }),
            Some(_) => Err(WeightsError::malformed("it has more convolutions than VGG-19's sixteen")),
        }
    }

    /// The convolutions, conv1_1 first.
    pub fn convolutions(&self) -> &[ConvolutionWeights] {
        &self.convolutions
    }

    /// The same network with each convolution, which comes with its place, replaced by one of its shape.
    pub(crate) fn map(&self, replace: impl FnMut((usize, &ConvolutionWeights)) -> ConvolutionWeights) -> Weights {
        Weights { convolutions: self.convolutions.iter().enumerate().map(replace).collect() }
    }
}

/// Why reading the embedded weights cannot fail.
const EMBEDDED_IS_WHOLE: &str = "the embedded weights are a part of this program";

/// One layer of the embedded files; the index stays where the binary has it.
fn embedded_convolution(file: &SafeTensors<'static>, info: &LayerInfo, inputs: usize) -> ConvolutionWeights {
    let floats = |part: &str| -> Vec<f32> {
        let view = file.tensor(&format!("{}.{part}", info.name)).expect(EMBEDDED_IS_WHOLE);
        let (quads, _) = view.data().as_chunks::<4>();
        quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect()
    };
    let codebook = floats("codebook").try_into().expect(EMBEDDED_IS_WHOLE);
    let index = file.tensor(&format!("{}.weight_index", info.name)).expect(EMBEDDED_IS_WHOLE);
    let index = Cow::Borrowed(index.data());
    ConvolutionWeights::from_codebook(info.channels, inputs, index, codebook, floats("bias"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_weights_are_all_sixteen_convolutions() {
        let weights = Weights::embedded();
        assert_eq!(weights.convolutions.len(), CONVOLUTION_COUNT);
        for ((layer, inputs), convolution) in Layer::convolutions().zip(&weights.convolutions) {
            assert_eq!((convolution.outputs, convolution.inputs), (layer.channels(), inputs), "{layer}");
            let kernel = convolution.kernel();
            assert!(kernel.iter().chain(&convolution.bias).all(|value| value.is_finite()), "{layer}");
            assert!(kernel.iter().any(|&value| value != 0.0), "{layer}");
        }
    }

    #[test]
    fn convolutions_of_another_network_are_refused() {
        let convolutions = Weights::embedded().convolutions.clone();
        let refused = |bend: &dyn Fn(&mut Vec<ConvolutionWeights>)| {
            let mut bent = convolutions.clone();
            bend(&mut bent);
            Weights::from_convolutions(bent).map(|_| ()).unwrap_err().to_string()
        };
        assert!(Weights::from_convolutions(convolutions.clone()).is_ok());
        assert!(refused(&|all| all.clear()).contains("no tensor \"conv1_1.weight\""));
        assert!(refused(&|all| drop(all.pop())).contains("no tensor \"conv5_4.weight\""));
        assert!(refused(&|all| all.push(all[15].clone())).contains("more convolutions"));
        assert!(
            refused(&|all| all.swap(0, 1)).contains("[64, 64, 3, 3] and a bias of 64, where VGG-19 has [64, 3, 3, 3]")
        );
        assert!(refused(&|all| all[4].bias.truncate(255)).contains("a bias of 255"));
        assert!(refused(&|all| all[4].inputs = 64).contains("\"conv3_1.weight\" as [256, 64, 3, 3]"));
        let other_kernel = |all: &mut Vec<ConvolutionWeights>| {
            all[0] = ConvolutionWeights { outputs: 64, inputs: 3, ..all[1].clone() };
        };
        assert!(refused(&other_kernel).contains("conv1_1.weight"));
    }

    #[test]
    fn a_file_that_is_not_vgg19_is_refused_in_words() {
        assert_eq!(Weights::from_bytes(b"not a weights file").unwrap_err(), WeightsError::Unknown);
        let early = impasto_weights_early::SAFETENSORS;
        assert_eq!(Weights::from_bytes(early).unwrap_err(), WeightsError::Missing("conv4_3.bias".to_owned()));
    }
}
