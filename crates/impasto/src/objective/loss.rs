//! Each loss and its gradient, derived by hand, from what crosses the engine's boundary.
//!
//! With F (N channels, M positions) the picture's features at a layer, P the content image's, g = F F^T / M the
//! picture's Gram matrix a position, a the style's, D = sum (F - P)^2:
//!
//! ```text
//!   content, paper   1/2 D                     d/dD = 1/2
//!   content, position 1/(2 M) D                d/dD = 1 / (2 M)
//!   content, mean    D / (N M)                 d/dD = 1 / (N M)
//!   Gram, paper      1/(4 N^2) sum (g - a)^2   d/dg = (g - a) / (2 N^2)
//!   Gram, mean       1/N^4 sum (g - a)^2       d/dg = 2 (g - a) / N^4
//! ```
//!
//! The paper's style loss (eq. 4) is 1/(4 N^2 M^2) sum (G - A)^2 with G = M g: the same as above where both images have
//! M positions, and still sensible where they do not.
//!
//! Two style losses know the mean m of the features too, and so their covariance. With m_s and S the style's,
//! C = g - m m^T + e I, S likewise with the same e = 1e-4 / N times the trace of S before it, sd the square roots of
//! a covariance's diagonal:
//!
//! ```text
//!   mean, variance   [ |m - m_s|^2 + |sd - sd_s|^2 ] / N                             H = diag (1 - sd_s / sd) / N
//!   Wasserstein      [ |m - m_s|^2 + tr C + tr S - 2 tr (S^1/2 C S^1/2)^1/2 ] / N    H = (I - T) / N
//!                    T = S^1/2 (S^1/2 C S^1/2)^-1/2 S^1/2
//!   both             d/dg = H,  d/dm = 2 (m - m_s) / N - 2 H m
//! ```
//!
//! The Wasserstein loss is the squared distance of two normal distributions of these means and covariances, a channel
//! (Dowson and Landau, 1982): the least mean square that features have to move by to have the style's mean and
//! covariance. T is the linear map that moves them so, and the gradient at a position 2 / N times what is left to move. The
//! other is the same where only the diagonals are known (the statistics of AdaIN: Huang and Belongie, 2017).
//!
//! Three losses look at the pixels alone, x the picture's `[3, height, width]` values: total variation, over all pairs of
//! horizontal and vertical neighbours or the slanted ones too; the range penalty, over all values beyond 0..255; and the temporal loss,
//! of the distance to a picture that x is held to.

mod content;
mod covariance;
mod gram;
mod mean_variance;
mod nine_point;
mod range;
mod style;
mod temporal;
mod total_variation;
mod wasserstein;

pub use content::content;
pub use covariance::RIDGE;
pub use gram::gram;
pub use mean_variance::MeanVariance;
pub use range::range;
pub use style::{StyleTarget, style_loss_of_nothing};
pub use temporal::temporal;
pub use total_variation::{Joins, total_variation};
pub use wasserstein::Wasserstein;
