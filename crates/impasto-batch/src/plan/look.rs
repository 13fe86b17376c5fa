//! Every image of a batch, looked at once: whether it can be read, how large it is, what its bytes are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use impasto::digest::{sha256, sha256_of_file};
use impasto::disk::read_file;
use impasto::read::{ReadLimits, decode_picture};
use impasto_job::Failure;

/// Images that are looked at beside each other: each is in memory as long as it takes.
const MOST_WORKERS: usize = 4;

/// What an image is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Width in pixels, upright.
    pub width: usize,
    /// Height in pixels, upright.
    pub height: usize,
    /// The SHA-256 of the file.
    pub sha256: String,
}

/// What the images of a batch are, or why one cannot be read.
#[derive(Debug, Default)]
pub struct Looked {
    seen: BTreeMap<PathBuf, Result<Seen, String>>,
}

impl Looked {
    /// Those that cannot be read, with the sentences why; they are then no longer among these.
    pub fn take_unreadable(&mut self) -> Vec<(PathBuf, String)> {
        let mut unreadable = Vec::new();
        self.seen.retain(|path, seen| match seen {
            Ok(_) => true,
            Err(sentence) => {
                unreadable.push((path.clone(), std::mem::take(sentence)));
                false
            }
        });
        unreadable
    }

    /// Adds files that are no images, by their bytes alone.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn add_weights(&mut self, files: &BTreeSet<PathBuf>) -> Result<(), Failure> {
        for path in files {
            let sha256 = sha256_of_file(path).map_err(Failure::failed)?;
            self.seen.insert(path.clone(), Ok(Seen { sha256, ..Seen::default() }));
        }
        Ok(())
    }

    /// An image that could be read.
    pub fn seen(&self, path: &Path) -> Seen {
        self.seen.get(path).and_then(|seen| seen.as_ref().ok()).cloned().unwrap_or_default()
    }

    /// The SHA-256 of a file that could be read.
    pub fn sha256(&self, path: &Path) -> String {
        self.seen(path).sha256
    }
}

/// Looks at each.
pub fn look(images: &BTreeSet<PathBuf>, limits: ReadLimits) -> Looked {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS).min(images.len());
    let (left, seen) = (Mutex::new(images.iter()), Mutex::new(BTreeMap::new()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|threads| {
        let work = || {
            while let Some(path) = next() {
                let found = look_at(path, &limits);
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), found);
            }
        };
        // This thread works too, so that it is done where the system gives no other.
        for _ in 1..workers {
            let _ = std::thread::Builder::new().spawn_scoped(threads, work);
        }
        work();
    });
    Looked { seen: seen.into_inner().unwrap_or_else(PoisonError::into_inner) }
}

fn look_at(path: &Path, limits: &ReadLimits) -> Result<Seen, String> {
    let bytes = read_file(path, limits.file_mib).map_err(|error| error.to_string())?;
    let picture = decode_picture(&bytes, path, limits).map_err(|error| error.to_string())?.picture;
    Ok(Seen { width: picture.width, height: picture.height, sha256: sha256(&bytes) })
}
