//! A picture that could not be written where it was asked for is written somewhere else, so that no hours of work are lost.

use std::path::{Path, PathBuf};

use super::write::{Carried, OutputFormat, WriteOptions, encode_carrying};
use crate::disk::{Disk, write_new_file};
use crate::picture::Picture;

/// Writes a picture beside the place where it could not be written, or else in the folder for temporary files, as a PNG of
/// a new name with all that it carries. Gives its place; `None` where there is none for it.
#[must_use]
pub fn rescue_picture(
    disk: &dyn Disk,
    path: &Path,
    picture: &Picture,
    options: WriteOptions,
    carried: &Carried<'_>,
) -> Option<PathBuf> {
    let bytes = encode_carrying(picture, OutputFormat::Png, options, carried).ok()?;
    let stem = format!("{}-rescued", path.file_stem().unwrap_or_default().to_string_lossy());
    let folders = [path.parent().map(Path::to_owned).unwrap_or_default(), std::env::temp_dir()];
    folders.iter().find_map(|folder| write_new_file(disk, folder, &stem, "png", &bytes).ok())
}
