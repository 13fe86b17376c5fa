//! Photos as they are: transparency, more than 8 bits, Display P3 and EXIF data, from one file into another.

use std::path::Path;

use impasto::Picture;
use impasto::image_file::exif::{Exif, KeptExif};
use impasto::picture::alpha::Alpha;
use impasto::read::{ReadLimits, ReadPicture, decode_picture};
use impasto::write::{Carried, OutputFormat, WriteOptions, encode_carrying};
use moxcms::ColorProfile;
use png::{BitDepth, ColorType};

const WITH_ALPHA: [OutputFormat; 3] = [OutputFormat::Png, OutputFormat::WebP, OutputFormat::Tiff];

fn keeping() -> ReadLimits {
    ReadLimits { keeps_transparency: true, ..ReadLimits::default() }
}

fn decode(bytes: &[u8], limits: &ReadLimits) -> ReadPicture {
    decode_picture(bytes, Path::new("photo"), limits).unwrap()
}

fn png_with(
    samples: &[u8],
    (width, height): (u32, u32),
    colour: ColorType,
    depth: BitDepth,
    configure: impl FnOnce(&mut png::Info<'_>),
) -> Vec<u8> {
    let (mut bytes, mut info) = (Vec::new(), png::Info::with_size(width, height));
    configure(&mut info);
    let mut encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
    encoder.set_color(colour);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A picture of slopes, and an alpha that is nothing on the left, all on the right and some of it between.
fn with_alpha(width: usize, height: usize) -> (Picture, Alpha) {
    let places = 0..3 * width * height;
    let picture = Picture::new(width, height, places.map(|place| (place * 37 % 256) as f32).collect()).unwrap();
    let alphas = (0..width * height).map(|place| ((place % width) as f32 * 60.0 - 30.0).clamp(0.0, 255.0));
    (picture, Alpha::new(width, height, alphas.collect()).unwrap())
}

#[test]
fn transparency_is_read_beside_the_colours() {
    let read = decode(
        &png_with(&[100, 0, 255, 51, 9, 8, 7, 255], (2, 1), ColorType::Rgba, BitDepth::Eight, |_| {}),
        &keeping(),
    );
    assert_eq!(read.picture, Picture::from_rgb8(2, 1, &[100, 0, 255, 9, 8, 7]).unwrap());
    assert_eq!((read.alpha.unwrap().values, read.notes), (vec![51.0, 255.0], Vec::<String>::new()));
    // What hides nothing is no transparency.
    let whole = png_with(&[100, 0, 255, 255], (1, 1), ColorType::Rgba, BitDepth::Eight, |_| {});
    assert_eq!(decode(&whole, &keeping()).alpha, None);
    // Upright, as the picture is: stored in one row, it is one column from below to above (EXIF 8).
    let turned = png_with(&[1, 10, 2, 20, 3, 30], (3, 1), ColorType::GrayscaleAlpha, BitDepth::Eight, |info| {
        info.exif_metadata = Some(exif_of(8, &[]).into());
    });
    let read = decode(&turned, &keeping());
    assert_eq!(read.picture.plane(0), [3.0, 2.0, 1.0]);
    assert_eq!(read.alpha.unwrap(), Alpha::new(1, 3, vec![30.0, 20.0, 10.0]).unwrap());
    // Colours that were multiplied by their alpha are divided again.
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut bytes).unwrap();
    let mut image = encoder.new_image::<tiff::encoder::colortype::RGBA8>(1, 1).unwrap();
    image.encoder().write_tag(tiff::tags::Tag::ExtraSamples, &[1u16][..]).unwrap();
    image.write_data(&[30, 0, 51, 51]).unwrap();
    let read = decode(&bytes.into_inner(), &keeping());
    assert_eq!((read.picture.to_rgb8(), read.alpha.unwrap().values), (vec![150, 0, 255], vec![51.0]));
}

#[test]
fn every_format_with_transparency_keeps_it_and_a_jpeg_is_put_on_white() {
    let (picture, alpha) = with_alpha(7, 5);
    let carried = Carried { alpha: Some(&alpha), ..Carried::default() };
    for format in WITH_ALPHA {
        for bits in if format == OutputFormat::WebP { vec![8] } else { vec![8, 16] } {
            let options = WriteOptions { bits, jpeg_quality: 100 };
            let bytes = encode_carrying(&picture, format, options, &carried).unwrap();
            let read = decode(&bytes, &keeping());
            assert_eq!(read.picture, picture, "{format:?} {bits}");
            assert_eq!((read.alpha.as_ref(), read.bits), (Some(&alpha), bits), "{format:?} {bits}");
            assert!(read.notes.is_empty());
        }
    }
    let jpeg = encode_carrying(&picture, OutputFormat::Jpeg, WriteOptions { bits: 8, jpeg_quality: 100 }, &carried);
    let opaque = encode_carrying(
        &picture.clone().on_white(&alpha).unwrap(),
        OutputFormat::Jpeg,
        WriteOptions { bits: 8, jpeg_quality: 100 },
        &Carried::default(),
    );
    assert_eq!(jpeg.unwrap(), opaque.unwrap());
    let other = Alpha::new(5, 7, alpha.values.clone()).unwrap();
    for format in [OutputFormat::Png, OutputFormat::Jpeg] {
        let carried = Carried { alpha: Some(&other), ..Carried::default() };
        assert!(encode_carrying(&picture, format, WriteOptions::default(), &carried).is_err());
    }
}

#[test]
fn gaps_are_filled_from_around_them() {
    let (width, height) = (37, 23);
    // Red where there is something, and black under the gaps, as many programs leave it.
    let mut picture = Picture::filled(width, height, [0.0; 3]).unwrap();
    let mut alpha = Alpha::new(width, height, vec![0.0; width * height]).unwrap();
    for place in (0..width * height).filter(|place| (9..20).contains(&(place % width)) && place / width > 4) {
        (picture.values[place], picture.values[2 * width * height + place]) = (200.0, 40.0);
        alpha.values[place] = 255.0;
    }
    let filled = picture.clone().with_filled_gaps(&alpha).unwrap();
    for (channel, expected) in [200.0, 0.0, 40.0].into_iter().enumerate() {
        assert!(filled.plane(channel).iter().all(|value| (value - expected).abs() < 1e-3), "channel {channel}");
    }
    // So no fringe comes of another size, where the photo itself would have one.
    for (width, height) in [(19, 11), (100, 60)] {
        let small = filled.resized(width, height).unwrap();
        assert!(small.plane(0).iter().all(|value| (value - 200.0).abs() < 1e-2));
        assert!(picture.resized(width, height).unwrap().plane(0).iter().any(|value| (20.0..180.0).contains(value)));
        let alpha = alpha.resized(width, height).unwrap();
        assert!(alpha.values.iter().all(|value| (0.0..=255.0).contains(value)));
        assert!(alpha.values.contains(&0.0) && alpha.values.contains(&255.0));
        let cropped = alpha.cropped_to_fit(8, 8).unwrap();
        assert_eq!((cropped.width, cropped.height, cropped.values.len()), (8, 8, 64));
    }
}

#[test]
fn what_is_there_stays_and_what_is_nothing_is_white() {
    let (picture, alpha) = with_alpha(31, 17);
    let filled = picture.clone().with_filled_gaps(&alpha).unwrap();
    for (place, alpha) in alpha.values.iter().enumerate() {
        for channel in 0..3 {
            let (value, own) = (filled.plane(channel)[place], picture.plane(channel)[place]);
            assert!((0.0..=255.0).contains(&value), "{value}");
            assert!(*alpha < 64.0 || value == own, "{place}: {value} {own}");
        }
    }
    let nothing = Alpha::new(31, 17, vec![0.0; 31 * 17]).unwrap();
    assert!(picture.clone().with_filled_gaps(&nothing).unwrap().values.iter().all(|value| *value == 255.0));
    assert_eq!(picture.clone().on_white(&nothing).unwrap(), Picture::filled(31, 17, [255.0; 3]).unwrap());
    // Nearer colours count for more: the far left is more like the left edge of what is there.
    let mut halves = Picture::filled(32, 8, [0.0; 3]).unwrap();
    let mut alpha = Alpha::new(32, 8, vec![0.0; 256]).unwrap();
    for place in (0..256).filter(|place| place % 32 == 12 || place % 32 == 20) {
        halves.values[place] = if place % 32 == 12 { 50.0 } else { 250.0 };
        alpha.values[place] = 255.0;
    }
    let filled = halves.with_filled_gaps(&alpha).unwrap();
    assert!(filled.plane(0)[0] < 120.0 && filled.plane(0)[31] > 180.0, "{:?}", &filled.plane(0)[..32]);
    let other = Alpha::new(8, 32, vec![0.0; 256]).unwrap();
    assert!(filled.clone().with_filled_gaps(&other).is_err() && filled.on_white(&other).is_err());
    assert!(Alpha::new(2, 2, vec![0.0; 3]).is_err() && Alpha::new(0, 2, vec![]).is_err());
}

#[test]
fn a_ramp_of_16_bits_keeps_its_levels() {
    let levels: Vec<u16> = (0..4096).map(|place| 20_000 + place).collect();
    let samples: Vec<u8> = levels.iter().flat_map(|level| level.to_be_bytes()).collect();
    let read = decode(&png_with(&samples, (4096, 1), ColorType::Grayscale, BitDepth::Sixteen, |_| {}), &keeping());
    assert_eq!(read.bits, 16);
    for format in [OutputFormat::Png, OutputFormat::Tiff] {
        let options = WriteOptions { bits: 16, jpeg_quality: 92 };
        let bytes = encode_carrying(&read.picture, format, options, &Carried::default()).unwrap();
        let again = decode(&bytes, &keeping()).picture.to_rgb16();
        assert_eq!(again.iter().step_by(3).copied().collect::<Vec<u16>>(), levels, "{format:?}");
    }
    let eight = png_with(&[7], (1, 1), ColorType::Grayscale, BitDepth::Eight, |_| {});
    assert_eq!(decode(&eight, &keeping()).bits, 8);
}

/// Linear light of Display P3 to that of sRGB: the product of the published matrices.
const P3: [[f64; 3]; 3] =
    [[1.224_940, -0.224_940, 0.0], [-0.042_057, 1.042_057, 0.0], [-0.019_638, -0.078_636, 1.098_274]];

#[test]
fn a_photo_in_display_p3_comes_out_looking_the_same() {
    let linear = |value: f64| if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    let encoded = |light: f64| if light <= 0.0031308 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    let samples = [200u8, 90, 60, 60, 160, 90, 120, 120, 120, 90, 100, 210, 255, 0, 0];
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let photo =
        png_with(&samples, (5, 1), ColorType::Rgb, BitDepth::Eight, |info| info.icc_profile = Some(profile.into()));
    let read = decode(&photo, &keeping());
    assert!(read.notes[0].contains("converted") && read.notes[0].contains("P3"), "{:?}", read.notes);
    for format in [OutputFormat::Png, OutputFormat::Tiff] {
        let options = WriteOptions { bits: 16, jpeg_quality: 92 };
        let written = encode_carrying(&read.picture, format, options, &Carried::default()).unwrap();
        let again = decode(&written, &keeping());
        // It is sRGB, and says so.
        assert!(again.notes.is_empty(), "{:?}", again.notes);
        for (place, pixel) in samples.chunks_exact(3).enumerate() {
            let light = [0, 1, 2].map(|channel| linear(f64::from(pixel[channel]) / 255.0));
            for (channel, row) in P3.iter().enumerate() {
                let expected: f64 = row.iter().zip(light).map(|(part, light)| part * light).sum();
                // Colours that sRGB has not, as the last, are cut to its nearest by channel.
                let expected = 255.0 * encoded(expected.clamp(0.0, 1.0));
                let found = f64::from(again.picture.plane(channel)[place]);
                assert!((found - expected).abs() < 0.5, "{format:?}: {pixel:?} {channel}: {found} {expected}");
            }
        }
    }
}

/// A TIFF header and one directory of an orientation and these texts, with a place and an exposure where `more` has them: each
/// `(tag, kind, count, values)` in directories of their own.
fn exif_of(orientation: u16, texts: &[(u16, &str)]) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08".to_vec();
    let count = texts.len() as u16 + 3;
    // Behind the directory: the texts, then the exposure, then the place.
    let mut values_at = 8 + 2 + 12 * u32::from(count) + 4;
    let mut values = Vec::new();
    block.extend(count.to_be_bytes());
    for (tag, text) in texts {
        block.extend(
            [&tag.to_be_bytes()[..], &[0, 2], &(text.len() as u32 + 1).to_be_bytes(), &values_at.to_be_bytes()]
                .concat(),
        );
        values.extend(text.bytes().chain([0]));
        values_at += text.len() as u32 + 1;
    }
    let directory = |fields: &[(u16, u16, u32, [u8; 4])]| {
        let mut bytes = (fields.len() as u16).to_be_bytes().to_vec();
        for (tag, kind, count, value) in fields {
            bytes.extend([&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), value].concat());
        }
        bytes.extend([0; 4]);
        bytes
    };
    // ISO 400, and a serial number of the body; north, and the version of GPS.
    let exposure = directory(&[(0x8827, 3, 1, [1, 0x90, 0, 0]), (0xa431, 2, 4, *b"123\0")]);
    let place = directory(&[(0, 1, 4, [2, 3, 0, 0]), (1, 2, 2, *b"N\0\0\0")]);
    for (tag, kind, value) in [
        (0x0112u16, 3u16, [0, orientation as u8, 0, 0]),
        (0x8769, 4, values_at.to_be_bytes()),
        (0x8825, 4, (values_at + exposure.len() as u32).to_be_bytes()),
    ] {
        block.extend([&tag.to_be_bytes()[..], &kind.to_be_bytes(), &[0, 0, 0, 1], &value].concat());
    }
    block.extend([0; 4]);
    [block, values, exposure, place].concat()
}

/// Whether a file has these bytes anywhere.
fn has(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn exif_data_go_from_every_format_into_every_other() {
    let texts = [(0x010f, "Kamera & Co"), (0x0110, "Model 7"), (0x0132, "2026:11:28 12:34:56"), (0x8298, "by me")];
    let block = exif_of(6, &texts);
    let photo = png_with(&[50; 3 * 6], (3, 2), ColorType::Rgb, BitDepth::Eight, |info| {
        info.exif_metadata = Some(block.clone().into());
    });
    let first = decode(&photo, &keeping());
    assert_eq!((first.picture.width, first.picture.height), (2, 3), "it is turned upright");
    let (camera, place) = (KeptExif::Camera.of(&first.exif).unwrap(), KeptExif::Place.of(&first.exif).unwrap());
    assert_eq!(KeptExif::Nothing.of(&first.exif), None);
    assert!(place.has_place() && !camera.has_place() && place == first.exif);
    for format in [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::WebP, OutputFormat::Tiff] {
        let written = |exif: Option<&Exif>| {
            let carried = Carried { exif, ..Carried::default() };
            encode_carrying(&first.picture, format, WriteOptions::default(), &carried).unwrap()
        };
        for kept in [&camera, &place] {
            let bytes = written(Some(kept));
            let read = decode(&bytes, &keeping());
            assert_eq!(&read.exif, kept, "{format:?}");
            // Upright, and not turned a second time.
            assert_eq!((read.picture.width, read.picture.height), (2, 3), "{format:?}");
            assert!(has(&bytes, b"Kamera & Co") && has(&bytes, b"2026:11:28 12:34:56"), "{format:?}");
            assert!(!has(&bytes, b"123\0"), "{format:?} has a serial number");
        }
        let none = written(None);
        assert!(!has(&none, b"Kamera") && decode(&none, &keeping()).exif.is_empty(), "{format:?}");
    }
}
