//! The pictures of a run, small enough to be inside of a page.

use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use impasto::read::{ReadLimits, read_picture};
use impasto::resize::long_edge_size;
use impasto::run_folder::{Input, RESULT, RunRecord, frames};
use impasto::write::{OutputFormat, WriteOptions, encode_picture};

/// Quality of the pictures in the page.
const JPEG_QUALITY: u8 = 85;

/// Long edge of the photo and the paintings, in pixels.
const INPUT_EDGE_PX: usize = 320;

/// A picture in a page.
pub struct Shown {
    /// The iteration that it is of; `None` for the result and for what went in.
    pub iteration: Option<u32>,
    /// What it is.
    pub name: String,
    /// Width in the page, in pixels.
    pub width: usize,
    /// Height in the page, in pixels.
    pub height: usize,
    /// `data:` and the bytes.
    pub address: String,
}

/// What a run has to show.
pub struct Pictures {
    /// The photo and the paintings, as far as the folder holds them.
    pub inputs: Vec<Shown>,
    /// Pictures on the way and the result, in time.
    pub over_time: Vec<Shown>,
    /// Pictures on the way that the folder has.
    pub frames: usize,
    /// What could not be shown, a sentence each.
    pub complaints: Vec<String>,
}

impl Pictures {
    /// Reads them; of those on the way at most `most`, evenly spaced, and each at most `edge_px` at its long edge.
    pub fn read(folder: &Path, record: &RunRecord, most: usize, edge_px: usize) -> Pictures {
        let mut all = frames(folder);
        let frames = all.len();
        // The last one is the result itself.
        if record.outcome.as_ref().is_some_and(|end| all.last().is_some_and(|last| last.0 == end.iterations)) {
            all.pop();
        }
        let mut complaints = Vec::new();
        let mut shown = |iteration, name: String, path: &Path, edge_px| match show(path, edge_px) {
            Ok((width, height, address)) => Some(Shown { iteration, name, width, height, address }),
            Err(complaint) => {
                complaints.push(complaint);
                None
            }
        };
        let mut over_time: Vec<Shown> = evenly(&all, most)
            .filter_map(|(iteration, path)| shown(Some(*iteration), format!("iteration {iteration}"), path, edge_px))
            .collect();
        let result = folder.join(RESULT);
        if result.exists() {
            let name = if record.outcome.is_some() { "the picture" } else { "the picture so far" };
            over_time.extend(shown(None, name.to_owned(), &result, edge_px));
        }
        let named = std::iter::once(&record.inputs.content).chain(&record.inputs.styles);
        let inputs =
            named.filter_map(|input| shown(None, input.name.clone(), &within(folder, input)?, INPUT_EDGE_PX)).collect();
        Pictures { inputs, over_time, frames, complaints }
    }
}

/// Where the run's own copy of a file lies. A `run.json` from elsewhere may name any file of this machine; no other than
/// the folder's own gets into a page.
fn within(folder: &Path, input: &Input) -> Option<PathBuf> {
    let stays = input.file.components().all(|part| matches!(part, Component::Normal(_)));
    let (root, path) = (folder.canonicalize().ok()?, folder.join(&input.file).canonicalize().ok()?);
    (stays && path.starts_with(root)).then_some(path)
}

/// At most so many of them, the first and the last among these.
fn evenly<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let count = all.len().min(most);
    let step = move |place: usize| if count > 1 { place * (all.len() - 1) / (count - 1) } else { all.len() - 1 };
    (0..count).map(move |place| &all[step(place)])
}

/// A picture as it stands in a page: width and height, at most `edge_px` at the long edge, and its address, which holds its bytes.
///
/// # Errors
/// What cannot be read, as a sentence.
pub fn show(path: &Path, edge_px: usize) -> Result<(usize, usize, String), String> {
    let picture = read_picture(path, &ReadLimits::default()).map_err(|error| error.to_string())?.picture;
    let (mut width, mut height) = (picture.width, picture.height);
    if width.max(height) > edge_px {
        (width, height) = long_edge_size(width, height, edge_px);
    }
    let picture = picture.resized(width, height).map_err(|error| error.to_string())?;
    let options = WriteOptions { bits: 8, jpeg_quality: JPEG_QUALITY };
    let jpeg = encode_picture(&picture, OutputFormat::Jpeg, options, None).map_err(|error| error.to_string())?;
    Ok((width, height, format!("data:image/jpeg;base64,{}", STANDARD.encode(&jpeg))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_many_are_spread_over_all() {
        let all: Vec<u32> = (0..100).collect();
        let taken = |most| evenly(&all, most).copied().collect::<Vec<_>>();
        assert_eq!(taken(4), [0, 33, 66, 99]);
        assert_eq!(taken(1), [99]);
        assert_eq!(taken(0), [0; 0]);
        assert_eq!(taken(1000), all);
        assert_eq!(evenly(&all[..0], 4).count(), 0);
    }

    #[test]
    fn only_files_of_the_folder_are_shown() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("run");
        std::fs::create_dir_all(folder.join("inputs")).unwrap();
        for path in ["secret.png", "run/inputs/photo.png"] {
            std::fs::write(outer.path().join(path), "a").unwrap();
        }
        let input = |file: PathBuf| Input { name: "photo.png".to_owned(), file, sha256: String::new() };
        let found = |file: &str| within(&folder, &input(PathBuf::from(file))).is_some();
        assert!(found("inputs/photo.png"));
        let absolute = outer.path().join("secret.png");
        for file in ["../secret.png", "inputs/../../secret.png", absolute.to_str().unwrap(), "inputs/none.png"] {
            assert!(!found(file), "{file}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&absolute, folder.join("inputs/link.png")).unwrap();
            assert!(!found("inputs/link.png"));
        }
    }
}
