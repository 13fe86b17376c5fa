//! What the tests of engines share: golden files, the paper's losses, relative errors.
//! Each test binary uses a part of this, those of other engines' crates by its path.
#![allow(dead_code, reason = "no test binary uses all of it")]

pub mod conformance;
pub mod errors;
pub mod golden;
pub mod golden_regions;
pub mod guides;
pub mod matching;
pub mod paper;
pub mod random;
pub mod subjects;

/// max |ours - reference| / max |reference|.
pub fn relative_max(ours: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(ours.len(), reference.len());
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |largest: f64, value| largest.max(value));
    let difference = largest(&mut ours.iter().zip(reference).map(|(a, b)| (a - b).abs()));
    assert!(ours.iter().all(|value| value.is_finite()), "not finite");
    let scale = largest(&mut reference.iter().map(|value| value.abs()));
    if difference == 0.0 { 0.0 } else { difference / scale }
}

/// |ours - reference| / |reference|, by the Euclidean norm.
pub fn relative_l2(ours: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(ours.len(), reference.len());
    assert!(ours.iter().all(|value| value.is_finite()), "not finite");
    let difference: f64 = ours.iter().zip(reference).map(|(a, b)| (a - b) * (a - b)).sum();
    let scale: f64 = reference.iter().map(|value| value * value).sum();
    if difference == 0.0 { 0.0 } else { (difference / scale).sqrt() }
}

/// f32 values as f64.
pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
