//! Weights other than the embedded ones: fetched ([`fetch`](mod@fetch)), and normalised as the paper does ([`calibration`]).

pub mod calibration;
pub mod fetch;
