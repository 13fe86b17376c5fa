//! The frames of a film as pictures, by ffmpeg.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use impasto::disk::fresh_folder;
use impasto_job::Failure;

use super::probe::Footage;
use super::programs::{complaint, file_argument, run_in};

/// What is wanted of a film.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Seconds from where on.
    pub from: Option<f64>,
    /// Seconds where it ends.
    pub to: Option<f64>,
    /// One of so many frames, 1 or more.
    pub every: u32,
    /// The size that pictures are brought to, in pixels; `None` for their own.
    pub size: Option<(usize, usize)>,
}

/// Writes the frames of a film into a folder as PNG, counted from 1; gives them in their order, and what ffmpeg complained of, if
/// some could be read nevertheless.
///
/// # Errors
/// No ffmpeg; a film none of whose frames can be read.
pub fn decode(
    film: &Path,
    footage: &Footage,
    wanted: &Wanted,
    folder: &Path,
) -> Result<(Vec<PathBuf>, Option<String>), Failure> {
    // What an earlier try has left goes, and what one that was killed still writes.
    fresh_folder(folder).map_err(Failure::failed)?;
    let film_there = std::path::absolute(film).map_err(|error| Failure::file(film, error))?;
    let mut words: Vec<OsString> = ["-v", "error", "-nostdin", "-y"].map(OsString::from).to_vec();
    words.extend(between(wanted));
    words.extend([OsString::from("-i"), file_argument(&film_there)]);
    words.extend(["-map", "0:V:0", "-fps_mode", "passthrough", "-vf"].map(OsString::from));
    words.push(filters(footage, wanted).into());
    words.extend(["-pix_fmt", "rgb24", "-compression_level", "1"].map(OsString::from));
    // In its folder, for the folder's own name may have a sign that counts in a pattern.
    words.push("file:%06d.png".into());
    let output = run_in(folder, "ffmpeg", words.iter().map(OsString::as_os_str))?;
    let frames = pictures_in(folder)?;
    let complaint = complaint(&output);
    if frames.is_empty() {
        let why = if complaint.is_empty() { "there are none in that time".to_owned() } else { complaint };
        return Err(Failure::file(film, format_args!("gives no frames ({why}); check the film, --from and --to")));
    }
    Ok((frames, Some(complaint).filter(|complaint| !complaint.is_empty())))
}

/// The part of a film, as options before the input that they count for.
pub fn between(wanted: &Wanted) -> Vec<OsString> {
    let mut words = Vec::new();
    for (option, seconds) in [("-ss", wanted.from), ("-to", wanted.to)] {
        if let Some(seconds) = seconds {
            words.extend([OsString::from(option), format!("{seconds:.6}").into()]);
        }
    }
    words
}

fn filters(footage: &Footage, wanted: &Wanted) -> String {
    let mut filters = Vec::new();
    if !footage.has_constant_rate {
        filters.push(format!("fps={}", footage.rate));
    }
    if wanted.every > 1 {
        filters.push(format!("select=not(mod(n\\,{}))", wanted.every));
    }
    let (width, height) = wanted.size.unwrap_or((footage.width, footage.height));
    filters.push(format!("scale={width}:{height}:flags=lanczos+accurate_rnd+full_chroma_int"));
    filters.push("setsar=1".to_owned());
    filters.join(",")
}

/// The PNG files of a folder, by their names.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unread = |error: std::io::Error| Failure::file(folder, format_args!("cannot be read ({error})"));
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension() == Some(OsStr::new("png")) {
            pictures.push(path);
        }
    }
    pictures.sort();
    Ok(pictures)
}
