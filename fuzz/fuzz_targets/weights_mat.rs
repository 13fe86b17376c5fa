//! Any bytes as a weights file: MATLAB.
#![no_main]

mod weights;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weights::read(bytes, &[(124, b"\0\x01IM")]));
