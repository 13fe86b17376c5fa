//! The known name that a wrong one was probably meant to be.

/// Names less alike than this are not taken for each other (Jaro and Winkler's measure, from 0 to 1).
const LEAST_ALIKE: f64 = 0.7;

/// The known name that is most like `typed`, where one is like it. Capitals, and minus signs for underscores, do not count.
///
/// ```
/// use impasto::recipe::nearest;
/// assert_eq!(nearest("Style-Wieght", ["style_weight", "style_scale"]), Some("style_weight"));
/// assert_eq!(nearest("glitter", ["style_weight", "seed"]), None);
/// ```
pub fn nearest<'name>(typed: &str, known: impl IntoIterator<Item = &'name str>) -> Option<&'name str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    // What comes from a file may be as long as it likes; no name is.
    let typed: String = plain(typed).chars().take(80).collect();
    let alike = known.into_iter().map(|name| (strsim::jaro_winkler(&typed, &plain(name)), name));
    let best = alike.fold(None, |best: Option<(f64, &str)>, (alike, name)| match best {
        Some((most, _)) if most >= alike => best,
        _ => Some((alike, name)),
    });
    best.filter(|(alike, _)| *alike >= LEAST_ALIKE).map(|(_, name)| name)
}
