//! The name of a picture that was given none: made of its images' names.

use std::path::{Path, PathBuf};

use impasto::disk::free_name;

use super::ResolvedOrder;
use super::held::NAMELESS;

impl ResolvedOrder {
    /// `photo-painting.png` in the current folder, of the photo's and the paintings' names, and with a number where there is a
    /// file of that name; `None` where a thousand are.
    #[must_use]
    pub fn picture_name(&self) -> Option<PathBuf> {
        free_name(Path::new(""), &self.picture_stem(), "png")
    }

    /// `photo-painting`, of the photo's and the paintings' names.
    #[must_use]
    pub fn picture_stem(&self) -> String {
        let images = std::iter::once(&self.content).chain(&self.styles);
        images.map(|image| stem(&self.held.name(image))).collect::<Vec<_>>().join("-")
    }
}

/// The name of a file without its extension.
fn stem(name: &str) -> String {
    if name == NAMELESS {
        return "piped".to_owned();
    }
    Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
