//! The content loss: how far a layer's features are from the content image's.

use impasto_vgg::Distance;

use crate::recipe::ContentForm;

/// The content loss of one layer, and its derivative by the layer's sum of squares.
///
/// ```
/// # use impasto::{loss::content, recipe::ContentForm};
/// # use impasto_vgg::{Distance, Layer};
/// let distance = Distance { layer: Layer::named("conv4_2").unwrap(), elements: 8, sum_of_squares: 4.0 };
/// assert_eq!(content(ContentForm::Paper, &distance), (2.0, 0.5));
/// assert_eq!(content(ContentForm::Mean, &distance), (0.5, 0.125));
/// let distance = Distance { elements: 512 * 8, ..distance };
/// assert_eq!(content(ContentForm::Position, &distance), (0.25, 0.0625));
/// ```
pub fn content(form: ContentForm, distance: &Distance) -> (f64, f64) {
    let factor = match form {
        ContentForm::Paper => 0.5,
        ContentForm::Position => 0.5 * distance.layer.channels() as f64 / distance.elements as f64,
        ContentForm::Mean => 1.0 / distance.elements as f64,
    };
    (factor * distance.sum_of_squares, factor)
}
