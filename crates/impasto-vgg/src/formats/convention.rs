//! What the first layer was trained to see, and how a file's weights become ours.
//!
//! impasto's network sees x - M: RGB, 0..255, M = (123.68, 116.779, 103.939). Other files expect other inputs:
//!
//! ```text
//! Keras, Caffe   the same in the order blue, green, red      -> the first layer's input channels change places
//! MatConvNet     x - A, A in the file                        -> bias += sum w (M - A), where A is not M
//! torchvision    (x / 255 - m) / s, m and s of ImageNet      -> u = a (x - M) + d, a = 1 / (255 s),
//!                                                               d = (M - 255 m) / (255 s): w' = w a, bias += sum w d
//! ```
//!
//! Inside the picture the folded layer is the same function. At the picture's border both pad with zeros, which stand for
//! the colour 255 m there and M here: half a level of 255 apart at most.
//!
//! A file's names do not say everything: torchvision's names also carry the original release (converted from Caffe, so
//! blue first), and MatConvNet's first import stored its kernels transposed. The release itself settles the question:
//! where a file's first layer is the embedded one but for the order of its axes, that order is taken, and the input is
//! the release's. So it is under impasto's own names too, which the authors' file of the release (conv1_1.weight, blue first) has.
//! The paper's normalisation gives each filter a factor of its own, which is not looked at.

use serde::{Deserialize, Serialize};

use super::{Convolution, WeightsError, transpose};
use crate::layers::MEAN_RGB;
use crate::weights::Weights;

/// Mean of ImageNet's pixels in 0..1, red first, as torchvision subtracts it.
const TORCHVISION_MEAN: [f64; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of ImageNet's pixels in 0..1, red first, as torchvision divides by it.
const TORCHVISION_DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];

/// Means this close (in levels of 255) are the same one, rounded.
const SAME_MEAN: f64 = 0.01;

/// Relative squared distance up to which a first layer is the release's. (Its codebook form is 1e-5 from it, a network
/// trained anew about 2.)
const SAME_LAYER: f64 = 0.01;

/// What a file's first layer is documented to see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// What impasto's network sees.
    Ours,
    /// RGB in 0..255 minus a mean of the file's own; where the release's first layer shows that the file has blue first,
    /// so does the mean.
    MinusMean([f64; 3]),
    /// RGB in 0..1, minus torchvision's mean, divided by its deviation.
    Torchvision,
    /// BGR in 0..255 minus our mean.
    BlueFirst,
}

/// The order of the channels that a first layer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// An order of a kernel's axes that differs from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    blue_first: bool,
    transposed: bool,
}

/// Turns convolutions that see `input` into ones that see what ours see; returns what was done, a sentence each. An order of
/// channels that was `said` is taken, whatever the file shows.
pub fn adopt(
    convolutions: &mut [Convolution],
    input: Input,
    said: Option<ChannelOrder>,
) -> Result<Vec<String>, WeightsError> {
    let mut notes = Vec::new();
    let documented = Order { blue_first: input == Input::BlueFirst, transposed: false };
    let Some(first) = convolutions.first_mut().filter(|first| first.inputs == 3) else {
        return Ok(notes);
    };
    // Under torchvision's names the size of the weights says which input they are for.
    let recognised = recognise(first, documented, input != Input::Torchvision);
    let shown = recognised.unwrap_or(documented);
    let order = Order { blue_first: said.map_or(shown.blue_first, |said| said == ChannelOrder::Bgr), ..shown };
    if order.blue_first {
        swap_red_and_blue(&mut first.kernel);
    }
    notes.extend(order_note(order.blue_first, shown.blue_first, recognised.is_some(), said));
    match input {
        // A mean of the file's own stands in the order of its channels.
        Input::MinusMean([blue, green, red]) if order.blue_first => notes.extend(fold_mean(first, [red, green, blue])?),
        Input::MinusMean(mean) => notes.extend(fold_mean(first, mean)?),
        Input::Torchvision if recognised.is_none() => {
            fold_torchvision(first);
            notes.push(
                "its first layer takes torchvision's normalised input; that was folded into conv1_1, so the picture's \
                 border differs by half a level of 255"
                    .to_owned(),
            );
        }
        Input::Torchvision => notes.push("it is the original release under torchvision's names".to_owned()),
        Input::Ours | Input::BlueFirst => {}
    }
    if order.transposed {
        convolutions.iter_mut().for_each(|convolution| transpose(&mut convolution.kernel));
        notes.push("its kernels are the release's with rows and columns exchanged; they were put right".to_owned());
    }
    Ok(notes)
}

/// What is to be said of the order that was taken, beside the one that the file shows.
fn order_note(taken: bool, shown: bool, is_certain: bool, said: Option<ChannelOrder>) -> Option<String> {
    let word = |blue_first: bool| if blue_first { "blue" } else { "red" };
    let done = if taken { "; its input channels were reversed" } else { "" };
    let (takes, by) = (word(taken), "as --weights-input says");
    match said {
        None => taken.then(|| format!("its first layer takes {takes} first{done}")),
        Some(_) if is_certain && taken != shown => Some(format!(
            "its first layer is the original release's and takes {} first, but {takes} first is taken, {by}{done}; leave \
             that out unless it is meant",
            word(shown)
        )),
        Some(_) => Some(format!("its first layer takes {takes} first, {by}{done}")),
    }
}

/// The order in which `first` is the release's first layer, if it is in any; `documented` where that one is. Where it
/// `may_be_scaled`, each filter may have a positive factor of its own.
fn recognise(first: &Convolution, documented: Order, may_be_scaled: bool) -> Option<Order> {
    let release = Weights::embedded();
    let kernel = release.convolutions().first()?.kernel();
    if kernel.len() != first.kernel.len() {
        return None;
    }
    let other = |blue_first, transposed| Order { blue_first, transposed };
    [documented, other(false, false), other(true, false), other(false, true), other(true, true)].into_iter().find(
        |order| {
            let mut candidate = first.kernel.clone();
            if order.blue_first {
                swap_red_and_blue(&mut candidate);
            }
            if order.transposed {
                transpose(&mut candidate);
            }
            let (mut distance, mut norm) = (0.0, 0.0);
            for (found, release) in candidate.chunks_exact(27).zip(kernel.chunks_exact(27)) {
                let product = |a: &[f32], b: &[f32]| -> f64 { pairs(a, b).map(|(a, b)| a * b).sum() };
                let own = product(release, release);
                // The factor of this filter; a filter that does not answer has none.
                let factor = if may_be_scaled { (product(found, release) / own).max(0.0) } else { 1.0 };
                if own > 0.0 && factor > 0.0 {
                    distance += pairs(found, release).map(|(a, b)| (a / factor - b).powi(2)).sum::<f64>();
                } else {
                    distance += own;
                }
                norm += own;
            }
            distance <= SAME_LAYER * norm
        },
    )
}

/// Values of two filters side by side.
fn pairs<'filter>(a: &'filter [f32], b: &'filter [f32]) -> impl Iterator<Item = (f64, f64)> + 'filter {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)))
}

/// Exchanges input channels 0 and 2 of a `[outputs, 3, 3, 3]` kernel.
fn swap_red_and_blue(kernel: &mut [f32]) {
    for filter in kernel.chunks_exact_mut(27) {
        let (red, rest) = filter.split_at_mut(9);
        let (_, blue) = rest.split_at_mut(9);
        red.swap_with_slice(blue);
    }
}

fn fold_mean(first: &mut Convolution, mean: [f64; 3]) -> Result<Option<String>, WeightsError> {
    if mean.iter().any(|value| !(0.0..=255.0).contains(value)) {
        return Err(WeightsError::malformed("its mean colour is not one: each channel lies between 0 and 255"));
    }
    let shift = pairwise(MEAN_RGB.map(f64::from), mean, |ours, theirs| ours - theirs);
    if shift.iter().all(|difference| difference.abs() < SAME_MEAN) {
        return Ok(None);
    }
    fold(first, [1.0; 3], shift);
    let [red, green, blue] = mean;
    Ok(Some(format!(
        "it subtracts the mean ({red:.3}, {green:.3}, {blue:.3}); the difference to ours was folded into conv1_1's bias"
    )))
}

fn fold_torchvision(first: &mut Convolution) {
    let scale = TORCHVISION_DEVIATION.map(|deviation| 1.0 / (255.0 * deviation));
    let distance = pairwise(MEAN_RGB.map(f64::from), TORCHVISION_MEAN, |ours, theirs| ours - 255.0 * theirs);
    fold(first, scale, pairwise(distance, scale, |distance, scale| distance * scale));
}

fn pairwise(left: [f64; 3], right: [f64; 3], combine: impl Fn(f64, f64) -> f64) -> [f64; 3] {
    let ([a, b, c], [d, e, f]) = (left, right);
    [combine(a, d), combine(b, e), combine(c, f)]
}

/// Makes a layer that sees `scale (x - M) + shift`, a channel each, into one that sees x - M.
fn fold(first: &mut Convolution, scale: [f64; 3], shift: [f64; 3]) {
    for (filter, bias) in first.kernel.chunks_exact_mut(27).zip(&mut first.bias) {
        let mut sum = f64::from(*bias);
        for ((channel, scale), shift) in filter.chunks_exact_mut(9).zip(scale).zip(shift) {
            for weight in channel {
                sum += f64::from(*weight) * shift;
                *weight = super::element::narrow(f64::from(*weight) * scale);
            }
        }
        *bias = super::element::narrow(sum);
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    /// The release's first layer, its input channels reversed if `blue_first`, with its own bias.
    fn release(blue_first: bool) -> Convolution {
        let weights = Weights::embedded();
        let first = weights.convolutions().first().expect("sixteen of them");
        let mut kernel = first.kernel().into_owned();
        if blue_first {
            swap_red_and_blue(&mut kernel);
        }
        Convolution { inputs: 3, outputs: 64, kernel, bias: first.bias.clone() }
    }

    /// What a first layer answers to a flat colour, far from the border.
    fn answers(layer: &Convolution, seen: [f64; 3]) -> Vec<f64> {
        let filters = layer.kernel.chunks_exact(27).zip(&layer.bias);
        let products = |filter: &[f32]| -> f64 {
            filter
                .chunks_exact(9)
                .zip(seen)
                .map(|(taps, value)| value * taps.iter().copied().map(f64::from).sum::<f64>())
                .sum()
        };
        filters.map(|(filter, bias)| f64::from(*bias) + products(filter)).collect()
    }

    #[test]
    fn a_mean_stands_in_the_order_of_the_files_channels() {
        // Far from ours in every channel, and in each by another amount.
        let mean = [100.0, 120.0, 140.0];
        let colour = [200.0, 30.0, 90.0];
        let expected = answers(&release(false), pairwise(colour, mean, |value, mean| value - mean));
        for blue_first in [false, true] {
            let [red, green, blue] = mean;
            let in_file = if blue_first { [blue, green, red] } else { mean };
            let mut found = [release(blue_first)];
            let notes = adopt(&mut found, Input::MinusMean(in_file), None).expect("a colour");
            let ours = pairwise(colour, MEAN_RGB.map(f64::from), |value, mean| value - mean);
            let answers = found.first().map(|layer| answers(layer, ours)).unwrap_or_default();
            for (answer, expected) in answers.iter().zip(&expected) {
                // Biases are rounded once to f32, of sums of some hundreds.
                assert!((answer - expected).abs() < 1e-3, "blue first: {blue_first}, {answer} and {expected}");
            }
            assert_eq!(answers.len(), 64);
            assert!(notes.iter().any(|note| note.contains("(100.000, 120.000, 140.000)")), "{notes:?}");
        }
    }

    #[test]
    fn the_release_with_blue_first_is_known_under_our_own_names_and_normalised_too() {
        for factor in [1.0, 0.3] {
            let scaled = |blue_first: bool| {
                let mut layer = release(blue_first);
                // Another factor for each filter, as a normalisation gives.
                let mut own = factor;
                for filter in layer.kernel.chunks_exact_mut(27) {
                    filter.iter_mut().for_each(|weight| *weight *= own);
                    own *= if factor == 1.0 { 1.0 } else { 1.05 };
                }
                layer
            };
            for blue_first in [false, true] {
                let mut found = [scaled(blue_first)];
                let notes = adopt(&mut found, Input::Ours, None).expect("a layer");
                assert_eq!(
                    found.first().map(|layer| &layer.kernel),
                    Some(&scaled(false).kernel),
                    "{factor} {blue_first}"
                );
                assert_eq!(notes.len(), usize::from(blue_first), "{notes:?}");
            }
        }
        // A network trained anew is taken as its names say.
        let mut other = release(true);
        let mut value = 0.0_f32;
        for weight in &mut other.kernel {
            value = (value + 0.37) % 1.0;
            *weight = value - 0.5;
        }
        let mut found = [other.clone()];
        assert_eq!(adopt(&mut found, Input::Ours, None).expect("a layer"), Vec::<String>::new());
        assert_eq!(found.first().map(|layer| &layer.kernel), Some(&other.kernel));
    }

    #[test]
    fn an_order_that_is_said_is_taken_and_said_again() {
        let mut anew = release(false);
        // No filter of the release: each tap is another's.
        anew.kernel.reverse();
        let mut reversed = anew.clone();
        swap_red_and_blue(&mut reversed.kernel);
        let adopted = |layer: &Convolution, input: Input, said: ChannelOrder| {
            let mut found = [layer.clone()];
            let notes = adopt(&mut found, input, Some(said)).expect("a layer");
            let [found] = found;
            (found.kernel, notes.join("; "))
        };
        for input in [Input::Ours, Input::BlueFirst] {
            let (kernel, said) = adopted(&anew, input, ChannelOrder::Rgb);
            assert!(
                kernel == anew.kernel && said == "its first layer takes red first, as --weights-input says",
                "{said}"
            );
            let (kernel, said) = adopted(&anew, input, ChannelOrder::Bgr);
            assert!(kernel == reversed.kernel && said.contains("blue first, as --weights-input says; its"), "{said}");
        }
        // torchvision's folding is of red, green, blue: it comes after the channels have changed places.
        let (folded, _) = adopted(&anew, Input::Torchvision, ChannelOrder::Rgb);
        let (folded_reversed, _) = adopted(&reversed, Input::Torchvision, ChannelOrder::Bgr);
        assert_eq!(folded, folded_reversed);
        // The release is known, and what is known is said where it is overruled.
        for (blue_first, said, certain) in
            [(true, ChannelOrder::Bgr, false), (true, ChannelOrder::Rgb, true), (false, ChannelOrder::Bgr, true)]
        {
            let (kernel, told) = adopted(&release(blue_first), Input::Ours, said);
            let mut expected = release(blue_first).kernel;
            if said == ChannelOrder::Bgr {
                swap_red_and_blue(&mut expected);
            }
            assert!(kernel == expected, "{blue_first} {said:?}");
            assert_eq!(told.contains("is the original release's and takes"), certain, "{told}");
        }
    }
}
