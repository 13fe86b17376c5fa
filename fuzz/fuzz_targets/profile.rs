//! Any bytes as the colour profile and as the EXIF block of a sound little picture: the formats' own checksums and
//! compression would keep a fuzzer of whole files away from them.
#![no_main]

use std::path::Path;

use impasto::read::{ReadLimits, decode_picture};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, block)) = bytes.split_first() else { return };
    // In a WebP both lie bare in chunks of their own, behind flags that announce them.
    let (name, flag) = if kind & 1 == 0 { (b"ICCP", 0x20) } else { (b"EXIF", 0x08) };
    // One pixel, as our own encoder writes it.
    let picture = [0x2f, 0, 0, 0, 0, 0xcd, 0x55, 0x20, 0x22, 0x02, 0x45, 0xae, 0x50, 0x25, 0x23, 0x01];
    let extended = [flag, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let chunks = if flag == 0x20 {
        [chunk(b"VP8X", &extended), chunk(name, block), chunk(b"VP8L", &picture)].concat()
    } else {
        [chunk(b"VP8X", &extended), chunk(b"VP8L", &picture), chunk(name, block)].concat()
    };
    let file = [&b"RIFF"[..], &(chunks.len() as u32 + 4).to_le_bytes(), b"WEBP", &chunks].concat();
    // Whatever the block is, it is beside the picture: that must be read.
    let read = decode_picture(&file, Path::new("fuzzed"), &ReadLimits::default()).unwrap();
    assert_eq!((read.picture.width, read.picture.height), (1, 1));
    assert!(read.picture.values.iter().all(|value| (0.0..=255.0).contains(value)));
});

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let padding = if body.len().is_multiple_of(2) { &[][..] } else { &[0] };
    [&name[..], &(body.len() as u32).to_le_bytes(), body, padding].concat()
}
