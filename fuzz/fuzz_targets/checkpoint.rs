//! Any bytes as a checkpoint, their sum put right so that the reader behind it is reached: a state or a sentence.
#![no_main]

use std::path::Path;

use impasto::checkpoint::Checkpoint;
use impasto::crc32c::crc32c;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let sealed = [bytes, &crc32c(bytes).to_le_bytes()].concat();
    if let Err(error) = Checkpoint::decode(&sealed, Path::new("fuzzed")) {
        assert!(error.to_string().contains("fuzzed"));
    }
});
