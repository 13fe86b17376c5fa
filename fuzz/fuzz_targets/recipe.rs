//! Any bytes as a picture that may carry a recipe: the recipe's text comes out within its limit, or a sentence.
#![no_main]

use std::path::Path;

use impasto::read::decode_recipe;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match decode_recipe(bytes, Path::new("fuzzed")) {
        Ok(text) => assert!(text.len() <= 1 << 20),
        Err(error) => assert!(error.to_string().contains("fuzzed")),
    }
});
