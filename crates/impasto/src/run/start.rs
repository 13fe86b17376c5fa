//! The picture that the optimiser starts from.
//!
//! Noise comes from ChaCha8 (Bernstein's stream cipher, as a generator of numbers), keyed by the seed alone, and its
//! transcendental functions from libm: one seed gives the same bytes on any machine, and other seeds give others.
//! Numbers are drawn in the order of the picture's values, `[3, height, width]`.

use impasto_vgg::MEAN_RGB;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::objective::wrap::Wrap;
use crate::picture::{Picture, PictureError};
use crate::recipe::resolve::ResolvedRecipe;
use crate::recipe::{BlendForm, Start};

/// Half the width of the blend's uniform noise, in units of 0..255.
const BLEND_NOISE: f64 = 20.0;

/// Pixels that the filter which enlarges pictures sees on either side, at least.
const FILTER_PX: usize = 8;

/// What a start may be made of.
#[derive(Clone, Copy, Debug)]
pub struct StartImages<'a> {
    /// The content image at the size of the start.
    pub content: &'a Picture,
    /// The first style image, of any size, where there is one.
    pub style: Option<&'a Picture>,
    /// The picture that [`Start::File`] names, of any size.
    pub file: Option<&'a Picture>,
}

/// What a coarse scale has painted, as the start of a finer one, `content` being the content image at the finer size.
///
/// A run that starts from the content image starts from its fine structure too, at every scale: what the enlarged
/// picture lacks of it is added. So the finer scale need not draw again what it was given.
///
/// # Errors
/// Where there is no memory for that many pixels.
pub fn carried_up(recipe: &ResolvedRecipe, painted: &Picture, content: &Picture) -> Result<Picture, PictureError> {
    let (width, height) = (content.width, content.height);
    let mut picture = enlarged(recipe, painted, width, height)?;
    if recipe.init == Start::Content {
        let coarse_content = content.resized(painted.width, painted.height)?.resized(width, height)?;
        let fine = content.values.iter().zip(&coarse_content.values).map(|(value, coarse)| value - coarse);
        picture.values.iter_mut().zip(fine).for_each(|(value, fine)| *value += fine);
    }
    Ok(picture)
}

/// A painted picture at a larger size; where sides join, what lies across them is looked at too.
fn enlarged(recipe: &ResolvedRecipe, painted: &Picture, width: usize, height: usize) -> Result<Picture, PictureError> {
    let margin = |joins: bool, from: usize, to: usize| if joins { joint_margin(from, to) } else { (0, 0) };
    let (margin_x, larger_x) = margin(recipe.seamless.joins_x(), painted.width, width);
    let (margin_y, larger_y) = margin(recipe.seamless.joins_y(), painted.height, height);
    if (margin_x, margin_y) == (0, 0) {
        return painted.resized(width, height);
    }
    let wrap = Wrap { width: painted.width, height: painted.height, margin_x, margin_y };
    let seen = Picture::new(wrap.seen_width(), wrap.seen_height(), wrap.extended(&painted.values))?;
    let seen = seen.resized(width + 2 * larger_x, height + 2 * larger_y)?;
    let larger = Wrap { width, height, margin_x: larger_x, margin_y: larger_y };
    Picture::new(width, height, larger.inside(&seen.values))
}

/// Pixels on each side of a length that the filter sees across a joint, and what they become with the rest: whole numbers both.
fn joint_margin(from: usize, to: usize) -> (usize, usize) {
    let (mut divisor, mut rest) = (from, to);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let unit = from / divisor;
    let margin = FILTER_PX.div_ceil(unit) * unit;
    (margin, margin / unit * (to / divisor))
}

/// The start that `recipe` names, at the size of `images.content`. `None` where the image that it needs is missing.
///
/// # Errors
/// Where there is no memory for that many pixels.
pub fn start_picture(recipe: &ResolvedRecipe, images: StartImages<'_>) -> Result<Option<Picture>, PictureError> {
    let content = images.content;
    let (width, height) = (content.width, content.height);
    let picture = match recipe.init {
        Start::Content => content.clone(),
        Start::Style => match images.style {
            Some(style) => style.cropped_to_fit(width, height)?,
            None => return Ok(None),
        },
        Start::File(_) => match images.file {
            Some(file) => file.cropped_to_fit(width, height)?,
            None => return Ok(None),
        },
        Start::Noise => {
            let mut noise = Noise::new(recipe.seed);
            drawn(content, |mean, _| mean + recipe.noise_deviation * noise.gaussian())
        }
        Start::Blend => {
            let mut noise = Noise::new(recipe.seed);
            let share = recipe.noise_ratio;
            drawn(content, |mean, content| {
                let centred = match recipe.blend_form {
                    BlendForm::Centred => content - mean,
                    BlendForm::Brightened => content,
                };
                mean + share * noise.uniform(BLEND_NOISE) + (1.0 - share) * centred
            })
        }
    };
    Ok(Some(picture))
}

/// A picture of the content's size, each value drawn from the channel's mean and the content's value.
fn drawn(content: &Picture, mut draw: impl FnMut(f64, f64) -> f64) -> Picture {
    let mut picture = content.clone();
    for (plane, mean) in picture.values.chunks_exact_mut(content.width * content.height).zip(MEAN_RGB) {
        for value in plane {
            *value = draw(f64::from(mean), f64::from(*value)) as f32;
        }
    }
    picture
}

/// Random numbers from a seed.
struct Noise {
    generator: ChaCha8Rng,
    /// The second of the pair that Box and Muller's method draws.
    spare: Option<f64>,
}

impl Noise {
    fn new(seed: u64) -> Noise {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Noise { generator: ChaCha8Rng::from_seed(key), spare: None }
    }

    /// Uniform in [0, 1): 53 random bits.
    fn unit(&mut self) -> f64 {
        (self.generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in [-half_width, half_width).
    fn uniform(&mut self, half_width: f64) -> f64 {
        half_width * (2.0 * self.unit() - 1.0)
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller, 1958).
    fn gaussian(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 - u lies in (0, 1], so that its logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        let angle = 2.0 * std::f64::consts::PI * self.unit();
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}
