//! Masks: white is in, black out. They are kept as we encode them, so that equal masks have one name.

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use impasto::disk::{RealDisk, read_file, replace_file};
use impasto::write::{OutputFormat, WriteOptions, encode_picture};

use super::{MASKS, Shelf, UPLOAD_MIB};
use crate::names::Digest;
use crate::problem::Problem;
use crate::shown::{Shown, aside};
use crate::wire::MaskInfo;

impl Shelf {
    /// Takes a mask: an image, of which what is transparent is out.
    ///
    /// # Errors
    /// No image, or a larger one than is taken.
    pub async fn take_mask(&self, bytes: Vec<u8>) -> Result<MaskInfo, Problem> {
        let bytes: Arc<[u8]> = bytes.into();
        let masks = self.folder.join(MASKS);
        self.decoded(bytes, "the mask".to_owned(), move |read| {
            let mut picture = read.picture;
            if let Some(alpha) = &read.alpha {
                let planes = picture.values.chunks_exact_mut(alpha.values.len());
                planes.for_each(|plane| plane.iter_mut().zip(&alpha.values).for_each(|(value, a)| *value *= a / 255.0));
            }
            let encoded = encode_picture(&picture, OutputFormat::Png, WriteOptions::default(), None);
            let encoded = encoded.map_err(Problem::failed)?;
            let id = Digest::of(&encoded);
            let file = masks.join(format!("{}.png", id.as_str()));
            if !file.is_file() {
                replace_file(&RealDisk, &file, &encoded).map_err(Problem::failed)?;
            }
            Ok(MaskInfo { id, width: picture.width, height: picture.height })
        })
        .await
    }

    /// A mask's file.
    ///
    /// # Errors
    /// There is none.
    pub fn mask(&self, id: &Digest) -> Result<PathBuf, Problem> {
        let file = self.folder.join(MASKS).join(format!("{}.png", id.as_str()));
        match file.is_file() {
            true => Ok(file),
            false => Err(Problem::missing("there is no mask of this identifier; send it to /api/masks first")),
        }
    }

    /// A mask as a picture.
    ///
    /// # Errors
    /// There is none.
    pub async fn mask_shown(&self, id: &Digest) -> Result<Shown, Problem> {
        let (file, digest) = (self.mask(id)?, id.clone());
        // It is what we have encoded, or it is not shown.
        aside(move || {
            let bytes = read_file(&file, UPLOAD_MIB).map_err(Problem::failed)?;
            match Digest::of(&bytes) == digest {
                true => Ok(Shown { bytes: Bytes::from(bytes), kind: "image/png", revision: 0 }),
                false => Err(Problem::failed("this mask's file has changed; send it to /api/masks again")),
            }
        })
        .await
    }
}
