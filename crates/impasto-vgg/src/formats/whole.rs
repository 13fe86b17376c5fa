//! From a file to a whole network.

use std::io::Cursor;
use std::path::Path;

use crate::weights::{Weights, WeightsError};

impl Weights {
    /// Reads a weights file in any format that [`formats`](crate::formats) knows: safetensors, PyTorch `.pth`, MatConvNet `.mat`,
    /// Keras `.h5`.
    ///
    /// # Errors
    /// A file that cannot be read, is of no known format, is damaged, is not VGG-19, or holds values that are not finite.
    pub fn from_file(path: &Path) -> Result<Weights, WeightsError> {
        Weights::from_convolutions(super::read_file(path)?.convolutions)
    }

    /// As [`Weights::from_file`], from bytes in memory.
    ///
    /// # Errors
    /// As [`Weights::from_file`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Weights, WeightsError> {
        Weights::from_convolutions(super::read(&mut Cursor::new(bytes))?.convolutions)
    }
}
