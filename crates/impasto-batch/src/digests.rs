//! SHA-256 of files, and the frames in folders, each computed once as long as the file stays what it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use impasto::digest::sha256_of_file;
use impasto::disk::DiskError;
use impasto_film::frames_in;
use impasto_job::Failure;

/// A file that was changed less long ago may change again without a sign: clocks of file systems are coarse.
const SETTLED: Duration = Duration::from_secs(3);

/// What files' digests and folders' frames were.
#[derive(Debug, Default)]
pub struct Digests {
    known: BTreeMap<PathBuf, (u64, SystemTime, String)>,
    /// The frames in folders.
    listed: BTreeMap<PathBuf, (SystemTime, Arc<Vec<PathBuf>>)>,
}

impl Digests {
    /// The digest of a file, computed anew where its length or its time is another than it was.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn of(&mut self, path: &Path) -> Result<String, DiskError> {
        let seen = path.metadata().and_then(|found| Ok((found.len(), found.modified()?))).ok();
        if let (Some((bytes, changed)), Some((known_bytes, known_changed, digest))) = (seen, self.known.get(path))
            && (bytes, changed) == (*known_bytes, *known_changed)
        {
            return Ok(digest.clone());
        }
        let digest = sha256_of_file(path)?;
        if let Some((bytes, changed)) = seen
            && changed.elapsed().is_ok_and(|ago| ago > SETTLED)
        {
            self.known.insert(path.to_owned(), (bytes, changed, digest.clone()));
        }
        Ok(digest)
    }

    /// The frames in a folder, in their order, listed anew where the folder has changed.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn frames_in(&mut self, folder: &Path) -> Result<Arc<Vec<PathBuf>>, Failure> {
        let changed = folder.metadata().and_then(|found| found.modified()).ok();
        if let (Some(changed), Some((known, listed))) = (changed, self.listed.get(folder))
            && changed == *known
        {
            return Ok(Arc::clone(listed));
        }
        let listed = Arc::new(frames_in(folder)?);
        if let Some(changed) = changed.filter(|changed| changed.elapsed().is_ok_and(|ago| ago > SETTLED)) {
            self.listed.insert(folder.to_owned(), (changed, Arc::clone(&listed)));
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_has_another_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut digests = Digests::default();
        assert!(digests.of(&path).is_err());
        let long_ago = SystemTime::now() - Duration::from_secs(100);
        let write = |bytes: &str, at: SystemTime| {
            std::fs::write(&path, bytes).unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        write("abc", long_ago);
        let first = digests.of(&path).unwrap();
        assert!(first.starts_with("ba7816bf") && digests.known.len() == 1);
        write("abd", long_ago + Duration::from_secs(1));
        assert_ne!(digests.of(&path).unwrap(), first);
        // As long, and in the same instant: what is so young is not remembered.
        let now = SystemTime::now();
        write("one", now);
        let young = digests.of(&path).unwrap();
        write("two", now);
        assert_ne!(digests.of(&path).unwrap(), young);
    }
}
