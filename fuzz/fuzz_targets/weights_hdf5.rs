//! Any bytes as a weights file: HDF5.
#![no_main]

mod weights;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weights::read(bytes, &[(0, b"\x89HDF\r\n\x1a\n")]));
