//! Image files made in memory, for the tests of reading.

use std::io::Cursor;

use image::codecs::{bmp::BmpEncoder, gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use tiff::encoder::{TiffEncoder, colortype};

/// Pixels `[height, width, 3]` with structure that no compression swallows.
pub fn pixels(width: u32, height: u32) -> Vec<u8> {
    let mut state = width * 977 + height;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 27) as u8
    };
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            out.extend([(x * 8) as u8 ^ noise(), (y * 8) as u8 ^ noise(), ((x + y) * 4) as u8 ^ noise()]);
        }
    }
    out
}

/// The same picture in every format that is read, by the file name's extension.
pub fn in_every_format(width: u32, height: u32) -> Vec<(&'static str, Vec<u8>)> {
    let rgb = pixels(width, height);
    let write = |encode: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        encode(&mut bytes);
        bytes
    };
    let kind = ExtendedColorType::Rgb8;
    let mut tiff = Cursor::new(Vec::new());
    TiffEncoder::new(&mut tiff)
        .unwrap()
        .with_compression(tiff::encoder::Compression::Lzw)
        .write_image::<colortype::RGB8>(width, height, &rgb)
        .unwrap();
    vec![
        ("png", write(&|bytes| PngEncoder::new(bytes).write_image(&rgb, width, height, kind).unwrap())),
        ("jpg", write(&|bytes| JpegEncoder::new_with_quality(bytes, 95).encode(&rgb, width, height, kind).unwrap())),
        ("webp", write(&|bytes| WebPEncoder::new_lossless(bytes).encode(&rgb, width, height, kind).unwrap())),
        ("bmp", write(&|bytes| BmpEncoder::new(bytes).encode(&rgb, width, height, kind).unwrap())),
        ("gif", write(&|bytes| GifEncoder::new(bytes).encode(&rgb, width, height, kind).unwrap())),
        ("tif", tiff.into_inner()),
    ]
}
