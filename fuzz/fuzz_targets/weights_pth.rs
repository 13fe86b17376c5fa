//! Any bytes as a weights file: PyTorch's zip archives.
#![no_main]

mod weights;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weights::read(bytes, &[(0, b"PK\x03\x04")]));
