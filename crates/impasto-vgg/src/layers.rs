//! VGG-19 as data: the names, channels and places of its layers.
//!
//! ```text
//! image -> conv1_1 conv1_2 pool1 -> conv2_1 conv2_2 pool2 -> conv3_1 .. conv3_4 pool3
//!       -> conv4_1 .. conv4_4 pool4 -> conv5_1 .. conv5_4 pool5
//! ```
//!
//! Each convolution is 3x3, stride 1, zero padding 1, and is followed by a ReLU; a layer's *feature map* is taken after
//! its ReLU. Each pooling is 2x2 with stride 2; an odd last row or column is pooled over what is in bounds.
//! (Simonyan and Zisserman, "Very Deep Convolutional Networks", 2014, table 1, column E.)

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The mean that VGG-19 was trained to have subtracted from its input, red, green, blue, in units of 0..255.
pub const MEAN_RGB: [f32; 3] = [123.68, 116.779, 103.939];

/// The number of layers that can be addressed: 16 convolutions and 5 poolings.
pub const LAYER_COUNT: usize = 21;

/// What a layer does to the map before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerKind {
    /// 3x3 convolution and ReLU; `index` counts convolutions from 0 (conv1_1) to 15 (conv5_4).
    Convolution {
        /// Place among the convolutions, 0..16.
        index: usize,
        /// Channels of the map that goes in.
        inputs: usize,
    },
    /// 2x2 pooling, stride 2.
    Pooling,
}

/// One row of the table of layers.
#[derive(Clone, Copy, Debug)]
pub struct LayerInfo {
    /// The name that users type: `conv4_2`, `pool3`.
    pub name: &'static str,
    /// Channels of the map that comes out.
    pub channels: usize,
    /// What the layer does.
    pub kind: LayerKind,
    /// How many poolings halve the picture up to and including this layer.
    pub halvings: u32,
    /// Side, in pixels of the picture, of the square that one position of this layer can see.
    pub receptive_field: usize,
}

const fn convolution(
    name: &'static str,
    index: usize,
    inputs: usize,
    channels: usize,
    halvings: u32,
    receptive_field: usize,
) -> LayerInfo {
    LayerInfo { name, channels, kind: LayerKind::Convolution { index, inputs }, halvings, receptive_field }
}

const fn pooling(name: &'static str, channels: usize, halvings: u32, receptive_field: usize) -> LayerInfo {
    LayerInfo { name, channels, kind: LayerKind::Pooling, halvings, receptive_field }
}

/// The network, first layer first.
pub static LAYERS: [LayerInfo; LAYER_COUNT] = [
    convolution("conv1_1", 0, 3, 64, 0, 3),
    convolution("conv1_2", 1, 64, 64, 0, 5),
    pooling("pool1", 64, 1, 6),
    convolution("conv2_1", 2, 64, 128, 1, 10),
    convolution("conv2_2", 3, 128, 128, 1, 14),
    pooling("pool2", 128, 2, 16),
    convolution("conv3_1", 4, 128, 256, 2, 24),
    convolution("conv3_2", 5, 256, 256, 2, 32),
    convolution("conv3_3", 6, 256, 256, 2, 40),
    convolution("conv3_4", 7, 256, 256, 2, 48),
    pooling("pool3", 256, 3, 52),
    convolution("conv4_1", 8, 256, 512, 3, 68),
    convolution("conv4_2", 9, 512, 512, 3, 84),
    convolution("conv4_3", 10, 512, 512, 3, 100),
    convolution("conv4_4", 11, 512, 512, 3, 116),
    pooling("pool4", 512, 4, 124),
    convolution("conv5_1", 12, 512, 512, 4, 156),
    convolution("conv5_2", 13, 512, 512, 4, 188),
    convolution("conv5_3", 14, 512, 512, 4, 220),
    convolution("conv5_4", 15, 512, 512, 4, 252),
    pooling("pool5", 512, 5, 268),
];

/// A layer of VGG-19, by its place in [`LAYERS`]; ordered from the picture inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Layer(u8);

/// `, but conv4_2`, for whoever writes relu4_2, block4_conv2 or Conv4-2: the digits tell a layer in every program's names.
fn meant(name: &str) -> String {
    let digits: Vec<char> = name.chars().filter(char::is_ascii_digit).collect();
    let wanted = match digits.as_slice() {
        [block, place] => format!("conv{block}_{place}"),
        [block] if name.to_lowercase().contains("pool") => format!("pool{block}"),
        _ => return String::new(),
    };
    let known = LAYERS.iter().any(|layer| layer.name == wanted && layer.name != name);
    if known { format!(", but {wanted}") } else { String::new() }
}

/// A layer name that VGG-19 does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no layer \"{name}\"{}: VGG-19 has conv1_1, conv1_2, conv2_1, conv2_2, conv3_1 to conv3_4, conv4_1 to conv4_4, conv5_1 to conv5_4 and pool1 to pool5",
    meant(name)
)]
pub struct UnknownLayer {
    /// What was asked for.
    pub name: String,
}

impl Layer {
    /// The layer at place `index` of [`LAYERS`], if there is one.
    pub fn from_index(index: usize) -> Option<Layer> {
        (index < LAYER_COUNT).then_some(Layer(index as u8))
    }

    /// The layer that is called `name`.
    ///
    /// ```
    /// use impasto_vgg::Layer;
    /// assert_eq!(Layer::named("conv4_2").unwrap().channels(), 512);
    /// assert!(Layer::named("conv4_9").is_err());
    /// ```
    ///
    /// # Errors
    /// A name that no layer has.
    pub fn named(name: &str) -> Result<Layer, UnknownLayer> {
        LAYERS
            .iter()
            .position(|layer| layer.name == name)
            .and_then(Layer::from_index)
            .ok_or_else(|| UnknownLayer { name: name.chars().take(40).collect() })
    }

    /// All layers, from the picture inwards.
    pub fn all() -> impl DoubleEndedIterator<Item = Layer> + ExactSizeIterator {
        (0..LAYER_COUNT).map(|index| Layer(index as u8))
    }

    /// The convolutions, from the picture inwards, with the channels that go into each.
    pub fn convolutions() -> impl Iterator<Item = (Layer, usize)> {
        Layer::all().filter_map(|layer| match layer.info().kind {
            LayerKind::Convolution { inputs, .. } => Some((layer, inputs)),
            LayerKind::Pooling => None,
        })
    }

    /// Place in [`LAYERS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The row of the table.
    pub fn info(self) -> &'static LayerInfo {
        &LAYERS[self.index()]
    }

    /// The name that users type.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Channels of this layer's feature map.
    pub fn channels(self) -> usize {
        self.info().channels
    }

    /// Whether a pooling comes next in the network.
    pub fn pools_after(self) -> bool {
        Layer::from_index(self.index() + 1).is_some_and(|next| next.info().kind == LayerKind::Pooling)
    }

    /// `(height, width)` of this layer's map for a picture of that height and width: each pooling halves, rounding up.
    pub fn map_size(self, height: usize, width: usize) -> (usize, usize) {
        let halvings = self.info().halvings;
        (halve(height, halvings), halve(width, halvings))
    }
}

/// `length` halved `times` times, rounding up each time.
fn halve(length: usize, times: u32) -> usize {
    (0..times).fold(length, |length, _| length.div_ceil(2))
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Layer {
    type Err = UnknownLayer;

    fn from_str(name: &str) -> Result<Layer, UnknownLayer> {
        Layer::named(name)
    }
}

impl TryFrom<String> for Layer {
    type Error = UnknownLayer;

    fn try_from(name: String) -> Result<Layer, UnknownLayer> {
        Layer::named(&name)
    }
}

impl From<Layer> for String {
    fn from(layer: Layer) -> String {
        layer.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_by_another_program_s_name_is_told() {
        let said = |name: &str| Layer::named(name).unwrap_err().to_string();
        for name in ["relu4_2", "Conv4_2", "block4_conv2", "conv4-2", "r42"] {
            assert!(said(name).starts_with(&format!("there is no layer \"{name}\", but conv4_2: ")), "{}", said(name));
        }
        assert!(said("block3_pool").contains(", but pool3: "));
        for name in ["conv9_9", "fc6", "", "relu", "conv4_2_1"] {
            assert!(said(name).starts_with(&format!("there is no layer \"{name}\": ")), "{}", said(name));
        }
    }

    #[test]
    fn table_is_a_chain_with_the_receptive_fields_that_follow_from_it() {
        let (mut channels, mut field, mut stride, mut halvings, mut convolutions) = (3, 1, 1, 0, 0);
        for layer in Layer::all() {
            let info = layer.info();
            match info.kind {
                LayerKind::Convolution { index, inputs } => {
                    assert_eq!((index, inputs), (convolutions, channels), "{layer}");
                    convolutions += 1;
                    field += 2 * stride;
                }
                LayerKind::Pooling => {
                    assert_eq!(info.channels, channels, "{layer}");
                    field += stride;
                    stride *= 2;
                    halvings += 1;
                }
            }
            channels = info.channels;
            assert_eq!((info.receptive_field, info.halvings), (field, halvings), "{layer}");
        }
        assert_eq!(convolutions, 16);
    }

    #[test]
    fn odd_sizes_round_up() {
        assert_eq!(Layer::named("pool5").unwrap().map_size(75, 101), (3, 4));
        assert_eq!(Layer::named("conv4_2").unwrap().map_size(1, 1), (1, 1));
    }

    #[test]
    fn names_go_out_and_come_back() {
        for layer in Layer::all() {
            assert_eq!(layer.name().parse::<Layer>(), Ok(layer));
        }
    }
}
