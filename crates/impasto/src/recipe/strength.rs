//! Strength: the dial of artists, as factors of the style loss.

/// What a strength of 1 is counted by at another, from 0 to 2: equal steps are equal factors. By them the distance to the
/// photo at a layer that no loss uses grows by equal steps (docs/records/2026-11-28-strength.md, "One dial").
pub fn strength_factor(strength: f64) -> f64 {
    // From libm, so that the bits are the same everywhere.
    libm::pow(16.0, strength - 1.0)
}

/// Three digits: people read them, and engines that differ in the last of many have one recipe.
pub fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
