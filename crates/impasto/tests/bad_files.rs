//! Files that are not what they should be: each is refused in one sentence that names it, or gives a whole picture. No
//! panic, nothing printed, no memory beyond what the picture needs.

mod image_files;

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use image_files::{in_every_format, pixels};
use impasto::read::{ReadError, ReadLimits, ReadPicture, decode_picture, read_picture};

fn decode(bytes: &[u8]) -> Result<ReadPicture, ReadError> {
    decode_with(bytes, &ReadLimits::default())
}

/// Decodes, and holds what comes out to what is promised of anything that comes out.
fn decode_with(bytes: &[u8], limits: &ReadLimits) -> Result<ReadPicture, ReadError> {
    let start = Instant::now();
    let read = decode_picture(bytes, Path::new("some.file"), limits);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    match &read {
        Ok(read) => {
            let picture = &read.picture;
            assert!(picture.width > 0 && picture.height > 0);
            assert_eq!(picture.values.len(), 3 * picture.width * picture.height);
            assert!(picture.values.iter().all(|value| (0.0..=255.0).contains(value)));
            read.notes.iter().for_each(|note| assert_sentence(note));
        }
        Err(error) => assert_sentence(&error.to_string()),
    }
    read
}

/// Tests that measure this process's memory, or take some, wait for each other.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn assert_sentence(text: &str) {
    assert!(text.starts_with("some.file"), "{text}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(!text.contains(". ") && !text.ends_with('.'), "more than one sentence: {text}");
    assert!(text.len() < 400, "{text}");
}

#[test]
fn files_that_are_no_images() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = read_picture(&path, &ReadLimits::default()).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        error
    };
    assert!(refused("missing.png", None).ends_with("does not exist; check the name"));
    assert!(refused("empty.jpg", Some(b"")).contains(" is empty; give a JPEG"));
    assert!(refused("text.jpg", Some(b"Dear diary,\n")).contains("is not an image, whatever its name says"));
    assert!(refused("zeros.png", Some(&[0; 100_000])).contains("is not an image"));
    assert!(refused("one.png", Some(b"B")).contains("is not an image"));
    assert!(refused("words.bmp", Some(b"BMW cars are not bitmaps")).contains("is not an image"));
    assert!(refused("phone.jpg", Some(b"\0\0\0\x18ftypheic\0\0\0\0")).contains("is an HEIC image"));
    assert!(refused("scan.png", Some(b"%PDF-1.4\n")).contains("is a PDF document"));
    std::fs::create_dir(folder.path().join("folder.png")).unwrap();
    assert!(refused("folder.png", None).contains("is not a file"));
    // Larger than allowed, without reading it.
    let sparse = std::fs::File::create(folder.path().join("sparse.png")).unwrap();
    sparse.set_len(600 << 20).unwrap();
    assert!(refused("sparse.png", None).contains("larger than the 512 MiB"));
}

#[test]
#[cfg(target_os = "linux")]
fn devices_and_pipes_are_not_waited_for() {
    for path in ["/dev/zero", "/dev/null"] {
        let error = read_picture(Path::new(path), &ReadLimits::default()).unwrap_err().to_string();
        assert!(error.ends_with("is not a file; give the name of a file"), "{error}");
    }
}

#[test]
fn a_picture_of_one_pixel_is_a_picture() {
    for (extension, bytes) in in_every_format(1, 1) {
        let read = decode(&bytes).unwrap();
        assert_eq!((read.picture.width, read.picture.height), (1, 1), "{extension}");
    }
}

/// The checksum of a PNG chunk (ISO 3309), bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    let register = bytes.iter().fold(u32::MAX, |register, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| {
            if register & 1 == 1 { register >> 1 ^ 0xedb8_8320 } else { register >> 1 }
        })
    });
    !register
}

fn png_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [&name[..], body].concat();
    [&(body.len() as u32).to_be_bytes()[..], &named, &checksum(&named).to_be_bytes()].concat()
}

/// A sound file of a small picture whose header declares another size.
fn declaring(extension: &str, width: u32, height: u32) -> Vec<u8> {
    let (_, mut bytes) = in_every_format(16, 16).into_iter().find(|(name, _)| *name == extension).unwrap();
    let mut set = |offset: usize, field: &[u8]| bytes[offset..offset + field.len()].copy_from_slice(field);
    match extension {
        "png" => {
            set(16, &width.to_be_bytes());
            set(20, &height.to_be_bytes());
            let sum = checksum(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        }
        "bmp" => {
            set(18, &width.to_le_bytes());
            set(22, &height.to_le_bytes());
        }
        "gif" => {
            set(6, &(width as u16).to_le_bytes());
            set(8, &(height as u16).to_le_bytes());
        }
        "jpg" => {
            let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
            bytes[frame + 5..frame + 7].copy_from_slice(&(height as u16).to_be_bytes());
            bytes[frame + 7..frame + 9].copy_from_slice(&(width as u16).to_be_bytes());
        }
        "tif" => {
            // The directory's entries: tag, type, count, value; width is 256, height 257, both as 32 bits.
            let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
            let entries = u16::from_le_bytes(bytes[directory..directory + 2].try_into().unwrap()) as usize;
            for entry in (0..entries).map(|entry| directory + 2 + entry * 12) {
                let tag = u16::from_le_bytes(bytes[entry..entry + 2].try_into().unwrap());
                if tag == 256 || tag == 257 {
                    bytes[entry + 2..entry + 4].copy_from_slice(&4u16.to_le_bytes());
                    let value = if tag == 256 { width } else { height };
                    bytes[entry + 8..entry + 12].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        "webp" => {
            // An extended header, with 24 bits of each side less one, in front of the picture's own chunk.
            let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
            let extended = [&b"VP8X\x0a\0\0\0\0\0\0\0"[..], &side(width), &side(height)].concat();
            let body = [&b"WEBP"[..], &extended, &bytes[12..]].concat();
            bytes = [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat();
        }
        _ => unreachable!("every format is above"),
    }
    bytes
}

/// Megabytes that this process has had at its highest since the last call.
#[cfg(target_os = "linux")]
fn peak_since_last_call_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let peak_kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    std::fs::OpenOptions::new().write(true).open("/proc/self/clear_refs").unwrap().write_all(b"5").unwrap();
    peak_kib / 1024
}

#[test]
fn sizes_beyond_the_limits_are_refused_from_the_header() {
    for extension in ["png", "bmp", "tif", "webp"] {
        let bytes = declaring(extension, 100_000, 100_000);
        let seconds = || {
            let start = Instant::now();
            let error = decode(&bytes).unwrap_err();
            assert!(matches!(error, ReadError::Side { width: 100_000, height: 100_000, .. }), "{extension}: {error}");
            start.elapsed()
        };
        // The least of several: a busy machine may hold up any one of them.
        let least = (0..5).map(|_| seconds()).min().unwrap();
        assert!(least < Duration::from_millis(500), "{extension}: {least:?}");
    }
    for extension in ["png", "bmp", "tif", "webp", "gif", "jpg"] {
        let error = decode(&declaring(extension, 60_000, 60_000)).unwrap_err();
        assert!(matches!(error, ReadError::Pixels { limit: 256, .. }), "{extension}: {error}");
        assert!(error.to_string().contains("--max-megapixels"), "{error}");
    }
    // (A GIF's screen of no rows holds its picture all the same: `mended.rs`.)
    for extension in ["png", "bmp", "tif", "jpg"] {
        let error = decode(&declaring(extension, 16, 0)).unwrap_err();
        assert!(matches!(error, ReadError::Side { height: 0, .. }), "{extension}: {error}");
    }
    // The largest numbers that each can say.
    for (extension, side) in [("png", u32::MAX), ("bmp", 1 << 31), ("tif", u32::MAX), ("webp", 1 << 24)] {
        assert!(matches!(decode(&declaring(extension, side, side)), Err(ReadError::Side { .. })), "{extension}");
    }
    // The options raise the limits.
    let raised = ReadLimits { megapixels: 20_000, side_px: 200_000, ..ReadLimits::default() };
    let error = decode_with(&declaring("gif", 60_000, 60_000), &ReadLimits { megapixels: 1, ..raised }).unwrap_err();
    assert!(matches!(error, ReadError::Pixels { limit: 1, .. }), "{error}");
    let small = ReadLimits { megapixels: 0, ..raised };
    assert!(matches!(decode_with(&in_every_format(1, 1)[0].1, &small), Err(ReadError::Pixels { limit: 0, .. })));
}

#[test]
#[cfg(target_os = "linux")]
fn declared_sizes_take_no_memory_that_the_file_does_not_fill() {
    let _turn = alone();
    for extension in ["png", "bmp", "tif", "webp", "gif", "jpg"] {
        peak_since_last_call_mib();
        let before = peak_since_last_call_mib();
        assert!(decode(&declaring(extension, 60_000, 60_000)).is_err(), "{extension}");
        let risen = peak_since_last_call_mib().saturating_sub(before);
        assert!(risen < 64, "{extension}: {risen} MiB for a size that is refused");
    }
}

#[test]
fn what_a_png_packs_beside_its_pixels_is_bounded() {
    let _turn = alone();
    let header = png_chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
    let signature = b"\x89PNG\r\n\x1a\n";
    // 256 MiB of zeros, packed a thousand to one, as a colour profile and as a text.
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..256 {
        packer.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let packed = packer.finish().unwrap();
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&[0, 1, 2, 3]).unwrap();
    let pixel = png_chunk(b"IDAT", &packer.finish().unwrap());
    for beside in [
        png_chunk(b"iCCP", &[&b"profile\0\0"[..], &packed].concat()),
        png_chunk(b"zTXt", &[&b"impasto\0\0"[..], &packed].concat()),
        png_chunk(b"iTXt", &[&b"impasto\0\x01\0\0\0"[..], &packed].concat()),
    ] {
        let bytes = [&signature[..], &header, &beside, &pixel, &png_chunk(b"IEND", &[])].concat();
        #[cfg(target_os = "linux")]
        let before = {
            peak_since_last_call_mib();
            peak_since_last_call_mib()
        };
        if let Ok(read) = decode(&bytes) {
            assert_eq!(read.picture.to_rgb8(), [1, 2, 3]);
        }
        #[cfg(target_os = "linux")]
        {
            let risen = peak_since_last_call_mib().saturating_sub(before);
            assert!(risen < 128, "{risen} MiB beside one pixel");
        }
    }
}

#[test]
fn cut_files_are_refused_or_whole() {
    let _turn = alone();
    for (extension, bytes) in in_every_format(40, 32) {
        let whole = decode(&bytes).unwrap().picture;
        let mut refused = 0;
        let cuts: Vec<usize> = (0..bytes.len().min(700)).chain((700..bytes.len()).step_by(37)).collect();
        for &cut in &cuts {
            match decode(&bytes[..cut]) {
                // Only what comes behind the picture may be missing.
                Ok(read) => assert_eq!(read.picture, whole, "{extension} cut at {cut} of {}", bytes.len()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused * 10 > cuts.len() * 9, "{extension}: {refused} of {} refused", cuts.len());
        let error = decode(&bytes[..bytes.len() / 2]).unwrap_err();
        assert!(matches!(error, ReadError::Truncated { .. }), "{extension}: {error}");
        assert!(error.to_string().contains("--lenient"), "{error}");
    }
}

#[test]
fn cut_files_give_what_there_is_when_asked() {
    let _turn = alone();
    let lenient = ReadLimits { lenient: true, ..ReadLimits::default() };
    let expected = pixels(64, 64);
    for (extension, bytes) in in_every_format(64, 64) {
        let cut = &bytes[..bytes.len() * 3 / 4];
        for at in (0..bytes.len()).step_by(97) {
            let _ = decode_with(&bytes[..at], &lenient);
        }
        // Lossless WebP and the TIFF's directory, which lies at the end, need the whole file.
        if matches!(extension, "webp" | "tif") {
            assert!(decode_with(cut, &lenient).is_err(), "{extension}");
            continue;
        }
        let read = decode_with(cut, &lenient).unwrap_or_else(|error| panic!("{extension}: {error}"));
        assert_eq!((read.picture.width, read.picture.height), (64, 64), "{extension}");
        assert_eq!(read.notes.len(), 1, "{extension}: {:?}", read.notes);
        // A bitmap's rows run from bottom to top.
        let row = if extension == "bmp" { 60 } else { 3 };
        let tolerance = if extension == "gif" || extension == "jpg" { 60.0 } else { 0.0 };
        for column in 0..64 {
            let found = read.picture.plane(0)[row * 64 + column];
            let stored = f32::from(expected[(row * 64 + column) * 3]);
            assert!((found - stored).abs() <= tolerance, "{extension}, column {column}: {found} for {stored}");
        }
    }
}

#[test]
fn flipped_bytes_do_no_harm() {
    let _turn = alone();
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let limits = ReadLimits { megapixels: 1, ..ReadLimits::default() };
    let lenient = ReadLimits { lenient: true, ..limits };
    for (extension, bytes) in in_every_format(24, 20) {
        let mut outcomes = [0; 2];
        for round in 0..1_500 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + round % 4 {
                // Half of the flips hit the first hundred bytes, where the headers are.
                let range = if random() % 2 == 0 { damaged.len().min(100) } else { damaged.len() };
                let place = random() % range;
                damaged[place] = match random() % 3 {
                    0 => damaged[place] ^ 1 << (random() % 8),
                    1 => 0xff,
                    _ => random() as u8,
                };
            }
            let read = decode_with(&damaged, if round % 3 == 0 { &lenient } else { &limits });
            outcomes[usize::from(read.is_ok())] += 1;
        }
        assert!(outcomes[0] > 50, "{extension}: {outcomes:?} (refused, read)");
    }
}
