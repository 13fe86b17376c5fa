//! Files whose bytes are here already: what came through a pipe, which can be read only once, or over a network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::file_name;

/// What recipes call a file that came through a pipe, which has no name that another run could find it by.
pub const NAMELESS: &str = "-";

/// Files whose bytes a front end has already, by the paths under which an order names them. Clones share the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldFiles {
    files: BTreeMap<PathBuf, Held>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    spoken: PathBuf,
    bytes: Arc<[u8]>,
}

impl HeldFiles {
    /// Keeps the bytes of what an order calls `path` and sentences call `spoken`. Gives whether there was nothing of that
    /// path before.
    pub fn hold(&mut self, path: &Path, spoken: &str, bytes: Vec<u8>) -> bool {
        let held = Held { spoken: PathBuf::from(spoken), bytes: bytes.into() };
        self.files.insert(path.to_owned(), held).is_none()
    }

    /// The bytes of what an order calls `path`; `None` where they have to be read from there.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<&[u8]> {
        self.files.get(path).map(|held| &held.bytes[..])
    }

    /// What sentences call it.
    pub(crate) fn spoken<'path>(&'path self, path: &'path Path) -> &'path Path {
        self.files.get(path).map_or(path, |held| &held.spoken)
    }

    /// What a recipe calls it.
    pub(crate) fn name(&self, path: &Path) -> String {
        if self.files.contains_key(path) { NAMELESS.to_owned() } else { file_name(path) }
    }
}
