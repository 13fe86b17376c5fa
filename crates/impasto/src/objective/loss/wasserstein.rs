//! The Wasserstein loss: how far features have to move to have the style's mean and covariance.
//!
//! With any L such that S = L L^T, here a triangle made once a style, and L^T C L = U diag (v) U^T:
//!
//! ```text
//!   tr (S^1/2 C S^1/2)^1/2 = sum v^1/2        T = Y Y^T, Y = L U diag (v^-1/4)
//! ```
//!
//! since both matrices have the eigenvalues of S C, and T is the one positive matrix with T C T = S. The smallest of v is at
//! least the ridge squared; what rounding makes smaller is taken for that, so that nothing is divided by 0.
//!
//! All of it is f64: v spans the product of what C and S span, up to 1e13, where f32 has no digit left.

use std::mem::MaybeUninit;

use faer::diag::Diag;
use faer::dyn_stack::MemStack;
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, Par};
use impasto_vgg::{MomentGradients, Moments};

use super::covariance::{are_finite, no_numbers, ridge, to_moments, variances};

/// One thread a layer: layers stand side by side, and sums keep their order.
const PAR: Par = Par::Seq;

/// A style's mean and covariance at a layer, and the memory that the loss needs.
#[derive(Clone, Debug)]
pub struct Wasserstein {
    /// `[channels]`.
    mean: Vec<f64>,
    /// L, a lower triangle with L L^T = S, the style's covariance with its ridge.
    root: Mat<f64>,
    /// Trace of the style's covariance without its ridge.
    trace: f64,
    ridge: f64,
    eigen: Eigen,
    /// C, then L^T C L.
    inner: Mat<f64>,
    /// C L, then Y.
    product: Mat<f64>,
}

impl Wasserstein {
    /// What is kept of a style's moments. Moments that are no numbers give a loss that is none.
    pub fn new(style: &Moments) -> Wasserstein {
        let channels = style.mean.len();
        let trace: f64 = variances(style).sum();
        let ridge = ridge(style);
        let mut eigen = Eigen::new(channels);
        let mut inner = Mat::zeros(channels, channels);
        covariance(style, ridge, &mut inner);
        // An eigenvalue below the ridge is rounding's. By orthogonal steps alone, so that none is lost on the way.
        let mut root = Mat::full(channels, channels, f64::NAN);
        if are_finite(style) && eigen.decompose(&inner) {
            for (column, &value) in eigen.values.column_vector().iter().enumerate() {
                let scale = value.max(ridge).sqrt();
                for row in 0..channels {
                    inner[(column, row)] = scale * eigen.vectors[(row, column)];
                }
            }
            root = inner.qr().thin_R().transpose().to_owned();
        }
        let product = Mat::zeros(channels, channels);
        Wasserstein { mean: style.mean.clone(), root, trace, ridge, eigen, inner, product }
    }

    /// Bytes that one takes at a layer of so many channels.
    pub fn bytes(channels: usize) -> u64 {
        // Four matrices: L, two for products, eigenvectors.
        (4 * channels * channels * size_of::<f64>() + Eigen::scratch_bytes(channels)) as u64
    }

    /// The loss at the picture's moments; `weight` times its derivative by them is written into `gradients`.
    ///
    /// Moments that are no numbers give none.
    pub fn loss(&mut self, picture: &Moments, weight: f64, gradients: &mut MomentGradients) -> f64 {
        let channels = self.mean.len();
        let trace: f64 = variances(picture).sum();
        covariance(picture, self.ridge, &mut self.inner);
        if !are_finite(picture) || !self.root[(0, 0)].is_finite() {
            return no_numbers(channels, gradients);
        }
        use BlockStructure::{Rectangular, TriangularLower, TriangularUpper};
        let (root, lower) = (&self.root, TriangularLower);
        matmul(&mut self.product, Rectangular, Accum::Replace, &self.inner, Rectangular, root, lower, 1.0, PAR);
        let transposed = root.transpose();
        let (inner, product) = (&mut self.inner, &self.product);
        matmul(&mut *inner, lower, Accum::Replace, transposed, TriangularUpper, product, Rectangular, 1.0, PAR);
        if !self.eigen.decompose(inner) {
            return no_numbers(channels, gradients);
        }
        let least = self.ridge * self.ridge;
        let mut of_roots = 0.0;
        for (column, &value) in self.eigen.values.column_vector().iter().enumerate() {
            let value = value.max(least);
            of_roots += value.sqrt();
            // Where the style varies in nothing, T is 0.
            let scale = if value > 0.0 { 1.0 / value.sqrt().sqrt() } else { 0.0 };
            self.eigen.vectors.col_mut(column).iter_mut().for_each(|value| *value *= scale);
        }
        let vectors = &self.eigen.vectors;
        matmul(&mut self.product, Rectangular, Accum::Replace, root, lower, vectors, Rectangular, 1.0, PAR);
        let (product, transposed) = (&self.product, self.product.transpose());
        matmul(&mut *inner, lower, Accum::Replace, product, Rectangular, transposed, Rectangular, 1.0, PAR);

        write_slopes(inner, &mut gradients.second);
        to_moments(picture, &self.mean, weight, gradients);
        let of_means: f64 = picture.mean.iter().zip(&self.mean).map(|(mean, style)| (mean - style).powi(2)).sum();
        let of_ridges = 2.0 * channels as f64 * self.ridge;
        let of_covariances = trace + self.trace + of_ridges - 2.0 * of_roots;
        // Rounding may take what is 0 below it; not by `max`, which loses what is no number.
        let of_covariances = if of_covariances < 0.0 { 0.0 } else { of_covariances };
        (of_means + of_covariances) / channels as f64
    }
}

/// Eigenvalues and eigenvectors of symmetric matrices of one size.
#[derive(Clone, Debug)]
struct Eigen {
    /// Ascending.
    values: Diag<f64>,
    /// One a column.
    vectors: Mat<f64>,
    memory: Vec<MaybeUninit<u8>>,
}

impl Eigen {
    fn new(size: usize) -> Eigen {
        Eigen {
            values: Diag::zeros(size),
            vectors: Mat::zeros(size, size),
            memory: vec![MaybeUninit::uninit(); Eigen::scratch_bytes(size)],
        }
    }

    fn scratch_bytes(size: usize) -> usize {
        let need = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, PAR, Default::default());
        need.unaligned_bytes_required()
    }

    /// Decomposes a matrix of which the lower triangle is read; whether that came to an end.
    fn decompose(&mut self, matrix: &Mat<f64>) -> bool {
        let (values, vectors) = (self.values.as_mut(), self.vectors.as_mut());
        let memory = MemStack::new(&mut self.memory);
        self_adjoint_evd(matrix.as_ref(), values, Some(vectors), PAR, memory, Default::default()).is_ok()
    }
}

/// Writes a covariance with its ridge.
fn covariance(moments: &Moments, ridge: f64, covariance: &mut Mat<f64>) {
    let channels = moments.mean.len();
    for (column, (seconds, &mean)) in moments.second.chunks_exact(channels).zip(&moments.mean).enumerate() {
        let values = covariance.col_as_slice_mut(column);
        for ((value, second), other) in values.iter_mut().zip(seconds).zip(&moments.mean) {
            *value = second - mean * other;
        }
        values[column] += ridge;
    }
}

/// Writes (I - T) / N, whole, from T's lower triangle.
fn write_slopes(map: &Mat<f64>, slopes: &mut Vec<f64>) {
    let channels = map.nrows();
    let share = 1.0 / channels as f64;
    slopes.resize(channels * channels, 0.0);
    for column in 0..channels {
        let values = map.col_as_slice(column);
        slopes[column * (channels + 1)] = share * (1.0 - values[column]);
        for (row, value) in values.iter().enumerate().skip(column + 1) {
            let slope = -share * value;
            slopes[column * channels + row] = slope;
            slopes[row * channels + column] = slope;
        }
    }
}
