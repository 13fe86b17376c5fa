//! SHA-256 (FIPS 180-4): what names a file's bytes, wherever they lie.

use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::disk::{DiskError, open_file};

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

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
