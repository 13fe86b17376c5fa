//! The paper's normalised VGG: each filter rescaled so that its mean activation over images and positions is 1.
//!
//! With m(l, i) the mean activation of filter i of convolution l (after its ReLU), over all positions of all images,
//!
//! ```text
//! w'(l, i, j) = w(l, i, j) m(l - 1, j) / m(l, i)        b'(l, i) = b(l, i) / m(l, i)        m(0, j) = 1
//! ```
//!
//! Then every activation is the old one divided by its filter's mean, at every position of every picture: a ReLU and a
//! pooling pass a positive factor on, and the next layer takes it back on its inputs. (Gatys, Ecker and Bethge, CVPR
//! 2016, section 2: "Such re-scaling can be done for the VGG network without changing its output".)
//!
//! A filter that never fires on the images has no such scale. It is *dead*: it keeps its weights, and is named.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::engine::{Border, Engine, Moments, Pooling, Precision, SessionRequest};
use crate::error::EngineError;
use crate::guides::Guides;
use crate::layers::Layer;
use crate::weights::{CONVOLUTION_COUNT, Weights, WeightsError};

/// Filters whose mean activation is below this share of their layer's mean are dead.
pub const DEAD_SHARE: f64 = 1e-6;

/// The longest file of mean activations. It bounds what reading one takes: its table of contents cannot be longer.
const FILE_LIMIT_BYTES: usize = 1 << 20;

/// The scales that come with the embedded weights; `examples/calibrate.rs` of the crate impasto made them and says how.
static BUILT_IN: &[u8] = include_bytes!("../data/vgg19-mean-activations.safetensors");

/// Why scales could not be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NormaliseError {
    /// The engine could not run the network on an image.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No image was given.
    #[error("no image was given to normalise by; name a folder with photographs")]
    NoImages,
    /// An activation is infinite or not a number.
    #[error("the activations of {0} are not finite on these images; normalise other weights or other images")]
    NotFinite(Layer),
}

/// The convolutions, in order.
pub fn convolution_layers() -> impl Iterator<Item = Layer> {
    Layer::convolutions().map(|(layer, _)| layer)
}

/// A filter, for people: `conv4_3 filter 17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its layer.
    pub layer: Layer,
    /// Its place among the layer's output channels, from 0.
    pub channel: usize,
}

impl std::fmt::Display for Filter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} filter {}", self.layer, self.channel)
    }
}

/// Mean activations on the way: images go in one by one and are not kept.
#[derive(Clone, Debug)]
pub struct Calibration {
    pooling: Pooling,
    /// Sums of activations over positions, `[outputs]` for each convolution.
    sums: Vec<Vec<f64>>,
    /// Positions that were summed over, for each convolution.
    positions: Vec<u64>,
}

impl Calibration {
    /// No image yet. The activations depend on the `pooling` that the network will be used with.
    pub fn new(pooling: Pooling) -> Calibration {
        let sums = convolution_layers().map(|layer| vec![0.0; layer.channels()]).collect();
        Calibration { pooling, sums, positions: vec![0; CONVOLUTION_COUNT] }
    }

    /// Adds an image, `[3, height, width]`, RGB in units of 0..255. Every position counts the same, so a larger image
    /// counts more. Images in another order may end in another last bit.
    ///
    /// # Errors
    /// An image without pixels, or more memory than there is.
    pub fn add(
        &mut self,
        engine: &dyn Engine,
        image: &[f32],
        height: usize,
        width: usize,
    ) -> Result<(), NormaliseError> {
        let request = SessionRequest {
            height,
            width,
            pooling: self.pooling,
            border: Border::Zero,
            precision: Precision::F32,
            style_taps: convolution_layers().collect(),
            content_taps: Vec::new(),
            matched_taps: Vec::new(),
            guides: Guides::default(),
            way_back: false,
            memory_limit_bytes: None,
        };
        let observation = engine.session(&request)?.forward(image)?;
        for (place, Moments { layer, positions, mean, .. }) in observation.moments.iter().enumerate() {
            if mean.iter().any(|value| !value.is_finite()) {
                return Err(NormaliseError::NotFinite(*layer));
            }
            self.positions[place] += positions;
            for (sum, mean) in self.sums[place].iter_mut().zip(mean) {
                *sum += mean * *positions as f64;
            }
        }
        Ok(())
    }

    /// The mean activations.
    ///
    /// # Errors
    /// No image was added.
    pub fn finish(&self) -> Result<MeanActivations, NormaliseError> {
        if self.positions[0] == 0 {
            return Err(NormaliseError::NoImages);
        }
        let mean = |(sums, positions): (&Vec<f64>, &u64)| {
            sums.iter().map(|sum| (sum / *positions as f64) as f32).collect::<Vec<f32>>()
        };
        Ok(MeanActivations { means: self.sums.iter().zip(&self.positions).map(mean).collect() })
    }
}

/// The mean activation of every filter over a set of images: what a network is normalised by.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanActivations {
    /// `[outputs]` for each convolution, conv1_1 first; 0 or more.
    means: Vec<Vec<f32>>,
}

impl MeanActivations {
    /// The mean activations of the embedded weights with average pooling over the photographs that
    /// `docs/weights.md` lists.
    pub fn built_in() -> &'static MeanActivations {
        static MEANS: OnceLock<MeanActivations> = OnceLock::new();
        MEANS
            .get_or_init(|| MeanActivations::from_safetensors(BUILT_IN).expect("the scales are a part of this program"))
    }

    /// The means of one convolution, `[outputs]`.
    ///
    /// # Panics
    /// From convolution 16 on.
    pub fn of(&self, convolution: usize) -> &[f32] {
        &self.means[convolution]
    }

    /// What each activation of one convolution is divided by: its mean, or 1 for dead filters.
    ///
    /// # Panics
    /// From convolution 16 on.
    pub fn scales(&self, convolution: usize) -> Vec<f32> {
        let means = &self.means[convolution];
        let limit = dead_limit(means);
        means.iter().map(|&mean| if is_dead(mean, limit) { 1.0 } else { mean }).collect()
    }

    /// Filters that did not fire on the images, and keep their weights.
    pub fn dead_filters(&self) -> Vec<Filter> {
        let of_layer = |(layer, means): (Layer, &Vec<f32>)| {
            let limit = dead_limit(means);
            let dead = means.iter().enumerate().filter(|&(_, &mean)| is_dead(mean, limit));
            dead.map(|(channel, _)| Filter { layer, channel }).collect::<Vec<_>>()
        };
        convolution_layers().zip(&self.means).flat_map(of_layer).collect()
    }

    /// The bytes of a safetensors file with a tensor `NAME.mean_activation`, f32 `[outputs]`, for each convolution.
    pub fn to_safetensors(&self, about: &str) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> =
            self.means.iter().map(|means| means.iter().flat_map(|mean| mean.to_le_bytes()).collect()).collect();
        let views = convolution_layers().zip(&bytes).map(|(layer, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![layer.channels()], bytes).expect("a mean for each channel");
            (tensor_name(layer), view)
        });
        let about = HashMap::from([("about".to_owned(), about.to_owned())]);
        safetensors::serialize(views, Some(about)).expect("names are distinct")
    }

    /// Reads what [`MeanActivations::to_safetensors`] wrote.
    ///
    /// # Errors
    /// Another file or one of more than 1 MiB, other shapes, a mean that is negative or not finite.
    pub fn from_safetensors(bytes: &[u8]) -> Result<MeanActivations, WeightsError> {
        if bytes.len() > FILE_LIMIT_BYTES {
            return Err(WeightsError::malformed("it is longer than 1 MiB, and mean activations take some 20 KiB"));
        }
        let file = SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Malformed(error.to_string()))?;
        let mut means = Vec::new();
        for layer in convolution_layers() {
            let name = tensor_name(layer);
            let view = file.tensor(&name).map_err(|_| WeightsError::Missing(name.clone()))?;
            if view.dtype() != Dtype::F32 || view.shape() != [layer.channels()] {
                return Err(WeightsError::Shape {
                    name,
                    found: format!("{:?} {:?}", view.dtype(), view.shape()),
                    expected: format!("F32 [{}]", layer.channels()),
                });
            }
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|&quad| f32::from_le_bytes(quad)).collect();
            if values.iter().any(|value| !value.is_finite() || *value < 0.0) {
                return Err(WeightsError::NotFinite(name));
            }
            means.push(values);
        }
        Ok(MeanActivations { means })
    }
}

fn tensor_name(layer: Layer) -> String {
    format!("{}.mean_activation", layer.name())
}

/// Below this a filter of a layer with these means is dead.
fn dead_limit(means: &[f32]) -> f64 {
    DEAD_SHARE * means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / means.len() as f64
}

/// A limit of 0 means that the whole layer is dead.
fn is_dead(mean: f32, limit: f64) -> bool {
    f64::from(mean) <= limit
}

impl Weights {
    /// The same network with every activation divided by its filter's mean: see [`crate::normalise`].
    pub fn normalised_by(&self, means: &MeanActivations) -> Weights {
        let mut inputs = vec![1.0; 3];
        let rescale = |(place, convolution): (usize, &crate::weights::ConvolutionWeights)| {
            let outputs = means.scales(place);
            let rescaled = convolution.rescaled(&inputs, &outputs);
            inputs = outputs;
            rescaled
        };
        self.map(rescale)
    }

    /// The embedded weights, normalised by [`MeanActivations::built_in`]: what the paper's preset uses.
    pub fn normalised() -> Arc<Weights> {
        static NORMALISED: OnceLock<Arc<Weights>> = OnceLock::new();
        NORMALISED.get_or_init(|| Arc::new(Weights::embedded().normalised_by(MeanActivations::built_in()))).clone()
    }
}
