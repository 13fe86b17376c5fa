//! Any bytes through the reader of images. The limit is small, so that a run is fast and memory that a file does not
//! account for is noticed (run with `-rss_limit_mb=512 -timeout=10`). A decoder's panic is caught by the reader, as it is
//! for users; what this target finds is a panic of our own code, an abort, a hang or memory.
#![no_main]

use std::path::Path;

use impasto::read::{ReadLimits, decode_picture};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for lenient in [false, true] {
        let limits = ReadLimits { megapixels: 1, lenient, keeps_transparency: lenient, ..ReadLimits::default() };
        match decode_picture(bytes, Path::new("fuzzed"), &limits) {
            Ok(read) => {
                let picture = read.picture;
                assert_eq!(picture.values.len(), 3 * picture.width * picture.height);
                assert!(picture.values.iter().all(|value| (0.0..=255.0).contains(value)));
            }
            Err(error) => assert!(error.to_string().starts_with("fuzzed")),
        }
    }
});
