//! Images and masks that clients have sent, by what they are: files named by their SHA-256, in `.studio` in the folder of the
//! runs.
//!
//! ```text
//!   RUNS/.studio/images/SHA256/photo.jpg     an image as it came; its name is what recipes call it
//!   RUNS/.studio/images/SHA256/about.json    what it is; written last
//!   RUNS/.studio/masks/SHA256.png            a mask as we have encoded it
//! ```

mod examples;
mod images;
mod masks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto::disk::{RealDisk, create_folder};
use impasto::read::{ReadError, ReadLimits, ReadPicture, decode_picture};
use impasto_job::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
use crate::shown::{Showcase, aside};

/// The folder in that of the runs.
const FOLDER: &str = ".studio";
const IMAGES: &str = "images";
const MASKS: &str = "masks";

/// Largest image file, in MiB.
pub const UPLOAD_MIB: u64 = 64;
/// Largest image, in millions of pixels.
pub const MEGAPIXELS: u64 = 50;

/// The images and masks.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// Whose turn it is to decode.
    turn: Arc<Semaphore>,
    showcase: Arc<Showcase>,
}

impl Shelf {
    /// The shelf in the folder of the runs.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(runs: &Path, showcase: Arc<Showcase>) -> Result<Shelf, Failure> {
        let folder = runs.join(FOLDER);
        for inside in [IMAGES, MASKS] {
            create_folder(&RealDisk, &folder.join(inside)).map_err(Failure::failed)?;
        }
        Ok(Shelf { folder, turn: Arc::new(Semaphore::new(1)), showcase })
    }

    /// Waits for its turn to decode something.
    ///
    /// # Errors
    /// None in practice.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.turn).acquire_owned().await.map_err(Problem::failed)
    }

    /// Decodes an image, one at a time, and does `work` with it on the same thread.
    async fn decoded<T: Send + 'static>(
        &self,
        bytes: Arc<[u8]>,
        name: String,
        work: impl FnOnce(ReadPicture) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn().await?;
        aside(move || {
            let read = decode(&bytes, &name)?;
            let done = work(read);
            drop(turn);
            done
        })
        .await
    }
}

/// What an image may ask for.
pub fn limits() -> ReadLimits {
    ReadLimits { megapixels: MEGAPIXELS, file_mib: UPLOAD_MIB, ..ReadLimits::default() }
}

fn decode(bytes: &[u8], name: &str) -> Result<ReadPicture, Problem> {
    let limits = ReadLimits { keeps_transparency: true, ..limits() };
    decode_picture(bytes, Path::new(name), &limits).map_err(|error: ReadError| Problem::of_image(&error, MEGAPIXELS))
}
