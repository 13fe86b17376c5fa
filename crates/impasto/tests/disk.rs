//! A file is the old one or the new one, whatever the disk does: it fails at any operation, writes only parts, loses
//! power and with it any of the writes that were not yet confirmed.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use impasto::Scale;
use impasto::checkpoint::{Checkpoint, Keeper, NAMES, Place, Snapshot};
use impasto::disk::{
    Disk, DiskError, OpenFile, RealDisk, check_writable, read_file, remove_file_if_present, replace_file, stage_file,
};
use impasto::optimiser::optimiser;
use impasto::picture::Picture;
use impasto::recipe::{OptimizerKind, Recipe};
use impasto::write::{WriteOptions, encode_picture, sidecar_path, write_picture};

/// A disk in memory that remembers what has been confirmed, counts operations, and fails where it is told to.
#[derive(Clone, Default)]
struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Names as programs see them now: to the number of a file.
    names: BTreeMap<PathBuf, usize>,
    /// Names as they are on the platter.
    confirmed_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since, in order: `None` removes.
    pending_names: Vec<(PathBuf, Option<usize>)>,
    files: Vec<Contents>,
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

    fn set_name(&mut self, path: &Path, file: Option<usize>) {
        match file {
            Some(file) => self.names.insert(path.to_owned(), file),
            None => self.names.remove(path),
        };
        self.pending_names.push((path.to_owned(), file));
    }
}

impl FaultyDisk {
    fn new(seed: u64) -> FaultyDisk {
        let disk = FaultyDisk::default();
        disk.0.lock().unwrap().random = seed;
        disk
    }

    /// A file that has been there for long.
    fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap();
        let contents = Contents { bytes: bytes.to_vec(), confirmed: bytes.to_vec(), pending: Vec::new() };
        state.files.push(contents);
        let number = state.files.len() - 1;
        state.names.insert(path.to_owned(), number);
        state.confirmed_names.insert(path.to_owned(), number);
    }

    fn fail_at(&self, operation: usize, for_ever: bool) {
        let mut state = self.0.lock().unwrap();
        state.fails_at = Some(operation);
        state.for_ever = for_ever;
    }

    fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.lock().unwrap();
        state.names.get(path).map(|number| state.files[*number].bytes.clone())
    }

    fn names(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }

    fn operations(&self) -> usize {
        self.0.lock().unwrap().operations
    }

    /// What is found after a power cut: names as of some moment since the last confirmation; of each file's unconfirmed
    /// writes, in any order, some done, some not, some in part, some as garbage.
    fn after_power_cut(&self) -> FaultyDisk {
        let mut state = self.0.lock().unwrap();
        let mut names = state.confirmed_names.clone();
        let survivors = state.next_random() as usize % (state.pending_names.len() + 1);
        for (path, file) in state.pending_names[..survivors].iter().cloned() {
            match file {
                Some(file) => names.insert(path, file),
                None => names.remove(&path),
            };
        }
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
        state.files.push(Contents::default());
        let number = state.files.len() - 1;
        state.set_name(path, Some(number));
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

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operation()?;
        state.confirmed_names = state.names.clone();
        state.pending_names.clear();
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

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        state.operation()?;
        let file = &mut state.files[self.number];
        file.confirmed = file.bytes.clone();
        file.pending.clear();
        Ok(())
    }
}

const OLD: &[u8] = b"the old picture";

fn new_bytes() -> Vec<u8> {
    (0..200u8).collect()
}

fn target() -> PathBuf {
    PathBuf::from("folder/picture.png")
}

#[test]
fn each_failing_operation_leaves_the_old_file_or_the_new_one() {
    for for_ever in [false, true] {
        for seed in 0..200 {
            let disk = FaultyDisk::new(seed);
            disk.put(&target(), OLD);
            let fails_at = seed as usize % 20;
            disk.fail_at(fails_at, for_ever);
            let done = replace_file(&disk, &target(), &new_bytes());
            let found = disk.contents(&target()).unwrap();
            let place = format!("seed {seed}, operation {fails_at}, for ever {for_ever}: {done:?}");
            match &done {
                Ok(()) | Err(DiskError::Unconfirmed { .. }) => assert_eq!(found, new_bytes(), "{place}"),
                Err(DiskError::Unwritten { .. }) => assert_eq!(found, OLD, "{place}"),
                Err(_) => panic!("{place}"),
            }
            assert_eq!(done.is_ok(), disk.operations() <= fails_at, "{place}");
            // A disk that fails once lets the temporary file be removed.
            if !for_ever {
                assert_eq!(disk.names(), [target()], "{place}");
            }
        }
    }
}

#[test]
fn a_power_cut_leaves_the_old_file_or_the_new_one() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..20_000 {
        let disk = FaultyDisk::new(seed);
        disk.put(&target(), OLD);
        // The power goes before an operation of the seed's choice; what comes later never happens.
        let cut_at = seed as usize % 24;
        disk.fail_at(cut_at, true);
        let done = replace_file(&disk, &target(), &new_bytes());
        let found = disk.after_power_cut().contents(&target()).unwrap();
        if done.is_ok() {
            assert_eq!(found, new_bytes(), "seed {seed}: what was reported as written is not there");
        }
        if found == OLD {
            old += 1;
        } else {
            assert_eq!(found, new_bytes(), "seed {seed}: neither the old file nor the new one");
            new += 1;
        }
    }
    assert!(old > 1_000 && new > 1_000, "the test must see both: {old} old, {new} new");
}

/// The checker is checked: a program that renames before it has confirmed the bytes is caught.
#[test]
fn the_faulty_disk_catches_a_missing_sync() {
    let broken = (0..200).any(|seed| {
        let disk = FaultyDisk::new(seed);
        disk.put(&target(), OLD);
        let temporary = PathBuf::from("folder/temporary");
        let mut file = disk.create_new(&temporary).unwrap();
        let bytes = new_bytes();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            rest = &rest[file.write(rest).unwrap_or(0)..];
        }
        disk.replace(&temporary, &target()).unwrap();
        disk.sync_folder(Path::new("folder")).unwrap();
        let found = disk.after_power_cut().contents(&target()).unwrap();
        found != OLD && found != bytes
    });
    assert!(broken);
}

#[test]
fn a_picture_never_lies_beside_the_recipe_of_another() {
    let path = PathBuf::from("folder/picture.jpg");
    let paint = |shade: f32| Picture::filled(8, 8, [shade; 3]).unwrap();
    let options = WriteOptions::default();
    let encode = |shade| {
        let format = impasto::write::OutputFormat::Jpeg;
        encode_picture(&paint(shade), format, options, None).unwrap()
    };
    let (old, new) = (encode(50.0), encode(150.0));
    for seed in 0..2_000 {
        let disk = FaultyDisk::new(seed);
        disk.put(&path, &old);
        disk.put(&sidecar_path(&path), b"{old}");
        disk.fail_at(seed as usize % 60, seed % 2 == 0);
        let done = write_picture(&disk, &path, &paint(150.0), options, Some("{new}"));
        for found in [disk.clone(), disk.after_power_cut()] {
            let picture = found.contents(&path).unwrap();
            let recipe = found.contents(&sidecar_path(&path));
            assert!(picture == old || picture == new, "seed {seed}");
            let belongs = match recipe.as_deref() {
                Some(b"{old}") => picture == old,
                Some(b"{new}") => picture == new,
                None => done.is_err(),
                Some(_) => false,
            };
            assert!(belongs, "seed {seed}: {recipe:?}");
        }
    }
}

/// Every evaluation of a tiny run, as checkpoints show it.
fn save_evaluations(keeper: &mut Keeper<'_>, evaluations: std::ops::RangeInclusive<u32>) -> Result<(), DiskError> {
    let recipe = Recipe { optimizer: Some(OptimizerKind::Adam), ..Recipe::default() }.resolve().unwrap();
    let mut optimiser = optimiser(&recipe, 4, 4);
    let mut picture = vec![100.0; 48];
    optimiser.advance(&mut picture, 1.0, &[0.5; 48]);
    for evaluations in evaluations {
        let place = Place { scale_index: 0, scale_evaluations: evaluations, iterations: evaluations, evaluations };
        let scale = Scale { width: 4, height: 4, evaluations: 9 };
        let (picture, optimiser) = (picture.as_slice(), optimiser.as_ref());
        keeper.save(&Snapshot { recipe: &recipe, scale, place, losses: None, picture, optimiser })?;
    }
    Ok(())
}

#[test]
fn whatever_the_disk_does_a_whole_checkpoint_is_there() {
    let newest = |disk: &FaultyDisk| {
        let whole = NAMES.iter().filter_map(|name| {
            let path = Path::new("run").join(name);
            Checkpoint::decode(&disk.contents(&path)?, &path).ok()
        });
        whole.map(|checkpoint| checkpoint.place.evaluations).max()
    };
    let mut found = [0; 4];
    for seed in 0..10_000 {
        let disk = FaultyDisk::new(seed);
        let mut keeper = Keeper::new(&disk, Path::new("run"), None);
        save_evaluations(&mut keeper, 1..=2).unwrap();
        let operations = disk.operations();
        disk.fail_at(operations + seed as usize % 24, seed % 3 != 0);
        let saved = save_evaluations(&mut keeper, 3..=3);
        for state in [disk.clone(), disk.after_power_cut()] {
            let newest = newest(&state).expect("a whole checkpoint");
            assert!(newest == 3 || (newest == 2 && saved.is_err()), "seed {seed}: {newest}, {saved:?}");
            found[newest as usize] += 1;
        }
        // A disk that failed once takes the next checkpoint.
        if seed % 3 == 0 && saved.is_err() {
            save_evaluations(&mut keeper, 4..=4).unwrap();
            assert_eq!(newest(&disk.after_power_cut()), Some(4), "seed {seed}");
        }
    }
    assert!(found[2] > 1_000 && found[3] > 1_000, "the test must see both: {found:?}");
}

#[test]
fn on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.png");
    replace_file(&RealDisk, &path, OLD).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), OLD);
    replace_file(&RealDisk, &path, &new_bytes()).unwrap();
    assert_eq!(read_file(&path, 1).unwrap(), new_bytes());
    replace_file(&RealDisk, &path, b"").unwrap();
    assert_eq!(read_file(&path, 1).unwrap(), b"");
    // Not committed: as if it had never been.
    drop(stage_file(&RealDisk, &path, OLD).unwrap());
    assert_eq!(read_file(&path, 1).unwrap(), b"");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    remove_file_if_present(&RealDisk, &path).unwrap();
    remove_file_if_present(&RealDisk, &path).unwrap();
    assert!(matches!(read_file(&path, 1), Err(DiskError::Missing { .. })));
    assert!(matches!(read_file(folder.path(), 1), Err(DiskError::NotAFile { .. })));
    std::fs::write(&path, vec![0; (1 << 20) + 1]).unwrap();
    assert!(matches!(read_file(&path, 1), Err(DiskError::TooLarge { limit_mib: 1, .. })));
}

#[test]
#[cfg(unix)]
fn links_stay_links_and_permissions_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("picture.png"), folder.path().join("latest.png"));
    std::fs::write(&file, OLD).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    symlink("picture.png", &link).unwrap();
    replace_file(&RealDisk, &link, b"new").unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn places_that_cannot_be_written_are_found_before_work() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::fs::write(inside("file"), b"").unwrap();
    check_writable(&inside("new.png"), 1 << 20).unwrap();
    check_writable(&inside("file"), 1 << 20).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    assert!(matches!(check_writable(&inside("missing/new.png"), 0), Err(DiskError::NoFolder { .. })));
    assert!(matches!(check_writable(&inside("file/new.png"), 0), Err(DiskError::NoFolder { .. })));
    assert!(matches!(check_writable(folder.path(), 0), Err(DiskError::NotAFile { .. })));
    assert!(matches!(check_writable(Path::new("/"), 0), Err(DiskError::NotAFile { .. })));
    #[cfg(unix)]
    assert!(matches!(check_writable(&inside("new.png"), u64::MAX), Err(DiskError::NoSpace { .. })));
    #[cfg(target_os = "linux")]
    {
        // Root may write almost everywhere, but nobody makes files there.
        let error = check_writable(Path::new("/proc/self/new.png"), 0).unwrap_err();
        assert!(matches!(error, DiskError::FolderUnwritable { .. }), "{error}");
        assert!(!error.to_string().contains("os error"), "{error}");
    }
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    std::fs::write(inside(".impasto-999999-0.tmp"), b"half a pict").unwrap();
    std::fs::write(inside(".impasto-notes.txt"), b"the user's").unwrap();
    let staged = stage_file(&RealDisk, &inside("picture.png"), OLD).unwrap();
    check_writable(&inside("other.png"), 0).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.contains(&".impasto-999999-0.tmp".to_owned()), "{names:?}");
    assert!(names.contains(&".impasto-notes.txt".to_owned()), "{names:?}");
    staged.commit().unwrap();
    assert_eq!(std::fs::read(inside("picture.png")).unwrap(), OLD);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
