//! The twin of the real disk: in memory, and as bad as its seed says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use impasto::disk::{Disk, OpenFile};

/// A disk in memory that remembers what has been confirmed, counts operations, and fails where it is told to.
#[derive(Clone, Default)]
pub struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Names as programs see them now: to the number of a file.
    names: BTreeMap<PathBuf, usize>,
    /// Names as they are on the platter.
    confirmed_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since, in order: `None` removes. A name's folder confirms it.
    pending_names: Vec<(PathBuf, Option<usize>)>,
    files: Vec<Contents>,
    /// Folders that were made here, each a file of its own; all others have been there for long.
    folders: BTreeSet<PathBuf>,
    operations: usize,
    /// Fails the operation of this number, counted from 0; all later ones too where `for_ever`.
    fails_at: Option<usize>,
    for_ever: bool,
    random: u64,
}

#[derive(Clone, Default)]
struct Contents {
    bytes: Vec<u8>,
    /// What a power cut leaves for sure.
    confirmed: Vec<u8>,
    /// Start and length of each write since.
    pending: Vec<(usize, usize)>,
}

impl State {
    fn next_random(&mut self) -> u64 {
        // splitmix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn operation(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fails_at {
            Some(fails_at) if number == fails_at || (self.for_ever && number > fails_at) => {
                let kinds = [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other];
                Err(kinds[self.next_random() as usize % kinds.len()].into())
            }
            _ => Ok(()),
        }
    }

    fn new_file(&mut self, path: &Path) -> usize {
        self.files.push(Contents::default());
        let number = self.files.len() - 1;
        self.set_name(path, Some(number));
        number
    }

    fn set_name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(file) => self.names.insert(path.to_owned(), file),
            None => self.names.remove(path),
        };
        self.pending_names.push((path.to_owned(), file));
    }
}

impl FaultyDisk {
    pub fn new(seed: u64) -> FaultyDisk {
        let disk = FaultyDisk::default();
        disk.0.lock().unwrap().random = seed;
        disk
    }

    /// A file that has been there for long.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap();
        let contents = Contents { bytes: bytes.to_vec(), confirmed: bytes.to_vec(), pending: Vec::new() };
        state.files.push(contents);
        let number = state.files.len() - 1;
        state.names.insert(path.to_owned(), number);
        state.confirmed_names.insert(path.to_owned(), number);
    }

    pub fn fail_at(&self, operation: usize, for_ever: bool) {
        let mut state = self.0.lock().unwrap();
        state.fails_at = Some(operation);
        state.for_ever = for_ever;
    }

    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.lock().unwrap();
        state.names.get(path).map(|number| state.files[*number].bytes.clone())
    }

    pub fn names(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }

    pub fn operations(&self) -> usize {
        self.0.lock().unwrap().operations
    }

    /// What is found after a power cut: names as of some moment since the last confirmation; of each file's unconfirmed
    /// writes, in any order, some done, some not, some in part, some as garbage.
    pub fn after_power_cut(&self) -> FaultyDisk {
        let mut state = self.0.lock().unwrap();
        let mut names = state.confirmed_names.clone();
        let survivors = state.next_random() as usize % (state.pending_names.len() + 1);
        for (path, file) in state.pending_names[..survivors].iter().cloned() {
            match file {
                Some(file) => names.insert(path, file),
                None => names.remove(&path),
            };
        }
        // What lies in a folder is lost with its name.
        let lost: Vec<PathBuf> = state.folders.iter().filter(|path| !names.contains_key(*path)).cloned().collect();
        names.retain(|path, _| !lost.iter().any(|folder| path.starts_with(folder)));
        let mut files = state.files.clone();
        for file in &mut files {
            let mut found = file.confirmed.clone();
            for (start, length) in file.pending.clone() {
                let kept = match state.next_random() % 4 {
                    0 => continue,
                    1 => state.next_random() as usize % (length + 1),
                    _ => length,
                };
                found.resize(found.len().max(start + kept), 0);
                found[start..start + kept].copy_from_slice(&file.bytes[start..start + kept]);
                if kept > 0 && state.next_random().is_multiple_of(4) {
                    found[start + kept - 1] ^= 0xff;
                }
            }
            *file = Contents { bytes: found.clone(), confirmed: found, pending: Vec::new() };
        }
        let found = State { names: names.clone(), confirmed_names: names, files, ..State::default() };
        FaultyDisk(Arc::new(Mutex::new(found)))
    }
}

impl Disk for FaultyDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let number = state.new_file(path);
        Ok(Box::new(FaultyFile { disk: self.clone(), number }))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<bool> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        if state.names.contains_key(folder) {
            return Ok(false);
        }
        // A path of one part lies in the folder that the program was started in.
        if folder.parent().is_some_and(|above| above != Path::new("") && !state.names.contains_key(above)) {
            return Err(ErrorKind::NotFound.into());
        }
        state.new_file(folder);
        state.folders.insert(folder.to_owned());
        Ok(true)
    }

    fn open_end(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        let number = *state.names.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), number }))
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        let number = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
        // One change: a power cut leaves both names as they were, or neither.
        state.names.remove(from);
        state.set_name(to, Some(number));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        if !state.names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        state.set_name(path, None);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        let State { names, confirmed_names, pending_names, .. } = &mut *state;
        let lies_in_it =
            |path: &Path| path.parent().is_some_and(|above| Path::new(".").join(above) == Path::new(".").join(folder));
        confirmed_names.retain(|path, _| !lies_in_it(path));
        confirmed_names
            .extend(names.iter().filter(|(path, _)| lies_in_it(path)).map(|(path, file)| (path.clone(), *file)));
        pending_names.retain(|(path, _)| !lies_in_it(path));
        Ok(())
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    number: usize,
}

impl OpenFile for FaultyFile {
    /// Takes a random part of the bytes, as a system may.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.0.lock().unwrap();
        if state.next_random().is_multiple_of(8) {
            return Err(ErrorKind::Interrupted.into());
        }
        state.operation()?;
        let taken = 1 + state.next_random() as usize % bytes.len();
        let file = &mut state.files[self.number];
        let start = file.bytes.len();
        file.bytes.extend(&bytes[..taken]);
        file.pending.push((start, taken));
        Ok(taken)
    }

    fn length_bytes(&self) -> io::Result<u64> {
        let mut state = self.disk.0.lock().unwrap();
        state.operation()?;
        Ok(state.files[self.number].bytes.len() as u64)
    }

    fn cut(&mut self, length_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        state.operation()?;
        let file = &mut state.files[self.number];
        let length = file.bytes.len().min(length_bytes as usize);
        file.bytes.truncate(length);
        // Of what was not confirmed nothing beyond the new end comes back.
        file.pending.retain(|&(start, _)| start < length);
        for (start, count) in &mut file.pending {
            *count = (*count).min(length - *start);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        state.operation()?;
        let file = &mut state.files[self.number];
        file.confirmed = file.bytes.clone();
        file.pending.clear();
        Ok(())
    }
}
