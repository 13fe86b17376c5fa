//! What a PNG's chunks say of its colours, by their definitions: gAMA and cHRM, cICP, and which of them counts.

use std::path::Path;

use impasto::read::{ReadLimits, ReadPicture, decode_picture};
use moxcms::ColorProfile;

type Chunk<'body> = (&'static [u8; 4], &'body [u8]);

/// Colours over the whole range, one a pixel.
fn colours() -> Vec<u8> {
    let mut rgb = Vec::new();
    for red in [0u8, 31, 64, 128, 190, 255] {
        for green in [0u8, 50, 100, 150, 255] {
            for blue in [0u8, 77, 180, 255] {
                rgb.extend([red, green, blue]);
            }
        }
    }
    rgb
}

/// Those colours in a PNG with these chunks behind its header, and perhaps a profile.
fn with_chunks(chunks: &[Chunk], profile: Option<&ColorProfile>) -> ReadPicture {
    let rgb = colours();
    let mut info = png::Info::with_size(rgb.len() as u32 / 3, 1);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgb, png::BitDepth::Eight);
    info.icc_profile = profile.map(|profile| profile.encode().unwrap().into());
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
    writer.write_image_data(&rgb).unwrap();
    writer.finish().unwrap();
    let mut inserted = Vec::new();
    for (name, body) in chunks {
        inserted.extend((body.len() as u32).to_be_bytes());
        inserted.extend([&name[..], body].concat());
        let mut sum = flate2::Crc::new();
        sum.update(&[&name[..], body].concat());
        inserted.extend(sum.sum().to_be_bytes());
    }
    // The signature has 8 bytes and the header's chunk 25.
    bytes.splice(33..33, inserted);
    decode_picture(&bytes, Path::new("test"), &ReadLimits::default()).unwrap()
}

/// Linear light to sRGB's scale 0..255 (IEC 61966-2-1), clipped.
fn srgb_from_linear(linear: f64) -> f64 {
    let clipped = linear.clamp(0.0, 1.0);
    255.0 * if clipped <= 0.003_130_8 { 12.92 * clipped } else { 1.055 * clipped.powf(1.0 / 2.4) - 0.055 }
}

fn linear_from_srgb(value: f64) -> f64 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

const SAME: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// Linear light of Adobe RGB (1998) and of Display P3 to that of sRGB: products of the published matrices.
const ADOBE: [[f64; 3]; 3] = [[1.398_283, -0.398_283, 0.0], [0.0, 1.0, 0.0], [0.0, -0.042_938, 1.042_938]];
const P3: [[f64; 3]; 3] =
    [[1.224_940, -0.224_940, 0.0], [-0.042_057, 1.042_057, 0.0], [-0.019_638, -0.078_636, 1.098_274]];

/// How far the picture is from those colours through a curve and a matrix, at its worst.
fn worst(read: &ReadPicture, curve: impl Fn(f64) -> f64, matrix: [[f64; 3]; 3]) -> f64 {
    let mut worst: f64 = 0.0;
    for (index, pixel) in colours().chunks(3).enumerate() {
        let linear = [pixel[0], pixel[1], pixel[2]].map(|sample| curve(f64::from(sample) / 255.0));
        for (channel, row) in matrix.iter().enumerate() {
            let light: f64 = row.iter().zip(linear).map(|(factor, light)| factor * light).sum();
            let found = f64::from(read.picture.plane(channel)[index]);
            worst = worst.max((found - srgb_from_linear(light)).abs());
        }
    }
    worst
}

fn gamma(gamma: u32) -> [u8; 4] {
    gamma.to_be_bytes()
}

/// x and y of white, red, green and blue, times 100,000.
fn primaries(numbers: [u32; 8]) -> Vec<u8> {
    numbers.map(u32::to_be_bytes).concat()
}

#[test]
fn a_gamma_is_undone() {
    for (stored, note) in [(100_000, "(1)"), (55_556, "(0.55556)"), (38_000, "(0.38)")] {
        let read = with_chunks(&[(b"gAMA", &gamma(stored))], None);
        let found = worst(&read, |value| value.powf(100_000.0 / f64::from(stored)), SAME);
        assert!(found < 0.5, "{stored}: {found}");
        let said = format!("test: its colours were converted from the gamma of its gAMA chunk {note} to sRGB");
        assert_eq!(read.notes, [said]);
    }
}

#[test]
fn what_means_srgb_changes_nothing() {
    let srgb = primaries([31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]);
    let linear = gamma(100_000);
    let chunks: [&[Chunk]; 5] = [
        &[(b"gAMA", &gamma(45_455))],
        &[(b"gAMA", &gamma(45_455)), (b"cHRM", &srgb)],
        &[(b"cHRM", &srgb)],
        // sRGB's chunk comes before a gamma, and a code before that.
        &[(b"sRGB", &[0]), (b"gAMA", &linear)],
        &[(b"cICP", &[1, 13, 0, 1]), (b"gAMA", &linear)],
    ];
    for chunks in chunks {
        let read = with_chunks(chunks, None);
        assert_eq!((read.picture.to_rgb8(), read.notes), (colours(), vec![]), "{:?}", chunks[0]);
    }
}

#[test]
fn colours_of_its_own_are_converted() {
    let adobe = primaries([31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000]);
    let read = with_chunks(&[(b"gAMA", &gamma(45_471)), (b"cHRM", &adobe)], None);
    let found = worst(&read, |value| value.powf(100_000.0 / 45_471.0), ADOBE);
    assert!(found < 0.7, "{found}");
    // Without a gamma the curve is sRGB's.
    let read = with_chunks(&[(b"cHRM", &adobe)], None);
    let found = worst(&read, linear_from_srgb, ADOBE);
    assert!(found < 0.7, "{found}");
    let read = with_chunks(&[(b"cICP", &[12, 13, 0, 1])], None);
    let found = worst(&read, linear_from_srgb, P3);
    assert!(found < 0.7, "{found}");
    assert_eq!(read.notes, ["test: its colours were converted from the colours of its cICP chunk to sRGB"]);
}

#[test]
fn a_profile_comes_before_a_gamma_and_after_a_code() {
    let profile = ColorProfile::new_display_p3();
    let read = with_chunks(&[(b"gAMA", &gamma(100_000))], Some(&profile));
    let found = worst(&read, linear_from_srgb, P3);
    assert!(found < 0.7, "{found}");
    let read = with_chunks(&[(b"cICP", &[1, 13, 0, 1])], Some(&profile));
    assert_eq!((read.picture.to_rgb8(), read.notes), (colours(), vec![]));
    // A code for HDR screens is not heeded, and said.
    let read = with_chunks(&[(b"cICP", &[9, 16, 0, 1])], None);
    assert_eq!(read.picture.to_rgb8(), colours());
    assert!(read.notes.len() == 1 && read.notes[0].contains("HDR"), "{:?}", read.notes);
}
