//! Headers with small untruths, which other programs read past (`docs/records/2026-11-28-images-that-users-meet.md` says who met
//! them): each gives the picture that it holds.

use std::path::Path;

use image::codecs::{bmp::BmpEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use impasto::read::{ReadError, ReadLimits, ReadPicture, decode_picture};

const RGB: [u8; 12] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120];

fn decode(bytes: &[u8]) -> Result<ReadPicture, ReadError> {
    decode_picture(bytes, Path::new("it"), &ReadLimits::default())
}

fn assert_holds(bytes: &[u8], rgb: &[u8], notes: &[&str]) {
    let read = decode(bytes).unwrap();
    assert_eq!(
        (read.picture.to_rgb8().as_slice(), read.notes),
        (rgb, notes.iter().map(|note| (*note).into()).collect())
    );
}

/// A bitmap of 2 x 2 pixels, those of [`RGB`].
fn bitmap() -> Vec<u8> {
    let mut bytes = Vec::new();
    BmpEncoder::new(&mut bytes).encode(&RGB, 2, 2, ExtendedColorType::Rgb8).unwrap();
    assert_eq!((&bytes[14..18], &bytes[26..28]), (&[40, 0, 0, 0][..], &[1, 0][..]));
    bytes
}

#[test]
fn bitmaps_of_any_number_of_planes() {
    for planes in [0u8, 3] {
        let mut bytes = bitmap();
        bytes[26] = planes;
        assert_holds(&bytes, &RGB, &[]);
    }
}

#[test]
fn bitmaps_with_the_longer_header_of_os2() {
    let mut bytes = bitmap();
    bytes[14] = 64;
    bytes[10] += 24;
    bytes.splice(54..54, [0; 24]);
    assert_holds(&bytes, &RGB, &[]);
    // With a palette, which stands behind it.
    let mut bytes = palette_of(2);
    bytes[14] = 64;
    bytes[10] += 24;
    bytes.splice(54..54, [0; 24]);
    assert_holds(&bytes, &RGB[..6], &[]);
}

/// A bitmap of two pixels of 8 bits: a header of 40 bytes that claims that many colours, 256 of them, and one row.
fn palette_of(colours: u32) -> Vec<u8> {
    let pixels_at = 14 + 40 + 4 * 256u32;
    let mut bytes = b"BM".to_vec();
    for number in [pixels_at + 4, 0, pixels_at, 40, 2, 1] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([1, 0, 8, 0]);
    for number in [0, 4, 0, 0, colours, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([30, 20, 10, 0, 60, 50, 40, 0]);
    bytes.resize(pixels_at as usize, 0);
    bytes.extend([0, 1, 0, 0]);
    bytes
}

#[test]
fn bitmaps_of_more_colours_than_there_can_be() {
    assert_holds(&palette_of(256), &RGB[..6], &[]);
    assert_holds(&palette_of(300), &RGB[..6], &[]);
}

#[test]
fn a_bitmap_that_hides_all_of_itself_does_not() {
    // Four channels under masks (V5), as Windows' clipboard has them: blue, green, red, and an alpha.
    let made = |alphas: [u8; 2]| {
        let mut bytes = b"BM".to_vec();
        for number in [14 + 124 + 8u32, 0, 14 + 124, 124, 2, 1] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([1, 0, 32, 0]);
        for number in [3, 8, 0, 0, 0, 0, 0xff_0000, 0xff00, 0xff, 0xff00_0000, 0x7352_4742u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(14 + 124, 0);
        bytes.extend([30, 20, 10, alphas[0], 60, 50, 40, alphas[1]]);
        bytes
    };
    assert_holds(&made([0, 0]), &RGB[..6], &["it: its transparency would hide all of it and was ignored"]);
    let shown = [255, 255, 255, 40, 50, 60];
    assert_holds(&made([0, 255]), &shown, &["it: its transparent parts were put on white"]);
}

#[test]
fn webps_that_announce_what_is_not_there() {
    let mut plain = Vec::new();
    WebPEncoder::new_lossless(&mut plain).write_image(&RGB, 2, 2, ExtendedColorType::Rgb8).unwrap();
    // ICC, EXIF and XMP, one or all of them.
    for flags in [0x20, 0x08, 0x04, 0x2c] {
        let extended = [&b"VP8X\x0a\0\0\0"[..], &[flags, 0, 0, 0, 1, 0, 0, 1, 0, 0]].concat();
        let body = [&b"WEBP"[..], &extended, &plain[12..]].concat();
        assert_holds(&[&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat(), &RGB, &[]);
    }
}

#[test]
fn gifs_whose_first_picture_is_larger_than_their_screen() {
    let mut bytes = Vec::new();
    {
        let colours = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120];
        let mut encoder = gif::Encoder::new(&mut bytes, 2, 2, &colours).unwrap();
        let frame = gif::Frame { width: 2, height: 2, buffer: vec![0u8, 1, 2, 3].into(), ..gif::Frame::default() };
        encoder.write_frame(&frame).unwrap();
    }
    for (width, height) in [(2, 2), (1, 2), (2, 1), (0, 0)] {
        (bytes[6], bytes[8]) = (width, height);
        assert_holds(&bytes, &RGB, &[]);
    }
}

#[test]
fn pngs_without_their_last_chunk() {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(&RGB, 2, 2, ExtendedColorType::Rgb8).unwrap();
    let (whole, end) = bytes.split_at(bytes.len() - 12);
    assert_eq!(&end[4..8], b"IEND");
    assert_holds(whole, &RGB, &[]);
    // Cut in the chunk before it, and a picture whose pixels end with a whole chunk before all rows came.
    assert!(matches!(decode(&whole[..whole.len() - 3]), Err(ReadError::Truncated { .. })));
    let mut half = Vec::new();
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut packer, &[0, 10, 20, 30, 40, 50, 60]).unwrap();
    std::io::Write::flush(&mut packer).unwrap();
    let mut chunk = |name: &[u8; 4], body: &[u8]| {
        half.extend((body.len() as u32).to_be_bytes());
        half.extend([name, body].concat());
        let mut sum = flate2::Crc::new();
        sum.update(&[name, body].concat());
        half.extend(sum.sum().to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
    chunk(b"IDAT", packer.get_ref());
    let error = decode(&[&b"\x89PNG\r\n\x1a\n"[..], &half].concat()).unwrap_err();
    assert!(matches!(error, ReadError::Truncated { .. }), "{error}");
}
