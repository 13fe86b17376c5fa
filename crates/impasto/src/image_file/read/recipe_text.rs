//! The recipe that a picture carries, as text: in a PNG's iTXt chunk, or beside any other picture in its sidecar.

use std::io::Cursor;
use std::path::Path;

use super::sniff::{Format, sniff};
use super::{ReadError, ReadLimits, guard, one_line};
use crate::disk::{DiskError, read_file};
use crate::image_file::write::{RECIPE_KEYWORD, sidecar_path};
use crate::recipe::text_from_bytes;

/// Longest recipe that is read.
const TEXT_LIMIT_MIB: u64 = 1;

/// Reads the recipe of a picture: out of a PNG, out of the `.recipe.json` beside it, or out of such a file itself.
///
/// The text is whatever the file holds; [`crate::recipe`] makes a recipe of it, or says what is wrong.
///
/// # Errors
/// [`ReadError`], one sentence that names the file.
pub fn read_recipe(path: &Path) -> Result<String, ReadError> {
    let bytes = read_file(path, ReadLimits::default().file_mib)?;
    match decode_recipe(&bytes, path) {
        // A PNG would carry its recipe itself; any other picture has it beside it.
        Err(ReadError::NoRecipe { .. }) if sniff(&bytes) != Ok(Format::Png) => {}
        read => return read,
    }
    let sidecar = sidecar_path(path);
    match read_file(&sidecar, TEXT_LIMIT_MIB) {
        Ok(bytes) => recipe_in_text(&bytes, &sidecar),
        Err(DiskError::Missing { .. }) => Err(ReadError::NoRecipe { path: path.to_owned() }),
        Err(error) => Err(error.into()),
    }
}

/// The recipe in the bytes of a PNG or of a `.recipe.json` file; `name` is only used to speak of it.
///
/// # Errors
/// [`ReadError::NoRecipe`] where they are neither, or [`ReadError::RecipeText`].
pub fn decode_recipe(bytes: &[u8], name: &Path) -> Result<String, ReadError> {
    if sniff(bytes) == Ok(Format::Png) {
        return recipe_in_png(bytes, name);
    }
    // Its first letter, behind whatever mark of its encoding.
    let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf\xff\xfe\0".contains(byte));
    if start == Some(&b'{') { recipe_in_text(bytes, name) } else { Err(ReadError::NoRecipe { path: name.to_owned() }) }
}

fn recipe_in_text(bytes: &[u8], path: &Path) -> Result<String, ReadError> {
    let wrong = |reason: &str| ReadError::RecipeText { path: path.to_owned(), reason: reason.to_owned() };
    if bytes.len() as u64 > TEXT_LIMIT_MIB << 20 {
        return Err(wrong("it is longer than 1 MiB"));
    }
    text_from_bytes(bytes).map_err(|error| wrong(&error.to_string()))
}

/// The text of a PNG's recipe chunk, wherever in the file it stands.
fn recipe_in_png(bytes: &[u8], path: &Path) -> Result<String, ReadError> {
    let limit_bytes = (TEXT_LIMIT_MIB << 20) as usize;
    let found = guard::run(|| -> Result<Option<String>, png::DecodingError> {
        let limits = png::Limits { bytes: 64 << 20 };
        let mut reader = png::Decoder::new_with_limits(Cursor::new(bytes), limits).read_info()?;
        let carried = |info: &png::Info| {
            let chunk = info.utf8_text.iter().find(|chunk| chunk.keyword == RECIPE_KEYWORD);
            chunk.cloned().map(|mut chunk| {
                chunk.decompress_text_with_limit(limit_bytes)?;
                chunk.get_text()
            })
        };
        if let Some(text) = carried(reader.info()) {
            return text.map(Some);
        }
        // Other programs may have moved it behind the pixels.
        reader.finish()?;
        carried(reader.info()).transpose()
    });
    let wrong = |reason: String| ReadError::RecipeText { path: path.to_owned(), reason };
    match found {
        Err(guard::Stopped::Panicked) => Err(wrong("its decoder failed".into())),
        Err(guard::Stopped::NoThread) => Err(ReadError::Threads { path: path.to_owned() }),
        Ok(Err(error)) => Err(wrong(one_line(&error.to_string()))),
        Ok(Ok(None)) => Err(ReadError::NoRecipe { path: path.to_owned() }),
        Ok(Ok(Some(text))) => recipe_in_text(text.as_bytes(), path),
    }
}
