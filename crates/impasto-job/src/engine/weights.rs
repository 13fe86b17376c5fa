//! The network's weights, by the name that a recipe has for them.

use std::path::PathBuf;
use std::sync::Arc;

use impasto::fetch::{RELEASES, cached_path, release};
use impasto_vgg::Weights;
use impasto_vgg::formats::{ChannelOrder, read_file_as};

use crate::failure::Failure;

/// The file that weights come from, where they are not inside the program: a fetched release's by its name.
pub fn weights_file(name: &str) -> Option<PathBuf> {
    match name {
        "embedded" | "normalised" => None,
        _ => Some(release(name).and_then(cached_path).unwrap_or_else(|| PathBuf::from(name))),
    }
}

/// The weights that a recipe names, `embedded`, `normalised`, a fetched release or a file, with what a person should know about
/// them. The first layer of a file sees its channels in the order of `input`, where one is given.
///
/// # Errors
/// A file that cannot be read or does not hold VGG-19.
pub fn load_weights(name: &str, input: Option<ChannelOrder>) -> Result<(Arc<Weights>, Vec<String>), Failure> {
    let Some(path) = weights_file(name) else {
        let weights = if name == "normalised" { Weights::normalised() } else { Weights::embedded() };
        let idle =
            format!("the order of channels of the weights {name} is known; --weights-input is for files, and is left");
        return Ok((weights, input.map(|_| idle).into_iter().collect()));
    };
    if release(name).is_some() && !path.exists() {
        return Err(Failure::failed(format_args!(
            "the weights {name} are not on this machine yet; run `impasto weights fetch {name}`, or leave --weights out for the embedded ones"
        )));
    }
    let is_a_name = !name.contains(['.', '/', '\\']);
    if is_a_name && !path.exists() {
        let releases = RELEASES.map(|release| release.name).join(", ");
        return Err(Failure::failed(format_args!(
            "there are no weights \"{name}\", by name or as a file; name embedded, normalised, {releases} or a file (`impasto weights list`)"
        )));
    }
    let file = read_file_as(&path, input).map_err(|error| Failure::file(&path, error))?;
    let notes = file.notes.iter().map(|note| format!("{name}: {note}")).collect();
    let weights = Weights::from_convolutions(file.convolutions).map_err(|error| Failure::file(&path, error))?;
    Ok((Arc::new(weights), notes))
}
