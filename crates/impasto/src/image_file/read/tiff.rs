//! TIFF, the largest of its pages, by the tiff crate: grey, grey with alpha, colour, colour with alpha, CMYK and palettes, in whole numbers of 1 to
//! 32 bits or floating point, in strips, tiles or planes.

use std::io::{Cursor, ErrorKind};

use tiff::decoder::ifd::Value;
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{ColorType, TiffError};

use super::channels::Channels;
use super::directory::Directory;
use super::exif::exif_of;
use super::pages::choose_page;
use super::profile::ColourSpace;
use super::raster::{Orientation, Raster, Samples};
use super::sniff::Format;
use super::{DECODER_LIMIT_BYTES, Failure, MISSING_PARTS, ReadLimits, filled};
use crate::image_file::exif::Exif;

pub(super) fn decode(_: Format, bytes: &[u8], limits: &ReadLimits) -> Result<Raster, Failure> {
    let page = choose_page(bytes)?;
    // The crate begins with the first page, so that the page becomes it.
    let moved = (!page.is_first).then(|| page.directory.as_first());
    let mut raster = decode_first_page(moved.as_deref().unwrap_or(bytes), limits)?;
    raster.remarks.extend(page.remark);
    raster.exif = exif_of(&page.directory);
    Ok(raster)
}

fn decode_first_page(bytes: &[u8], limits: &ReadLimits) -> Result<Raster, Failure> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failure)?;
    let meaning = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).map_err(failure)?;
    if meaning != Some(PhotometricInterpretation::RGBPalette.to_u16()) {
        return read(decoder, limits, None);
    }
    // The crate does not decode palettes, but their indices are laid out as greys are: so it is told that they are.
    let colours = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(failure)?;
    let mut as_grey = bytes.to_vec();
    Directory::first(bytes)
        .and_then(|directory| directory.find(Tag::PhotometricInterpretation.to_u16().into()))
        .and_then(|entry| entry.set_short(&mut as_grey, PhotometricInterpretation::BlackIsZero.to_u16()))
        .ok_or(Failure::Truncated)?;
    let decoder = Decoder::new(Cursor::new(as_grey.as_slice())).map_err(failure)?;
    read(decoder, limits, Some(&colours))
}

fn read(mut decoder: Decoder<Cursor<&[u8]>>, limits: &ReadLimits, palette: Option<&[u16]>) -> Result<Raster, Failure> {
    let (width, height) = decoder.dimensions().map_err(failure)?;
    let (width, height) = limits.check(width.into(), height.into())?;
    // The crate fails at these (0.11.3).
    let has_planes = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten() == Some(2);
    if has_planes && decoder.get_chunk_type() == ChunkType::Tile {
        return Err(Failure::Unsupported("tiles of each colour by itself".into()));
    }
    let (mut channels, bits) = channels(decoder.colortype().map_err(failure)?)?;
    // What a fourth (or second) channel is: 1, an alpha that the colours were multiplied by; 2, one that they were not.
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    if channels == Channels::GreyAlpha && !matches!(extra.first(), Some(1 | 2)) {
        return Err(Failure::Unsupported("a second channel that it does not explain".into()));
    }
    let mut remarks = Vec::new();
    let mut decoder = decoder.with_limits(limits_for(width * height * channels.count()));
    let mut samples = DecodingResult::U8(Vec::new());
    match read_samples(&mut decoder, &mut samples) {
        Ok(()) => {}
        Err(_) if limits.lenient && samples.as_buffer(0).as_bytes().iter().any(|byte| *byte != 0) => {
            remarks.push(MISSING_PARTS.into());
        }
        Err(failure) => return Err(failure),
    }
    let mut samples = match (samples, bits) {
        (DecodingResult::U8(packed), 1 | 2 | 4) if channels == Channels::Grey => {
            Samples::Bits8(unpack(&packed, width, height, bits, palette.is_none())?)
        }
        (DecodingResult::U8(samples), 8) => Samples::Bits8(samples),
        (DecodingResult::U16(samples), 16) => Samples::Bits16(samples),
        (DecodingResult::U32(samples), 32) => Samples::Bits32(samples),
        (DecodingResult::F16(samples), 16) => Samples::Float32(samples.iter().map(|sample| sample.to_f32()).collect()),
        (DecodingResult::F32(samples), 32) => Samples::Float32(samples),
        (DecodingResult::F64(samples), 64) => Samples::Float64(samples),
        (_, bits) => return Err(Failure::Unsupported(format!("samples of {bits} bits of an unusual type"))),
    };
    if matches!(samples, Samples::Float32(_) | Samples::Float64(_)) {
        remarks.push("its floating-point samples were taken as 0 for black to 1 for white".into());
    }
    if let Some(palette) = palette {
        samples = look_up(&samples, palette, bits)?;
        channels = Channels::Rgb;
    }
    let profile = match decoder.find_tag(Tag::IccProfile).map(|found| found.map(Value::into_u8_vec)) {
        Ok(Some(Ok(profile))) => Some(profile),
        Ok(None) => None,
        Err(TiffError::LimitsExceeded) => {
            remarks.push("its colour profile is too large and was ignored".into());
            None
        }
        Ok(Some(Err(_))) | Err(_) => {
            remarks.push("its colour profile cannot be read and was ignored".into());
            None
        }
    };
    let orientation = decoder.find_tag_unsigned::<u32>(Tag::Orientation).ok().flatten().unwrap_or(1);
    Ok(Raster {
        width,
        height,
        channels,
        samples,
        is_premultiplied: extra.first() == Some(&1),
        colours: ColourSpace::of(profile),
        orientation: Orientation::from_exif_number(orientation.into()),
        exif: Exif::default(),
        remarks,
    })
}

/// What the samples of a pixel are, and how many bits each has.
fn channels(colour: ColorType) -> Result<(Channels, u8), Failure> {
    Ok(match colour {
        ColorType::Gray(bits) => (Channels::Grey, bits),
        ColorType::GrayA(bits) | ColorType::Multiband { bit_depth: bits, num_samples: 2 } => {
            (Channels::GreyAlpha, bits)
        }
        ColorType::RGB(bits) => (Channels::Rgb, bits),
        ColorType::RGBA(bits) => (Channels::RgbAlpha, bits),
        ColorType::CMYK(bits) => (Channels::Cmyk, bits),
        other => return Err(Failure::Unsupported(format!("colours of type {other:?}"))),
    })
}

/// What a decoder of that many samples may allocate.
fn limits_for(samples: usize) -> Limits {
    let mut allowed = Limits::default();
    // The widest samples have eight bytes. The crate holds the values of tags against the same number.
    let beside = DECODER_LIMIT_BYTES as usize;
    allowed.decoding_buffer_size = samples.saturating_mul(8).saturating_add(beside);
    allowed.intermediate_buffer_size = allowed.decoding_buffer_size;
    allowed.ifd_value_size = beside;
    allowed
}

/// Reads all samples, pixel by pixel, into the buffer; after an error it holds what was read.
fn read_samples(decoder: &mut Decoder<Cursor<&[u8]>>, samples: &mut DecodingResult) -> Result<(), Failure> {
    // The crate cannot be asked whether there is memory: it would end the program where there is none.
    let needed = decoder.image_buffer_layout().map_err(failure)?.complete_len;
    let mut probe: Vec<u8> = Vec::new();
    probe.try_reserve_exact(needed).map_err(|_| Failure::Memory { needed_bytes: needed as u64 })?;
    drop(probe);
    let layout = decoder.read_image_to_buffer(samples).map_err(failure)?;
    if layout.planes < 2 {
        return Ok(());
    }
    match samples {
        DecodingResult::U8(samples) => interleave(samples, layout.planes),
        DecodingResult::U16(samples) => interleave(samples, layout.planes),
        DecodingResult::U32(samples) => interleave(samples, layout.planes),
        DecodingResult::F32(samples) => interleave(samples, layout.planes),
        _ => Err(Failure::Unsupported("planes of an unusual type".into())),
    }
}

/// Planes one behind the other become pixels one behind the other.
fn interleave<T: Copy + Default>(samples: &mut Vec<T>, planes: usize) -> Result<(), Failure> {
    let positions = samples.len() / planes;
    let mut interleaved = filled(T::default(), samples.len())?;
    for (plane, source) in samples.chunks_exact(positions.max(1)).enumerate().take(planes) {
        for (pixel, sample) in interleaved.chunks_exact_mut(planes).zip(source) {
            pixel[plane] = *sample;
        }
    }
    *samples = interleaved;
    Ok(())
}

/// Samples of 1, 2 or 4 bits, high bits first, each row beginning on a byte; as greys they are stretched to 0..=255.
fn unpack(packed: &[u8], width: usize, height: usize, bits: u8, is_grey: bool) -> Result<Vec<u8>, Failure> {
    let bits = usize::from(bits);
    let largest = (1u16 << bits) - 1;
    let row_bytes = (width * bits).div_ceil(8);
    if packed.len() < row_bytes * height {
        return Err(Failure::Truncated);
    }
    let mut samples = filled(0u8, width * height)?;
    for (row, packed) in samples.chunks_exact_mut(width).zip(packed.chunks_exact(row_bytes)) {
        for (x, sample) in row.iter_mut().enumerate() {
            let from_top = x * bits;
            let shift = 8 - bits - from_top % 8;
            let value = u16::from(packed[from_top / 8]) >> shift & largest;
            *sample = if is_grey { value * 255 / largest } else { value } as u8;
        }
    }
    Ok(samples)
}

/// Colours for indices: the palette holds all reds, then all greens, then all blues, in 16 bits.
fn look_up(indices: &Samples, palette: &[u16], bits: u8) -> Result<Samples, Failure> {
    let (Samples::Bits8(indices), 1..=8) = (indices, bits) else {
        return Err(Failure::Unsupported("a palette of more than 256 colours".into()));
    };
    let colours = 1usize << bits;
    if palette.len() != 3 * colours {
        return Err(Failure::Damaged("its palette has the wrong number of colours".into()));
    }
    let mut samples = filled(0u16, 3 * indices.len())?;
    for (pixel, index) in samples.chunks_exact_mut(3).zip(indices) {
        // An index has `bits` bits, so it is within the palette.
        for (channel, sample) in pixel.iter_mut().enumerate() {
            *sample = palette[channel * colours + usize::from(*index)];
        }
    }
    Ok(Samples::Bits16(samples))
}

fn failure(error: TiffError) -> Failure {
    match error {
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => Failure::Truncated,
        TiffError::UnsupportedError(what) => Failure::Unsupported(what.to_string()),
        TiffError::LimitsExceeded => Failure::Damaged("it wants more memory than a picture of its size should".into()),
        error => Failure::Damaged(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_samples_are_unpacked() {
        // Three pixels of two bits a row: 1, 2, 3 then 0, 3, 1; the last two bits of each byte pad it.
        assert_eq!(unpack(&[0b0110_1100, 0b0011_0111], 3, 2, 2, true), Ok(vec![85, 170, 255, 0, 255, 85]));
        assert_eq!(unpack(&[0b0110_1100, 0b0011_0111], 3, 2, 2, false), Ok(vec![1, 2, 3, 0, 3, 1]));
        assert_eq!(unpack(&[0b1010_0000, 0b0000_0001], 8, 2, 1, true).unwrap()[..3], [255, 0, 255]);
        assert_eq!(unpack(&[0x1f], 2, 1, 4, false), Ok(vec![1, 15]));
        assert_eq!(unpack(&[0x1f], 3, 1, 4, false), Err(Failure::Truncated));
    }

    #[test]
    fn planes_are_interleaved() {
        let mut samples = vec![1, 2, 3, 11, 12, 13, 21, 22, 23];
        interleave(&mut samples, 3).unwrap();
        assert_eq!(samples, [1, 11, 21, 2, 12, 22, 3, 13, 23]);
    }
}
