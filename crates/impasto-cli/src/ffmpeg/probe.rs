//! What a film is, by ffprobe.

use std::ffi::OsStr;
use std::path::Path;

use impasto_job::Failure;
use serde::Deserialize;

use super::programs::{complaint, file_argument, run};
use super::times::Rate;

/// What a film is.
#[derive(Clone, Debug, PartialEq)]
pub struct Footage {
    /// Width of its upright pictures of square pixels.
    pub width: usize,
    /// Their height.
    pub height: usize,
    /// Its frames a second, in the mean.
    pub rate: Rate,
    /// Whether it has the same rate all along.
    pub has_constant_rate: bool,
    /// Whether it has sound.
    pub has_sound: bool,
    /// What it says of its colours.
    pub colours: ColourTags,
}

/// What a film says of its colours, in ffmpeg's names; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColourTags {
    /// The matrix from RGB.
    pub space: Option<String>,
    /// The transfer curve.
    pub transfer: Option<String>,
    /// The primaries.
    pub primaries: Option<String>,
}

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    width: Option<usize>,
    height: Option<usize>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    sample_aspect_ratio: Option<String>,
    color_space: Option<String>,
    color_transfer: Option<String>,
    color_primaries: Option<String>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

#[derive(Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

/// What a film is.
///
/// # Errors
/// No ffprobe; a file that is no film.
pub fn probe(film: &Path) -> Result<Footage, Failure> {
    if !film.exists() {
        return Err(Failure::file(film, "is not there; check the name"));
    }
    let words = ["-v", "error", "-show_streams", "-of", "json"].map(OsStr::new);
    let film_argument = file_argument(film);
    let output = run("ffprobe", words.into_iter().chain([film_argument.as_os_str()]))?;
    let complaint = complaint(&output);
    let unread = || Failure::file(film, format_args!("is no film that ffmpeg reads ({complaint}); give another"));
    if !output.status.success() {
        return Err(unread());
    }
    let probed: Probed = serde_json::from_slice(&output.stdout).map_err(|_| unread())?;
    footage(&probed).ok_or_else(|| Failure::file(film, "has no pictures that move; give a film"))
}

fn footage(probed: &Probed) -> Option<Footage> {
    let is = |stream: &&Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
    // The cover of a piece of music is no film.
    let video = probed.streams.iter().find(|stream| is(stream, "video") && stream.disposition.attached_pic == 0)?;
    let rate = |text: &Option<String>| text.as_deref().and_then(Rate::parse);
    let (mean, base) = (rate(&video.avg_frame_rate), rate(&video.r_frame_rate));
    let aspect = video.sample_aspect_ratio.as_deref().and_then(|text| Rate::parse(&text.replace(':', "/")));
    let pixel_aspect = aspect.filter(|aspect| aspect.frames != aspect.seconds);
    let (mut width, mut height) = (video.width?, video.height?);
    if let Some(aspect) = pixel_aspect {
        width = ((width as f64 * aspect.per_second()).round() as usize).max(1);
    }
    let turned = video.side_data_list.iter().find_map(|side| side.rotation).unwrap_or(0.0);
    if (turned / 90.0).round().abs() % 2.0 == 1.0 {
        (width, height) = (height, width);
    }
    let known = |tag: &Option<String>| tag.clone().filter(|tag| !matches!(tag.as_str(), "unknown" | "reserved" | ""));
    let colours = ColourTags {
        space: known(&video.color_space),
        transfer: known(&video.color_transfer),
        primaries: known(&video.color_primaries),
    };
    let has_constant_rate = match (mean, base) {
        // 29.97 frames a second are said to be 30.
        (Some(mean), Some(base)) => (mean.per_second() / base.per_second() - 1.0).abs() < 2e-3,
        _ => true,
    };
    Some(Footage {
        width,
        height,
        rate: mean.or(base)?,
        has_constant_rate,
        has_sound: probed.streams.iter().any(|stream| is(&stream, "audio")),
        colours,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Footage> {
        footage(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_phones_film_is_upright() {
        let footage = of(r#"{"streams": [
            {"codec_type": "audio"},
            {"codec_type": "video", "width": 1920, "height": 1080, "avg_frame_rate": "2997/100", "r_frame_rate": "30/1",
             "color_space": "bt709", "color_transfer": "unknown", "side_data_list": [{"side_data_type": "x"}, {"rotation": -90}]}]}"#);
        let footage = footage.unwrap();
        assert_eq!((footage.width, footage.height, footage.has_sound), (1080, 1920, true));
        assert!(footage.has_constant_rate);
        assert_eq!((footage.colours.space.as_deref(), footage.colours.transfer), (Some("bt709"), None));
    }

    #[test]
    fn pixels_become_square_and_rates_are_told_apart() {
        let text = r#"{"streams": [{"codec_type": "video", "width": 720, "height": 576, "avg_frame_rate": "12/1",
            "r_frame_rate": "25/1", "sample_aspect_ratio": "16:11"}]}"#;
        let footage = of(text).unwrap();
        assert_eq!((footage.width, footage.height, footage.has_sound), (1047, 576, false));
        assert!(!footage.has_constant_rate);
    }

    #[test]
    fn music_with_a_cover_is_no_film() {
        let text = r#"{"streams": [{"codec_type": "audio"}, {"codec_type": "video", "width": 300, "height": 300,
            "avg_frame_rate": "0/0", "r_frame_rate": "90000/1", "disposition": {"attached_pic": 1}}]}"#;
        assert_eq!(of(text), None);
        assert_eq!(of(r#"{}"#), None);
    }
}
