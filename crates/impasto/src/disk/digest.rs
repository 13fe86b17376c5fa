//! SHA-256 (FIPS 180-4): what names a file's bytes, wherever they lie.

use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::disk::{DiskError, open_file};

/// Values that are summed at once.
const PIECE_VALUES: usize = 1 << 14;

/// The SHA-256 of `bytes`, in lower-case hexadecimal digits.
///
/// ```
/// // FIPS 180-2, appendix B.1.
/// assert!(impasto::digest::sha256(b"abc").starts_with("ba7816bf8f01cfea414140de5dae2223"));
/// ```
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// The SHA-256 of a file, read piece by piece.
///
/// # Errors
/// [`DiskError`] where it is missing, not a file, or cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String, DiskError> {
    let (mut file, _) = open_file(path)?;
    let (mut sum, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hexadecimal(&sum.finalize())),
            Ok(count) => sum.update(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DiskError::Unreadable { path: path.to_owned(), source: error }),
        }
    }
}

/// The SHA-256 of the bytes of these values, lowest byte first.
#[must_use]
pub fn sha256_of_values(values: &[f32]) -> String {
    let (mut sum, mut piece) = (Sha256::new(), Vec::with_capacity(PIECE_VALUES * size_of::<f32>()));
    for values in values.chunks(PIECE_VALUES) {
        piece.clear();
        piece.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        sum.update(&piece);
    }
    hexadecimal(&sum.finalize())
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_sum_of_their_bytes() {
        let values: Vec<f32> = (0..PIECE_VALUES + 3).map(|place| place as f32 / 7.0).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(sha256_of_values(&values), sha256(&bytes));
        assert_eq!(sha256_of_values(&[]), sha256(b""));
    }
}
