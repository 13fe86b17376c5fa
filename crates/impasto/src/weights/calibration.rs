//! The mean activations of a network over a folder of images: what the paper's normalised network is divided by.
//!
//! Images are read one at a time, in the order of their names, and none is kept.

use std::path::{Path, PathBuf};

use impasto_vgg::{Calibration, Engine, MeanActivations, NormaliseError, Pooling};

use crate::image_file::read::{ReadError, ReadLimits, read_picture};
use crate::picture::PictureError;

/// Why a folder of images gave no mean activations.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The folder cannot be listed.
    #[error("{} cannot be listed ({reason}); give a folder of photographs", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// An image of it cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An image cannot be brought to size.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The network cannot be run, or there is no image.
    #[error(transparent)]
    Normalise(#[from] NormaliseError),
}

/// Every file of a folder, in the order of the names; hidden ones are left out.
///
/// # Errors
/// [`CalibrationError::Folder`].
pub fn images_of(folder: &Path) -> Result<Vec<PathBuf>, CalibrationError> {
    let failed =
        |error: std::io::Error| CalibrationError::Folder { folder: folder.to_owned(), reason: error.to_string() };
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !is_hidden {
            images.push(path);
        }
    }
    images.sort();
    Ok(images)
}

/// The mean activations over these images, larger ones brought down to `long_edge` pixels, with average pooling as the
/// paper has it. `each` is told of every image before it is read.
///
/// # Errors
/// [`CalibrationError`].
pub fn mean_activations(
    engine: &dyn Engine,
    images: &[PathBuf],
    long_edge: usize,
    each: &mut dyn FnMut(&Path),
) -> Result<MeanActivations, CalibrationError> {
    let mut calibration = Calibration::new(Pooling::Average);
    for path in images {
        each(path);
        let picture = read_picture(path, &ReadLimits::default())?.picture;
        let picture = if picture.long_edge() > long_edge { picture.resized_to_long_edge(long_edge)? } else { picture };
        calibration.add(engine, &picture.values, picture.height, picture.width)?;
    }
    Ok(calibration.finish()?)
}
