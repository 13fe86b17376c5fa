//! Images: taken, found again, shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto::disk::{RealDisk, create_folder, read_file, replace_file};
use impasto::read::ReadPicture;
use serde::{Deserialize, Serialize};

use super::{IMAGES, Shelf, UPLOAD_MIB};
use crate::names::{Digest, plain_stem};
use crate::problem::Problem;
use crate::shown::{Shown, aside, encode};
use crate::wire::ImageInfo;

/// What an image is.
const ABOUT: &str = "about.json";

/// The least width and height of an image, in pixels.
const LEAST_SIDE_PX: usize = 2;

/// What stands in `about.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    name: String,
    width: usize,
    height: usize,
    has_alpha: bool,
}

impl Shelf {
    /// Takes an image's file, where it is one; one that is here already stays as it is, with its name.
    ///
    /// # Errors
    /// No image, or a larger one than is taken.
    pub async fn take_image(&self, name: &str, bytes: Vec<u8>) -> Result<ImageInfo, Problem> {
        let bytes: Arc<[u8]> = bytes.into();
        let (shelved, folder) = (Arc::clone(&bytes), self.folder.join(IMAGES));
        let id = aside(move || Ok(Digest::of(&shelved))).await?;
        if let Ok((known, _)) = self.image(&id) {
            return Ok(known);
        }
        let name = format!("{}.{}", plain_stem(name, "image"), extension(&bytes));
        let file = Arc::clone(&bytes);
        self.decoded(bytes, name.clone(), move |read| keep(&folder, &id, name, &file, &read)).await
    }

    /// As [`Shelf::take_image`], for what this program has written or brought; waits on this thread.
    ///
    /// # Errors
    /// As [`Shelf::take_image`].
    pub fn bring_image(&self, name: &str, bytes: &[u8]) -> Result<ImageInfo, Problem> {
        let id = Digest::of(bytes);
        if let Ok((known, _)) = self.image(&id) {
            return Ok(known);
        }
        // What it was called by whoever sent it, in what is said of it.
        let given = Path::new(name).extension().map(|extension| extension.to_string_lossy());
        let spoken = match given.map(|extension| plain_stem(&extension, "image")) {
            Some(extension) => format!("{}.{extension}", plain_stem(name, "image")),
            None => plain_stem(name, "image"),
        };
        let read = super::decode(bytes, &spoken)?;
        let name = format!("{}.{}", plain_stem(name, "image"), extension(bytes));
        keep(&self.folder.join(IMAGES), &id, name, bytes, &read)
    }

    /// An image that is here, and its file.
    ///
    /// # Errors
    /// There is none.
    pub fn image(&self, id: &Digest) -> Result<(ImageInfo, PathBuf), Problem> {
        let folder = self.folder.join(IMAGES).join(id.as_str());
        let missing = || Problem::missing("there is no image of this identifier; send it to /api/images first");
        let about = read_file(&folder.join(ABOUT), 1).map_err(|_| missing())?;
        let about: About = serde_json::from_slice(&about).map_err(|_| missing())?;
        // As untrusted as any file: its name is made plain once more.
        let kept = Path::new(&about.name);
        let extension = kept.extension().unwrap_or_default().to_string_lossy().into_owned();
        let file = folder.join(format!("{}.{}", plain_stem(&about.name, "image"), plain_stem(&extension, "image")));
        if !file.is_file() {
            return Err(missing());
        }
        let About { name, width, height, has_alpha } = about;
        Ok((ImageInfo { id: id.clone(), name, width, height, has_alpha }, file))
    }

    /// A picture of an image, no larger than `long_edge_px`.
    ///
    /// # Errors
    /// There is none, or it cannot be read any more.
    pub async fn image_shown(&self, id: &Digest, long_edge_px: usize) -> Result<Shown, Problem> {
        let (info, file) = self.image(id)?;
        let key = (id.as_str().to_owned(), 0, long_edge_px);
        if let Some(shown) = self.showcase.find(&key) {
            return Ok(shown);
        }
        let turn = self.turn().await?;
        let make = move || {
            let bytes = read_file(&file, UPLOAD_MIB).map_err(Problem::failed)?;
            let read = super::decode(&bytes, &info.name)?;
            let shown = encode(&read.picture, read.alpha.as_ref(), long_edge_px, 0);
            drop(turn);
            shown
        };
        self.showcase.show(key, make).await
    }
}

/// Writes an image down: itself, then what it is.
fn keep(images: &Path, id: &Digest, name: String, bytes: &[u8], read: &ReadPicture) -> Result<ImageInfo, Problem> {
    let (width, height) = (read.picture.width, read.picture.height);
    if width.min(height) < LEAST_SIDE_PX {
        return Err(Problem::wrong(format_args!(
            "{name} has {width} x {height} pixels, too few to see anything in; give a larger image"
        )));
    }
    let has_alpha = read.alpha.is_some();
    let folder = images.join(id.as_str());
    create_folder(&RealDisk, &folder).map_err(Problem::failed)?;
    replace_file(&RealDisk, &folder.join(&name), bytes).map_err(Problem::failed)?;
    let about = About { name, width, height, has_alpha };
    let text = serde_json::to_vec(&about).map_err(Problem::failed)?;
    replace_file(&RealDisk, &folder.join(ABOUT), &text).map_err(Problem::failed)?;
    let About { name, .. } = about;
    Ok(ImageInfo { id: id.clone(), name, width, height, has_alpha })
}

/// What an image's name ends in, by its first bytes; who reads it looks for itself.
fn extension(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, ..] => "jpg",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'I', b'I', ..] | [b'M', b'M', ..] => "tif",
        [b'B', b'M', ..] => "bmp",
        [b'G', b'I', b'F', ..] => "gif",
        _ => "image",
    }
}
