//! Painted frames as a film, with the sound of another, by ffmpeg.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use impasto::disk::{Disk, RealDisk, remove_file_if_present};
use impasto_job::Failure;

use super::decode::{Wanted, between};
use super::probe::{ColourTags, Footage};
use super::programs::{complaint, file_argument, run_with};

/// What becomes a film.
#[derive(Clone, Debug)]
pub struct Encoded<'a> {
    /// The frames in their order, PNG.
    pub frames: &'a [PathBuf],
    /// Size of the frames in pixels.
    pub size: (usize, usize),
    /// The film that they were of, where it has sound.
    pub sound: Option<&'a Path>,
    /// What it is.
    pub footage: &'a Footage,
    /// What of it was wanted.
    pub wanted: &'a Wanted,
}

/// Writes a film; gives what a person should know of it. The file is the old one or the new one at any moment.
///
/// # Errors
/// No ffmpeg, or what it complains of.
pub fn encode(encoded: &Encoded<'_>, output: &Path) -> Result<Vec<String>, Failure> {
    let beside = beside(output);
    let mut notes = Vec::new();
    let (width, height) = encoded.size;
    if width % 2 + height % 2 > 0 {
        notes.push(format!(
            "films have even sizes: of {width}x{height} the last {} left out",
            match (width % 2, height % 2) {
                (1, 1) => "column and row are",
                (1, _) => "column is",
                _ => "row is",
            }
        ));
    }
    let mut ended = try_to(encoded, output, &beside, "copy");
    if ended.is_err() && encoded.sound.is_some() {
        // Not every kind of sound goes into every kind of file.
        let converted = try_to(encoded, output, &beside, "aac");
        if converted.is_ok() {
            notes.push(format!("{} cannot hold the sound as it was; it was converted", output.display()));
            ended = converted;
        }
    }
    if let Err(failure) = ended {
        remove_file_if_present(&RealDisk, &beside).map_err(Failure::failed)?;
        return Err(failure);
    }
    let renamed = RealDisk.replace(&beside, output);
    renamed
        .map_err(|error| Failure::file(output, format_args!("could not be written ({error}); give another name")))?;
    Ok(notes)
}

/// The name that a film has until it is whole.
fn beside(output: &Path) -> PathBuf {
    // By its own name too, for machines that share a folder may have processes of one number.
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let cut = (0..name.len()).find(|cut| name.len() - cut <= 200 && name.is_char_boundary(*cut)).unwrap_or_default();
    output.with_file_name(format!(".impasto-{}-{}", std::process::id(), &name[cut..]))
}

fn try_to(encoded: &Encoded<'_>, output: &Path, beside: &Path, sound: &str) -> Result<(), Failure> {
    let rate = encoded.footage.rate.of_every(encoded.wanted.every);
    // Down a pipe, frames may be called anything.
    let words = ["-v", "error", "-y", "-f", "image2pipe", "-c:v", "png", "-framerate"];
    let mut words: Vec<OsString> = words.map(OsString::from).to_vec();
    words.extend([rate.to_string(), "-i".to_owned(), "-".to_owned()].map(OsString::from));
    if let Some(film) = encoded.sound {
        words.extend(between(encoded.wanted));
        words.extend([OsString::from("-i"), file_argument(film)]);
        // What the film says of itself comes with its sound.
        words.extend(["-map", "0:v:0", "-map", "1:a", "-map_metadata", "1", "-c:a", sound].map(OsString::from));
    }
    words.extend(picture_options(output, &encoded.footage.colours).into_iter().map(OsString::from));
    words.push(file_argument(beside));
    let ended = run_with("ffmpeg", words.iter().map(OsString::as_os_str), encoded.frames)?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(Failure::file(
            output,
            format_args!(
                "could not be written by ffmpeg ({}); give another name, such as one that ends in .mp4",
                complaint(&ended)
            ),
        )),
    }
}

/// How pictures are compressed, by what the file is called, and what is said of their colours.
fn picture_options(output: &Path, colours: &ColourTags) -> Vec<String> {
    let extension = output.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let mut options: Vec<String> = match extension.as_str() {
        "mp4" | "m4v" | "mov" | "mkv" => {
            ["-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p"].map(String::from).to_vec()
        }
        "webm" => ["-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-pix_fmt", "yuv420p"].map(String::from).to_vec(),
        _ => Vec::new(),
    };
    let mut scale = "crop=trunc(iw/2)*2:trunc(ih/2)*2".to_owned();
    if let Some(space) = matrix(colours) {
        scale.push_str(&format!(",scale=out_color_matrix={space}:out_range=tv:flags=accurate_rnd+full_chroma_int"));
        options.extend(["-color_range".to_owned(), "tv".to_owned()]);
    }
    options.extend(["-vf".to_owned(), scale]);
    let tags =
        [("-colorspace", &colours.space), ("-color_trc", &colours.transfer), ("-color_primaries", &colours.primaries)];
    for (option, tag) in tags {
        if let Some(tag) = tag.as_ref().filter(|_| matrix(colours).is_some()) {
            options.extend([option.to_owned(), tag.clone()]);
        }
    }
    if matches!(extension.as_str(), "mp4" | "m4v" | "mov") {
        options.extend(["-movflags".to_owned(), "+faststart".to_owned()]);
    }
    options
}

/// The matrix by which colours become those of the film again, in the names that ffmpeg's scaler has.
fn matrix(colours: &ColourTags) -> Option<&'static str> {
    match colours.space.as_deref()? {
        "bt709" => Some("bt709"),
        "smpte170m" | "bt470bg" => Some("bt601"),
        "smpte240m" => Some("smpte240m"),
        "fcc" => Some("fcc"),
        "bt2020nc" | "bt2020c" => Some("bt2020"),
        _ => None,
    }
}
