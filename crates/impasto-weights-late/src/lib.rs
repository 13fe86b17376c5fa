//! The weights of VGG-19's convolutions conv5_2 to conv5_4, as one safetensors file.
//!
//! A package in the registry may weigh 10 MB at most, so impasto's weights are three data crates; this is one of them.
//! The weights are the original release of K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for
//! Large-Scale Image Recognition" (Visual Geometry Group, University of Oxford), under CC BY 4.0, each layer
//! quantised to a codebook of 256 values: `weight[o, i, y, x] = codebook[weight_index[o, i, y, x]]`.
#![forbid(unsafe_code)]

/// The file: for each layer `NAME.weight_index` (u8, `[out, in, 3, 3]`), `NAME.codebook` (f32, `[256]`) and
/// `NAME.bias` (f32, `[out]`); input in RGB order, 0..255 minus the mean (123.68, 116.779, 103.939).
pub static SAFETENSORS: &[u8] = include_bytes!("../data/vgg19-late.safetensors");
