//! Pictures as clients see them: encoded by us, each once, and remembered within bounds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use impasto::Picture;
use impasto::picture::alpha::Alpha;
use impasto::resize::long_edge_size;
use impasto::write::{Carried, OutputFormat, WriteOptions, encode_carrying};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Bytes of encoded pictures that are remembered.
const REMEMBERED_BYTES: usize = 16 << 20;

/// Quality of a picture that is looked at on the way.
const QUALITY: u8 = 88;

/// The long edge of a picture where nothing else is asked for, in pixels.
pub const USUAL_EDGE_PX: usize = 512;

/// An encoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its file.
    pub bytes: Bytes,
    /// Its media type.
    pub kind: &'static str,
    /// Which of the run's pictures it is; 0 for what has no revisions.
    pub revision: u32,
}

/// What a picture is remembered by: whose it is, its revision, its long edge.
pub type Key = (String, u32, usize);

/// Encodes pictures one at a time, and remembers the last of them.
#[derive(Debug)]
pub struct Showcase {
    shown: Mutex<VecDeque<(Key, Shown)>>,
    turn: Arc<Semaphore>,
}

impl Default for Showcase {
    fn default() -> Showcase {
        Showcase { shown: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Showcase {
    /// The picture of this key; `make` gives it on another thread where it is not remembered.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn show(
        self: &Arc<Self>,
        key: Key,
        make: impl FnOnce() -> Result<Shown, Problem> + Send + 'static,
    ) -> Result<Shown, Problem> {
        if let Some(shown) = self.find(&key) {
            return Ok(shown);
        }
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(Problem::failed)?;
        // Somebody before in line may have wanted the same.
        if let Some(shown) = self.find(&key) {
            return Ok(shown);
        }
        let showcase = Arc::clone(self);
        aside(move || {
            let shown = make()?;
            showcase.remember(key, shown.clone());
            drop(turn);
            Ok(shown)
        })
        .await
    }

    /// The picture of this key, where it is remembered.
    pub fn find(&self, key: &Key) -> Option<Shown> {
        self.lock().iter().find(|(known, _)| known == key).map(|(_, shown)| shown.clone())
    }

    fn remember(&self, key: Key, shown: Shown) {
        let mut all = self.lock();
        all.push_back((key, shown));
        while all.iter().map(|(_, shown)| shown.bytes.len()).sum::<usize>() > REMEMBERED_BYTES {
            all.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Shown)>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does work that takes a while on another thread; a panic there is a problem here.
///
/// # Errors
/// Those of the work.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Problem::failed("the studio failed at this; what it paints goes on")),
    }
}

/// A picture no larger than this, as a JPEG; as a PNG where some of it is transparent.
///
/// # Errors
/// The encoder's.
pub fn encode(picture: &Picture, alpha: Option<&Alpha>, long_edge_px: usize, revision: u32) -> Result<Shown, Problem> {
    let edge = picture.long_edge().min(long_edge_px);
    let (width, height) = long_edge_size(picture.width, picture.height, edge);
    let resized = picture.resized(width, height).map_err(Problem::failed)?;
    let alpha = alpha.map(|alpha| alpha.resized(width, height)).transpose().map_err(Problem::failed)?;
    let (format, kind) = match alpha {
        Some(_) => (OutputFormat::Png, "image/png"),
        None => (OutputFormat::Jpeg, "image/jpeg"),
    };
    let options = WriteOptions { bits: 8, jpeg_quality: QUALITY };
    let carried = Carried { alpha: alpha.as_ref(), ..Carried::default() };
    let bytes = encode_carrying(&resized, format, options, &carried).map_err(Problem::failed)?;
    Ok(Shown { bytes: bytes.into(), kind, revision })
}
