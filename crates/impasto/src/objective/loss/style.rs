//! What a layer of the picture is compared to, by the style loss that a recipe names.

use impasto_vgg::{MomentGradients, Moments};

use super::{MeanVariance, Wasserstein, gram};
use crate::recipe::{StyleForm, StyleLoss};

/// A style's side of the style loss at one layer, made once. One for each layer; where regions have styles of their
/// own, one for each of both, each with its weight.
#[derive(Clone, Debug)]
pub enum StyleTarget {
    /// Its second moment, `[channels, channels]`.
    Gram(StyleForm, Vec<f64>),
    /// Its mean and variances.
    MeanVariance(MeanVariance),
    /// Its mean and covariance.
    Wasserstein(Box<Wasserstein>),
}

impl StyleTarget {
    /// What `loss` keeps of a style's moments; `form` is the Gram loss's.
    pub fn new(loss: StyleLoss, form: StyleForm, style: &Moments) -> StyleTarget {
        match loss {
            StyleLoss::Gram => StyleTarget::Gram(form, style.second.clone()),
            StyleLoss::MeanVariance => StyleTarget::MeanVariance(MeanVariance::new(style)),
            StyleLoss::Wasserstein => StyleTarget::Wasserstein(Box::new(Wasserstein::new(style))),
        }
    }

    /// The loss at the picture's moments; `weight` times its derivative by them is written into `gradients`.
    pub fn loss(&mut self, picture: &Moments, weight: f64, gradients: &mut MomentGradients) -> f64 {
        match self {
            StyleTarget::Gram(form, target) => gram(*form, picture, target, weight, gradients),
            StyleTarget::MeanVariance(target) => target.loss(picture, weight, gradients),
            StyleTarget::Wasserstein(target) => target.loss(picture, weight, gradients),
        }
    }
}

/// The style loss of one layer at a picture without features, but for what keeps covariances from being singular.
pub fn style_loss_of_nothing(loss: StyleLoss, form: StyleForm, style: &Moments) -> f64 {
    let channels = style.mean.len() as f64;
    let squares = || style.second.iter().map(|value| value * value).sum::<f64>();
    match (loss, form) {
        (StyleLoss::Gram, StyleForm::Paper) => squares() / (4.0 * channels.powi(2)),
        (StyleLoss::Gram, StyleForm::Mean) => squares() / channels.powi(4),
        // |m|^2 and the trace of the covariance: the mean square of the features.
        (StyleLoss::MeanVariance | StyleLoss::Wasserstein, _) => {
            style.second.iter().step_by(style.mean.len() + 1).sum::<f64>() / channels
        }
    }
}
