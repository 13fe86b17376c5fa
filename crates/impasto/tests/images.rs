//! Reading images: every kind of samples, orientation, colour profiles.

mod image_files;

use std::io::Cursor;
use std::path::Path;

use image::codecs::{bmp::BmpEncoder, jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use image_files::{in_every_format, pixels};
use impasto::picture::Picture;
use impasto::read::{ReadLimits, ReadPicture, decode_picture};
use moxcms::ColorProfile;
use tiff::encoder::{TiffEncoder, colortype};
use tiff::tags::Tag;

fn decode(bytes: &[u8]) -> ReadPicture {
    decode_picture(bytes, Path::new("test"), &ReadLimits::default()).unwrap()
}

/// Decodes what needs no remark.
fn decode_plain(bytes: &[u8]) -> Picture {
    let read = decode(bytes);
    assert_eq!(read.notes, Vec::<String>::new());
    read.picture
}

fn worst_difference(picture: &Picture, expected: &Picture) -> f32 {
    assert_eq!((picture.width, picture.height), (expected.width, expected.height));
    let pairs = picture.values.iter().zip(&expected.values);
    pairs.map(|(value, expected)| (value - expected).abs()).fold(0.0, f32::max)
}

fn png_of(samples: &[u8], width: u32, height: u32, colour: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    png_with(samples, width, height, colour, depth, |_| {})
}

fn png_with(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: png::ColorType,
    depth: png::BitDepth,
    configure: impl FnOnce(&mut png::Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    configure(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    bytes
}

fn tiff_of<C: colortype::ColorType>(width: u32, height: u32, samples: &[C::Inner], tags: &[(Tag, &[u16])]) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
    let mut image = encoder.new_image::<C>(width, height).unwrap();
    for (tag, values) in tags {
        image.encoder().write_tag(*tag, *values).unwrap();
    }
    image.write_data(samples).unwrap();
    bytes.into_inner()
}

#[test]
fn one_picture_in_every_format() {
    let expected = Picture::from_rgb8(37, 23, &pixels(37, 23)).unwrap();
    for (extension, bytes) in in_every_format(37, 23) {
        let read = decode(&bytes);
        let tolerance = match extension {
            // Lossy; a palette of 256 colours.
            "jpg" => 40.0,
            "gif" => 60.0,
            _ => 0.0,
        };
        let worst = worst_difference(&read.picture, &expected);
        assert!(worst <= tolerance, "{extension}: {worst}");
        assert!(read.notes.is_empty(), "{extension}: {:?}", read.notes);
    }
}

#[test]
fn png_samples_of_every_kind() {
    use png::{BitDepth, ColorType};
    // One bit: 1 0 1; two bits: 0 1 2 3; four bits: 0 5 15.
    let grey = |bytes: Vec<u8>| decode_plain(&bytes).plane(1).to_vec();
    assert_eq!(grey(png_of(&[0b1010_0000], 3, 1, ColorType::Grayscale, BitDepth::One)), [255.0, 0.0, 255.0]);
    assert_eq!(grey(png_of(&[0b0001_1011], 4, 1, ColorType::Grayscale, BitDepth::Two)), [0.0, 85.0, 170.0, 255.0]);
    assert_eq!(grey(png_of(&[0x05, 0xf0], 3, 1, ColorType::Grayscale, BitDepth::Four)), [0.0, 85.0, 255.0]);
    assert_eq!(grey(png_of(&[7, 200], 2, 1, ColorType::Grayscale, BitDepth::Eight)), [7.0, 200.0]);
    // Sixteen bits: 0x0180 = 384 lies between 1 and 2 of 255: 384 / 257.
    let deep = grey(png_of(&[0x01, 0x80, 0xff, 0xff], 2, 1, ColorType::Grayscale, BitDepth::Sixteen));
    assert!((deep[0] - 384.0 / 257.0).abs() < 1e-6 && deep[1] == 255.0, "{deep:?}");
    // A palette of three colours, two bits an index: 2 0 1.
    let palette = png_with(&[0b1000_0100], 3, 1, ColorType::Indexed, BitDepth::Two, |encoder| {
        encoder.set_palette(vec![10, 20, 30, 40, 50, 60, 70, 80, 90]);
    });
    let expected = Picture::from_rgb8(3, 1, &[70, 80, 90, 10, 20, 30, 40, 50, 60]).unwrap();
    assert_eq!(decode_plain(&palette), expected);
}

#[test]
fn transparency_is_put_on_white_and_said() {
    use png::{BitDepth, ColorType};
    let note = ["test: its transparent parts were put on white"];
    // Alpha 51 is a fifth: 100 / 5 + 255 * 4 / 5 = 224.
    let read = decode(&png_of(&[100, 0, 255, 51, 9, 8, 7, 255], 2, 1, ColorType::Rgba, BitDepth::Eight));
    let expected = Picture::from_rgb8(2, 1, &[224, 204, 255, 9, 8, 7]).unwrap();
    assert!(worst_difference(&read.picture, &expected) < 1e-4, "{:?}", read.picture);
    assert_eq!(read.notes, note);
    // An alpha channel that hides nothing is not worth a word.
    decode_plain(&png_of(&[100, 0, 255, 255], 1, 1, ColorType::Rgba, BitDepth::Eight));
    // Grey with alpha of 16 bits: nothing is left of the colour.
    let read = decode(&png_of(&[1, 2, 0, 0], 1, 1, ColorType::GrayscaleAlpha, BitDepth::Sixteen));
    assert_eq!((read.picture.values, read.notes), (vec![255.0; 3], note.map(String::from).to_vec()));
    // A palette with one transparent colour.
    let palette = png_with(&[0, 1], 2, 1, ColorType::Indexed, BitDepth::Eight, |encoder| {
        encoder.set_palette(vec![10, 20, 30, 40, 50, 60]);
        encoder.set_trns(vec![255, 0]);
    });
    let read = decode(&palette);
    assert_eq!(read.picture.to_rgb8(), [10, 20, 30, 255, 255, 255]);
    assert_eq!(read.notes, note);
    // TIFF says whether the colours were multiplied by the alpha already: 1 yes, 2 no.
    for (extra, expected) in [(1u16, [30 + 204, 204, 204]), (2, [6 + 204, 204, 204])] {
        let bytes = tiff_of::<colortype::RGBA8>(1, 1, &[30, 0, 0, 51], &[(Tag::ExtraSamples, &[extra])]);
        assert_eq!(decode(&bytes).picture.to_rgb8(), expected, "extra samples {extra}");
    }
}

#[test]
fn tiff_samples_of_every_kind() {
    let plane = |bytes: Vec<u8>| decode(&bytes).picture.plane(0).to_vec();
    let close = |found: Vec<f32>, expected: &[f32]| {
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(found.len() == expected.len() && worst < 1e-4, "{found:?} for {expected:?}");
    };
    close(plane(tiff_of::<colortype::Gray16>(2, 1, &[257, 40_000], &[])), &[1.0, 40_000.0 / 257.0]);
    close(plane(tiff_of::<colortype::Gray32>(2, 1, &[u32::MAX, u32::MAX / 5], &[])), &[255.0, 51.0]);
    close(plane(tiff_of::<colortype::Gray32Float>(4, 1, &[0.5, -1.0, 9.0, f32::NAN], &[])), &[127.5, 0.0, 255.0, 0.0]);
    close(plane(tiff_of::<colortype::Gray64Float>(2, 1, &[0.2, f64::INFINITY], &[])), &[51.0, 255.0]);
    close(plane(tiff_of::<colortype::RGB16>(1, 1, &[514, 0, 0], &[])), &[2.0]);
    close(plane(tiff_of::<colortype::RGB32Float>(1, 1, &[0.6, 0.0, 0.0], &[])), &[153.0]);
    let notes = decode(&tiff_of::<colortype::RGB32Float>(1, 1, &[0.6, 0.0, 0.0], &[])).notes;
    assert_eq!(notes, ["test: its floating-point samples were taken as 0 for black to 1 for white"]);
    // White is zero.
    let inverted = tiff_of::<colortype::Gray8>(2, 1, &[5, 255], &[(Tag::PhotometricInterpretation, &[0])]);
    close(plane(inverted), &[250.0, 0.0]);
    // Two fifths of cyan, all of yellow, a fifth of black: 3/5 4/5, 4/5, 0; and the guess is said.
    let read = decode(&tiff_of::<colortype::CMYK16>(1, 1, &[26_214, 0, 65_535, 13_107], &[]));
    close(read.picture.values, &[122.4, 204.0, 0.0]);
    assert_eq!(read.notes.len(), 1);
    assert!(read.notes[0].contains("without a profile"), "{:?}", read.notes);
}

/// A TIFF written byte by byte: its directory, then its data.
fn tiff_by_hand(is_little_endian: bool, entries: &[(u16, u16, &[u32])], data: &[u8]) -> Vec<u8> {
    let short = |value: u32| if is_little_endian { (value as u16).to_le_bytes() } else { (value as u16).to_be_bytes() };
    let long = |value: u32| if is_little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
    let mut bytes = if is_little_endian { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
    bytes.extend(long(8));
    bytes.extend(short(entries.len() as u32));
    let data_start = (8 + 2 + entries.len() * 12 + 4) as u32;
    let mut behind = data.to_vec();
    for (tag, kind, values) in entries {
        bytes.extend(short((*tag).into()));
        bytes.extend(short((*kind).into()));
        bytes.extend(long(values.len() as u32));
        // 273, the strips' offsets, are given from the start of the data.
        let offset = if *tag == 273 { data_start } else { 0 };
        let mut field = Vec::new();
        for value in *values {
            if *kind == 3 { field.extend(short(*value)) } else { field.extend(long(*value + offset)) }
        }
        if field.len() > 4 {
            bytes.extend(long(data_start + behind.len() as u32));
            behind.extend(field);
        } else {
            field.resize(4, 0);
            bytes.extend(field);
        }
    }
    bytes.extend(long(0));
    assert_eq!(bytes.len() as u32, data_start);
    bytes.extend(behind);
    bytes
}

#[test]
fn tiff_palettes_planes_and_small_samples() {
    for is_little_endian in [true, false] {
        // Four colours of two bits: reds 0, 257, 514, 771; greens 25700 each; blues 65535 down.
        let palette = [0, 257, 514, 771, 25_700, 25_700, 25_700, 25_700, 65_535, 43_690, 21_845, 0];
        let bytes = tiff_by_hand(
            is_little_endian,
            &[
                (256, 3, &[3]),
                (257, 3, &[2]),
                (258, 3, &[2]),
                (259, 3, &[1]),
                (262, 3, &[3]),
                (273, 4, &[0]),
                (277, 3, &[1]),
                (278, 3, &[2]),
                (279, 4, &[2]),
                (320, 3, &palette),
            ],
            &[0b0001_1000, 0b1100_0100],
        );
        let expected = [0, 100, 255, 1, 100, 170, 2, 100, 85, 3, 100, 0, 0, 100, 255, 1, 100, 170];
        assert_eq!(decode_plain(&bytes).to_rgb8(), expected, "little-endian {is_little_endian}");

        // One bit, white is zero.
        let bytes = tiff_by_hand(
            is_little_endian,
            &[
                (256, 3, &[10]),
                (257, 3, &[1]),
                (258, 3, &[1]),
                (259, 3, &[1]),
                (262, 3, &[0]),
                (273, 4, &[0]),
                (277, 3, &[1]),
                (278, 3, &[1]),
                (279, 4, &[2]),
            ],
            &[0b0101_0000, 0b0100_0000],
        );
        let expected = [255, 0, 255, 0, 255, 255, 255, 255, 255, 0].map(|grey: u8| f32::from(grey));
        assert_eq!(decode_plain(&bytes).plane(2), expected);

        // Three planes, one behind the other.
        let bytes = tiff_by_hand(
            is_little_endian,
            &[
                (256, 3, &[2]),
                (257, 3, &[1]),
                (258, 3, &[8, 8, 8]),
                (259, 3, &[1]),
                (262, 3, &[2]),
                (273, 4, &[0, 2, 4]),
                (277, 3, &[3]),
                (278, 3, &[1]),
                (279, 4, &[2, 2, 2]),
                (284, 3, &[2]),
            ],
            &[1, 2, 3, 4, 5, 6],
        );
        assert_eq!(decode_plain(&bytes).values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}

#[test]
fn bitmaps_run_up_or_down() {
    let rgb = pixels(5, 4);
    let mut bytes = Vec::new();
    BmpEncoder::new(&mut bytes).encode(&rgb, 5, 4, ExtendedColorType::Rgb8).unwrap();
    let upright = decode_plain(&bytes);
    assert_eq!(upright.to_rgb8(), rgb);
    // The same rows under a negative height are the picture upside down.
    bytes[22..26].copy_from_slice(&(-4i32).to_le_bytes());
    let rows: Vec<&[u8]> = rgb.chunks(15).rev().collect();
    assert_eq!(decode_plain(&bytes).to_rgb8(), rows.concat());
}

#[test]
fn a_gif_gives_its_first_frame_on_white() {
    // A screen of 3 x 2; a frame of 2 x 1 at (1, 1), its second pixel transparent; then another frame.
    let mut bytes = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut bytes, 3, 2, &[200, 0, 0, 0, 100, 0]).unwrap();
        let mut frame = gif::Frame { width: 2, height: 1, left: 1, top: 1, ..gif::Frame::default() };
        frame.buffer = vec![0u8, 1].into();
        frame.transparent = Some(1);
        encoder.write_frame(&frame).unwrap();
        let mut second = gif::Frame { width: 3, height: 2, ..gif::Frame::default() };
        second.buffer = vec![1u8; 6].into();
        encoder.write_frame(&second).unwrap();
    }
    let read = decode(&bytes);
    let white = [255u8; 3];
    let expected = [white, white, white, white, [200, 0, 0], white].concat();
    assert_eq!(read.picture.to_rgb8(), expected);
    let moves = "test: it is an animation, of which the first picture was taken";
    assert_eq!(read.notes, [moves, "test: its transparent parts were put on white"]);
}

/// An EXIF block that holds an orientation and nothing else.
fn exif_of(orientation: u16, is_little_endian: bool) -> Vec<u8> {
    let mut block = tiff_by_hand(is_little_endian, &[(0x112, 3, &[u32::from(orientation)])], &[]);
    block.truncate(26);
    block
}

/// What the EXIF specification says of each orientation: on which sides of the upright picture the stored rows and
/// columns begin. Here: where the stored pixel (row, column) of a picture of that many rows and columns lies, as (x, y).
fn upright_position(
    orientation: u16,
    (row, column): (usize, usize),
    (rows, columns): (usize, usize),
) -> (usize, usize) {
    let from_left = |index: usize| index;
    let from_right = |index: usize, count: usize| count - 1 - index;
    match orientation {
        1 => (from_left(column), row),                             // row 0 top, column 0 left
        2 => (from_right(column, columns), row),                   // top, right
        3 => (from_right(column, columns), from_right(row, rows)), // bottom, right
        4 => (from_left(column), from_right(row, rows)),           // bottom, left
        5 => (from_left(row), column),                             // row 0 left, column 0 top
        6 => (from_right(row, rows), column),                      // right, top
        7 => (from_right(row, rows), from_right(column, columns)), // right, bottom
        8 => (from_left(row), from_right(column, columns)),        // left, bottom
        _ => unreachable!("there are eight orientations"),
    }
}

fn assert_upright(bytes: &[u8], orientation: u16, stored: &[u8], rows: usize, columns: usize, tolerance: f32) {
    let picture = decode_plain(bytes);
    let expected_size = if orientation < 5 { (columns, rows) } else { (rows, columns) };
    assert_eq!((picture.width, picture.height), expected_size, "orientation {orientation}");
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = upright_position(orientation, (row, column), (rows, columns));
            for channel in 0..3 {
                let found = picture.plane(channel)[y * picture.width + x];
                let expected = f32::from(stored[(row * columns + column) * 3 + channel]);
                let place = format!("orientation {orientation}, row {row}, column {column}, channel {channel}");
                assert!((found - expected).abs() <= tolerance, "{place}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn pictures_are_brought_upright() {
    let (rows, columns) = (3, 5);
    let rgb = pixels(5, 3);
    // For the lossy JPEG: one colour for each block of 8 x 8.
    let mut blocks = Vec::new();
    for row in 0..16 {
        for column in 0..24 {
            let (row, column) = (row / 8, column / 8);
            blocks.extend([40 + 80 * column, 60 + 100 * row, 200 - 60 * column]);
        }
    }
    for orientation in 1..=8u16 {
        let tiff = tiff_of::<colortype::RGB8>(5, 3, &rgb, &[(Tag::Orientation, &[orientation])]);
        assert_upright(&tiff, orientation, &rgb, rows, columns, 0.0);
        for is_little_endian in [true, false] {
            let exif = exif_of(orientation, is_little_endian);
            let mut png = Vec::new();
            let mut encoder = PngEncoder::new(&mut png);
            encoder.set_exif_metadata(exif.clone()).unwrap();
            encoder.write_image(&rgb, 5, 3, ExtendedColorType::Rgb8).unwrap();
            assert_upright(&png, orientation, &rgb, rows, columns, 0.0);
            let mut webp = Vec::new();
            let mut encoder = WebPEncoder::new_lossless(&mut webp);
            encoder.set_exif_metadata(exif.clone()).unwrap();
            encoder.write_image(&rgb, 5, 3, ExtendedColorType::Rgb8).unwrap();
            assert_upright(&webp, orientation, &rgb, rows, columns, 0.0);
            let mut jpeg = Vec::new();
            let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
            encoder.set_exif_metadata(exif).unwrap();
            encoder.write_image(&blocks, 24, 16, ExtendedColorType::Rgb8).unwrap();
            assert_upright(&jpeg, orientation, &blocks, 16, 24, 4.0);
        }
    }
    // Numbers that mean nothing leave the picture as it is.
    for orientation in [0u16, 9, 65_535] {
        let tiff = tiff_of::<colortype::RGB8>(5, 3, &rgb, &[(Tag::Orientation, &[orientation])]);
        assert_upright(&tiff, 1, &rgb, rows, columns, 0.0);
    }
}

/// The same pixels under a colour profile, in every format that takes one.
fn under_profile(rgb: &[u8], width: u32, height: u32, profile: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_icc_profile(profile.to_vec()).unwrap();
    encoder.write_image(rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    let mut webp = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut webp);
    encoder.set_icc_profile(profile.to_vec()).unwrap();
    encoder.write_image(rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    let mut tiff = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut tiff).unwrap();
    let mut image = encoder.new_image::<colortype::RGB8>(width, height).unwrap();
    image.encoder().write_tag(Tag::IccProfile, profile).unwrap();
    image.write_data(rgb).unwrap();
    vec![("png", png), ("webp", webp), ("tif", tiff.into_inner())]
}

/// Linear light to sRGB's scale 0..255 (IEC 61966-2-1), clipped.
fn srgb_from_linear(linear: f64) -> f64 {
    let clipped = linear.clamp(0.0, 1.0);
    255.0 * if clipped <= 0.003_130_8 { 12.92 * clipped } else { 1.055 * clipped.powf(1.0 / 2.4) - 0.055 }
}

fn linear_from_srgb(value: f64) -> f64 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

#[test]
fn profiles_are_converted_as_their_definitions_say() {
    // Linear light of the space to linear light of sRGB, both with the white D65: the products of the published
    // matrices (primaries of SMPTE EG 432-1 and of Adobe RGB (1998) to XYZ, XYZ to sRGB).
    let display_p3 = [[1.224_940, -0.224_940, 0.0], [-0.042_057, 1.042_057, 0.0], [-0.019_638, -0.078_636, 1.098_274]];
    let adobe_rgb = [[1.398_283, -0.398_283, 0.0], [0.0, 1.0, 0.0], [0.0, -0.042_938, 1.042_938]];
    type Curve = fn(f64) -> f64;
    let adobe_curve: Curve = |value| value.powf(563.0 / 256.0);
    let spaces: [(&str, ColorProfile, [[f64; 3]; 3], Curve); 2] = [
        ("Display P3", ColorProfile::new_display_p3(), display_p3, linear_from_srgb),
        ("Adobe RGB", ColorProfile::new_adobe_rgb(), adobe_rgb, adobe_curve),
    ];
    let mut rgb = Vec::new();
    for red in [0u8, 31, 64, 128, 190, 255] {
        for green in [0u8, 50, 100, 150, 255] {
            for blue in [0u8, 77, 180, 255] {
                rgb.extend([red, green, blue]);
            }
        }
    }
    let count = rgb.len() as u32 / 3;
    for (name, profile, matrix, curve) in spaces {
        for (extension, bytes) in under_profile(&rgb, count, 1, &profile.encode().unwrap()) {
            let read = decode(&bytes);
            assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
            assert!(read.notes[0].starts_with("test: its colours were converted from "), "{:?}", read.notes);
            let mut worst: f64 = 0.0;
            for (index, pixel) in rgb.chunks(3).enumerate() {
                let linear = [pixel[0], pixel[1], pixel[2]].map(|sample| curve(f64::from(sample) / 255.0));
                for (channel, row) in matrix.iter().enumerate() {
                    let light: f64 = row.iter().zip(linear).map(|(factor, light)| factor * light).sum();
                    let found = f64::from(read.picture.plane(channel)[index]);
                    worst = worst.max((found - srgb_from_linear(light)).abs());
                }
            }
            // Profiles hold their numbers in 16 bits, and the primaries around another white: half a step of 8 bits.
            assert!(worst < 0.5, "{name} in {extension}: {worst}");
        }
    }
}

#[test]
fn a_profile_that_is_srgb_changes_nothing() {
    let rgb = pixels(19, 7);
    for (extension, bytes) in under_profile(&rgb, 19, 7, &ColorProfile::new_srgb().encode().unwrap()) {
        assert_eq!(decode_plain(&bytes).to_rgb8(), rgb, "{extension}");
    }
}

#[test]
fn grey_profiles_count_and_wrong_ones_are_ignored_and_said() {
    // Linear grey: 55 / 255 of the light.
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile.clone()).unwrap();
    encoder.write_image(&[55, 255], 2, 1, ExtendedColorType::L8).unwrap();
    let read = decode(&bytes);
    for channel in 0..3 {
        let found = f64::from(read.picture.plane(channel)[0]);
        assert!((found - srgb_from_linear(55.0 / 255.0)).abs() < 0.5, "{found}");
    }
    assert_eq!(read.notes.len(), 1);

    let rgb = pixels(6, 6);
    let broken = ColorProfile::new_display_p3().encode().unwrap()[..200].to_vec();
    let huge = vec![0; (4 << 20) + 1];
    for (profile, words) in [(profile, "not meant for its channels"), (broken, "cannot be read"), (huge, "too large")] {
        for (extension, bytes) in under_profile(&rgb, 6, 6, &profile) {
            let read = decode(&bytes);
            assert_eq!(read.picture.to_rgb8(), rgb, "{extension}");
            assert!(read.notes.len() == 1 && read.notes[0].contains(words), "{extension}: {:?}", read.notes);
        }
    }
}

/// A baseline JPEG of 8 x 8 pixels of one colour, with one block for each component: the smallest there is.
fn flat_jpeg(components: &[u8], adobe_transform: Option<u8>) -> Vec<u8> {
    let count = components.len() as u8;
    let mut bytes = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
    };
    if let Some(transform) = adobe_transform {
        segment(0xee, &[&b"Adobe"[..], &[0, 100, 0, 0, 0, 0, transform]].concat());
    }
    // Quantisation by 1, so that the mean of a block is its first coefficient / 8.
    segment(0xdb, &[&[0][..], &[1; 64]].concat());
    let frame: Vec<u8> = (1..=count).flat_map(|id| [id, 0x11, 0]).collect();
    segment(0xc0, &[&[8, 0, 8, 0, 8, count][..], &frame].concat());
    // First coefficients: the twelve lengths 0..=11 have codes of four bits; others: only the end, one bit.
    segment(
        0xc4,
        &[&[0x00][..], &[0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]
            .concat(),
    );
    segment(0xc4, &[&[0x10][..], &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0]].concat());
    let scan: Vec<u8> = (1..=count).flat_map(|id| [id, 0x00]).collect();
    segment(0xda, &[&[count][..], &scan, &[0, 63, 0]].concat());
    let mut bits = String::new();
    for component in components {
        let coefficient = (i32::from(*component) - 128) * 8;
        let length = 32 - coefficient.unsigned_abs().leading_zeros();
        bits += &format!("{length:04b}");
        if length > 0 {
            // Negative numbers are written as their value less one, in as many bits.
            let code = if coefficient < 0 { coefficient + (1 << length) - 1 } else { coefficient };
            bits += &format!("{code:0width$b}", width = length as usize);
        }
        bits += "0";
    }
    while !bits.len().is_multiple_of(8) {
        bits += "1";
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        bytes.push(byte);
        if byte == 0xff {
            bytes.push(0);
        }
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[test]
fn jpegs_of_one_three_and_four_components() {
    let first = |bytes: &[u8]| {
        let picture = decode(bytes).picture;
        assert_eq!((picture.width, picture.height), (8, 8));
        [0, 1, 2].map(|channel| picture.plane(channel)[9].round() as i32)
    };
    assert_eq!(first(&flat_jpeg(&[77], None)), [77, 77, 77]);
    // Adobe's transform 0 of three components: RGB as it is.
    assert_eq!(first(&flat_jpeg(&[200, 100, 50], Some(0))), [200, 100, 50]);
    // Adobe stores inks inverted: 255 is none. (1 - 0) (1 - 1/5) = 204; half of magenta: 102.
    assert_eq!(first(&flat_jpeg(&[255, 128, 255, 204], Some(0))), [204, 102, 204]);
    // Without Adobe's segment 255 is all of the ink.
    assert_eq!(first(&flat_jpeg(&[0, 127, 0, 51], None)), [204, 102, 204]);
    // YCCK, inverted: a luma of 0 with no colour difference is no ink (C = 255 - 0, inverted), so white paper.
    assert_eq!(first(&flat_jpeg(&[0, 128, 128, 255], Some(2))), [255, 255, 255]);
    let notes = decode(&flat_jpeg(&[255, 128, 255, 204], Some(0))).notes;
    assert!(notes.len() == 1 && notes[0].contains("without a profile of the press"), "{notes:?}");
}
