//! What chunks of a PNG say about its colours, and whether it moves: those that the decoder does not hand on.
//!
//! A chunk is a length, a name of four letters, a body and a sum, the numbers big-endian; the pixels stand in IDAT chunks,
//! and what is looked for stands before the first of them (PNG, third edition, 5 and 11.3).

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, MatrixCoefficients, ToneReprCurve,
    TransferCharacteristics,
};

use super::numbers::big_endian;
use super::profile::ColourSpace;

/// The colours of sRGB, as a cHRM chunk has them: x and y of white, red, green and blue, times 100,000.
const SRGB_COLOURS: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000];
/// How far from those they may be and still be meant for them.
const NEAR_COLOUR: u32 = 500;
/// What a gAMA chunk has for sRGB, times 100,000.
const SRGB_GAMMA: u32 = 45_455;
/// Gammas that are none: beyond these a chunk is damaged.
const GAMMAS: std::ops::RangeInclusive<u32> = 5_000..=2_000_000;

/// The numbers of a cICP chunk: primaries, transfer, matrix, range (ITU-T H.273).
const SRGB_CODE: [u8; 4] = [1, 13, 0, 1];
/// Transfers of pictures for screens that are brighter than paper: PQ and HLG.
const BRIGHT_TRANSFERS: [u8; 2] = [16, 18];

/// What the chunks of a PNG say.
pub(super) struct Said {
    /// What its colours mean, where chunks say so; else a profile does, or they are sRGB's.
    pub(super) colours: Option<ColourSpace>,
    /// How many pictures its animation has.
    pub(super) frames: Option<u64>,
    /// What of it is not heeded, as a remark.
    pub(super) remark: Option<String>,
}

/// Reads the chunks before the pixels. A cICP chunk comes before a profile, that before an sRGB chunk, and that before gAMA
/// and cHRM, as the specification has it (4.3).
pub(super) fn read_chunks(bytes: &[u8]) -> Said {
    let find = |name: &[u8; 4]| chunks(bytes).find(|(other, _)| *other == name).map(|(_, body)| body);
    let frames = find(b"acTL").and_then(|body| big_endian(body, 0, 4));
    let mut said = Said { colours: None, frames, remark: None };
    if let Some(code) = find(b"cICP").and_then(|body| <[u8; 4]>::try_from(body).ok()) {
        match coded(code) {
            Ok(colours) => {
                said.colours = Some(colours);
                return said;
            }
            Err(remark) => said.remark = Some(remark.into()),
        }
    }
    if find(b"iCCP").is_none() && find(b"sRGB").is_none() {
        let gamma = find(b"gAMA").and_then(|body| big_endian(body, 0, 4)).map(|gamma| gamma as u32);
        let sound_gamma = gamma.filter(|gamma| GAMMAS.contains(gamma));
        if gamma != sound_gamma {
            said.remark = Some("its gAMA chunk makes no sense and was ignored".into());
        }
        let colours = find(b"cHRM").and_then(|body| {
            let mut colours = [0; 8];
            for (place, colour) in colours.iter_mut().enumerate() {
                *colour = big_endian(body, 4 * place, 4)? as u32;
            }
            Some(colours)
        });
        if let Some((profile, words)) = described(sound_gamma, colours) {
            said.colours = Some(ColourSpace::Described(Box::new(profile), words));
        }
    }
    said
}

/// Names and bodies of the chunks before the pixels, as far as they are whole.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::try_from(big_endian(rest, 0, 4)?).ok()?;
        let (name, body) = (rest.get(4..8)?, rest.get(8..8usize.checked_add(length)?)?);
        rest = rest.get(length + 12..).unwrap_or_default();
        (name != b"IDAT").then_some((name, body))
    })
}

/// What gAMA and cHRM chunks describe; nothing where it is sRGB, or near enough to be meant for it.
fn described(gamma: Option<u32>, colours: Option<[u32; 8]>) -> Option<(ColorProfile, String)> {
    // libpng takes a gamma for another's if the product is off by less than a twentieth.
    let has_own_curve = gamma.is_some_and(|gamma| gamma.abs_diff(SRGB_GAMMA) * 20 > SRGB_GAMMA);
    let colours = colours
        .filter(|colours| colours.iter().zip(SRGB_COLOURS).any(|(colour, srgb)| colour.abs_diff(srgb) > NEAR_COLOUR));
    if !has_own_curve && colours.is_none() {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    // Its code would be preferred to its curves.
    profile.cicp = None;
    let mut words = Vec::new();
    if let Some(colours) = colours {
        let [white, red, green, blue] = [0, 2, 4, 6].map(|place| {
            let [x, y] = [colours[place], colours[place + 1]].map(|part| part as f32 / 100_000.0);
            Chromaticity::new(x, y)
        });
        profile.update_rgb_colorimetry(white.to_xyyb(), ColorPrimaries { red, green, blue });
        words.push("the colours of its cHRM chunk".to_owned());
    }
    // Where the colours are its own, so is the curve, even one near sRGB's.
    if let Some(gamma) = gamma {
        let exponent = 100_000.0 / gamma as f32;
        let curve = ToneReprCurve::Parametric(vec![exponent]);
        (profile.red_trc, profile.green_trc, profile.blue_trc) =
            (Some(curve.clone()), Some(curve.clone()), Some(curve));
        words.insert(0, format!("the gamma of its gAMA chunk ({})", f64::from(gamma) / 100_000.0));
    }
    Some((profile, words.join(" and ")))
}

/// What a cICP chunk describes, or a remark where it cannot be heeded.
fn coded(code: [u8; 4]) -> Result<ColourSpace, &'static str> {
    let [primaries, transfer, matrix, range] = code;
    if code == SRGB_CODE {
        return Ok(ColourSpace::Srgb);
    }
    if BRIGHT_TRANSFERS.contains(&transfer) {
        return Err("its colours are meant for an HDR screen (its cICP chunk), which is not heeded: they may be pale");
    }
    let ignored = "its cICP chunk is of a kind that is not heeded";
    let (Ok(color_primaries), Ok(transfer_characteristics)) =
        (CicpColorPrimaries::try_from(primaries), TransferCharacteristics::try_from(transfer))
    else {
        return Err(ignored);
    };
    let matrix_coefficients = MatrixCoefficients::Identity;
    let full_range = range == 1;
    let mut profile = ColorProfile::new_srgb();
    let code = CicpProfile { color_primaries, transfer_characteristics, matrix_coefficients, full_range };
    // What the library answers does not say whether it knew the code (moxcms 0.8.1), but whether there are curves does.
    profile.red_trc = None;
    profile.update_rgb_colorimetry_from_cicp(code);
    if matrix != 0 || !full_range || profile.red_trc.is_none() {
        return Err(ignored);
    }
    Ok(ColourSpace::Described(Box::new(profile), "the colours of its cICP chunk".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_be_bytes()[..], name, body, &[0; 4]].concat()
    }

    fn words(chunks: &[&[u8]]) -> String {
        let said = read_chunks(&[&[0; 8][..], &chunks.concat(), &chunk(b"IDAT", &[])].concat());
        match said.colours {
            None | Some(ColourSpace::Profile(_)) => said.remark.unwrap_or_else(|| "profile".into()),
            Some(ColourSpace::Srgb) => "sRGB".into(),
            Some(ColourSpace::Described(_, words)) => words,
        }
    }

    #[test]
    fn the_strongest_chunk_is_heeded() {
        let gamma = |gamma: u32| chunk(b"gAMA", &gamma.to_be_bytes());
        let (linear, srgb, profile) = (gamma(100_000), chunk(b"sRGB", &[0]), chunk(b"iCCP", b"x"));
        let code = |code: [u8; 4]| chunk(b"cICP", &code);
        assert_eq!(words(&[&linear]), "the gamma of its gAMA chunk (1)");
        assert_eq!(words(&[&linear, &srgb]), "profile");
        assert_eq!(words(&[&profile, &linear]), "profile");
        assert_eq!(words(&[&profile, &code([12, 13, 0, 1])]), "the colours of its cICP chunk");
        assert_eq!(words(&[&profile, &code(SRGB_CODE)]), "sRGB");
        assert!(words(&[&code([9, 16, 0, 1])]).contains("HDR"));
        assert!(words(&[&code([1, 13, 1, 1])]).contains("not heeded"));
        // Near sRGB's, as most programs write it beside sRGB; and numbers that are none.
        assert_eq!(words(&[&gamma(45_455)]), "profile");
        assert_eq!(words(&[&gamma(47_000)]), "profile");
        assert_eq!(words(&[&gamma(55_556)]), "the gamma of its gAMA chunk (0.55556)");
        assert!(words(&[&gamma(0)]).contains("makes no sense"));
        // Behind the pixels they mean nothing, and cut off they are none.
        assert_eq!(words(&[&chunk(b"IDAT", &[]), &linear]), "profile");
        assert!(read_chunks(&[&[0; 8][..], &linear[..10]].concat()).colours.is_none());
        let colours = |numbers: [u32; 8]| chunk(b"cHRM", &numbers.map(u32::to_be_bytes).concat());
        assert_eq!(words(&[&colours(SRGB_COLOURS), &gamma(45_455)]), "profile");
        let adobe = [31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000];
        assert_eq!(words(&[&colours(adobe)]), "the colours of its cHRM chunk");
    }
}
