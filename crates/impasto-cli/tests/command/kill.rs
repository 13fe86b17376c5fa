//! Runs that are killed at random moments, gone on with, killed again: each ends in the same bytes as the run that was
//! never stopped. 20 kills here; `scripts/kill_series.sh` makes a thousand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use impasto::digest::sha256;
use impasto::disk::is_temporary;
use impasto::run_folder::{METRICS, RECORD, RESULT, last_metrics, read_metrics, read_record};

use crate::workshop::{Workshop, files_of};

/// A run of two sizes that takes a moment, and whose history is full before its end.
pub const TWO_SIZES: [&str; 14] = [
    "--size",
    "66x64",
    "--levels",
    "2",
    "--coarse-iterations",
    "6",
    "--iterations",
    "8",
    "--history",
    "3",
    "--style-layers",
    "conv1_1,conv2_1",
    "--content-layers",
    "conv2_1",
];

/// Evaluations of [`TWO_SIZES`].
const EVALUATIONS: u64 = 14;

/// What a finished run has to agree in with one that was never stopped: all but times.
#[derive(PartialEq)]
pub struct Traces {
    files: BTreeMap<PathBuf, Vec<u8>>,
    lines: Vec<serde_json::Value>,
    outcome: (u32, u32, Option<f64>),
}

impl std::fmt::Debug for Traces {
    /// Names and sums: a failed comparison shows what differs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<_> = self.files.iter().map(|(name, bytes)| (name, sha256(bytes)[..8].to_owned())).collect();
        let losses: Vec<&serde_json::Value> = self.lines.iter().map(|line| &line["loss"]).collect();
        write!(formatter, "{files:?} {losses:?} {:?}", self.outcome)
    }
}

/// The traces of the run in this folder.
pub fn traces(folder: &Path) -> Traces {
    let record = read_record(folder).unwrap();
    let outcome = record.outcome.expect("a finished run");
    let mut files = BTreeMap::new();
    for (path, bytes) in files_of(folder) {
        let name = path.strip_prefix(folder).unwrap().to_owned();
        if name != Path::new(RECORD) && name != Path::new(METRICS) {
            files.insert(name, bytes);
        }
    }
    let lines = read_metrics(folder).unwrap().into_iter().map(|line| {
        let mut line = serde_json::to_value(line).unwrap();
        line["seconds"] = 0.into();
        line
    });
    Traces { files, lines: lines.collect(), outcome: (outcome.iterations, outcome.evaluations, outcome.loss) }
}

/// Numbers by chance, of a seed.
pub struct Random(pub u64);

impl Random {
    /// splitmix64, below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What the kills hit.
#[derive(Debug, Default)]
struct Hits {
    kills: u64,
    before_the_run: u64,
    coarse: u64,
    fine: u64,
    within_a_write: u64,
    finished_unkilled: u64,
}

impl Hits {
    /// Whether there was one of each kind.
    fn are_of_every_kind(&self) -> bool {
        self.coarse.min(self.fine).min(self.within_a_write).min(self.before_the_run) > 0
    }
}

/// Kills the child after so many of its lines and a moment more; gives whether it was still alive.
fn kill_after(mut child: Child, lines: u64, moment: Duration) -> bool {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        if stdout.read_line(&mut line).unwrap() == 0 {
            break;
        }
    }
    // Sleeping is too coarse for a part of a millisecond.
    let until = Instant::now() + moment;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.signal() == Some(9) || status.success(), "{status}");
    status.signal() == Some(9)
}

/// Kills, goes on, kills again, until the run is finished.
fn chain(workshop: &Workshop, name: &str, paint: &[&str], random: &mut Random, hits: &mut Hits, kills: u64) {
    let folder = workshop.path(name);
    let most = hits.kills + 1 + random.below(4);
    loop {
        let is_run = folder.join(RECORD).exists();
        let threads = ["1", "2"][random.below(2) as usize];
        let mut arguments = if is_run { vec!["resume", name] } else { paint.to_vec() };
        arguments.extend(["--json", "--threads", threads]);
        let mut command = workshop.command(&arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        if hits.kills >= most.min(kills) {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", output.status);
            return;
        }
        let done = last_metrics(&folder).map_or(0, |line| u64::from(line.evaluations));
        // One in five at any time from the start, the others while it paints.
        let (lines, moment) = match random.below(5) {
            0 => (0, random.below(400_000)),
            _ => (1 + random.below(EVALUATIONS - done.min(EVALUATIONS - 1)), random.below(12_000)),
        };
        if !kill_after(child, lines, Duration::from_micros(moment)) {
            hits.finished_unkilled += 1;
            return;
        }
        hits.kills += 1;
        let left = files_of(&folder_or_empty(&folder));
        let name_of = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        hits.within_a_write += u64::from(left.keys().any(|path| is_temporary(&name_of(path))));
        match last_metrics(&folder) {
            None => hits.before_the_run += 1,
            Some(line) if line.scale == 0 => hits.coarse += 1,
            Some(_) => hits.fine += 1,
        }
    }
}

/// A folder that may not be there yet.
fn folder_or_empty(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    folder.to_owned()
}

/// A number from the environment, for the long series.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn wherever_a_run_is_killed_it_ends_in_the_same_bytes() {
    let (kills, seed) = (asked("IMPASTO_KILLS", 20), asked("IMPASTO_SEED", 1));
    let workshop = Workshop::new();
    let mut random = Random(seed);
    let paint = |name: &'static str, optimizer: &'static str, every: &'static str| {
        let mut words = vec!["paint", "photo.png", "painting.png", "--run-dir", name, "--optimizer", optimizer];
        words.extend(TWO_SIZES);
        words.extend(["--save-every", "3", "--checkpoint-every", every]);
        words
    };
    let whole = ["lbfgs", "adam"].map(|optimizer| {
        workshop.succeed(&[paint(optimizer, optimizer, "0").as_slice(), &["--quiet"]].concat());
        traces(&workshop.path(optimizer))
    });
    assert!(whole.iter().all(|whole| whole.lines.len() > 10 && whole.files.contains_key(Path::new(RESULT))));
    let mut hits = Hits::default();
    let mut chains = 0;
    // Chance may leave one kind out of a hundred kills: a long series goes on until it has met each.
    let is_long = kills >= 100;
    let at_most = if is_long { 10 * kills } else { kills };
    while hits.kills < kills || (is_long && hits.kills < at_most && !hits.are_of_every_kind()) {
        let limit = if hits.kills < kills { kills } else { at_most };
        let which = chains % 2;
        // After each evaluation, or now and then: then the lines are ahead of the checkpoint.
        let every = ["0", "0", "0.03"][random.below(3) as usize];
        let words = paint("run", ["lbfgs", "adam"][which], every);
        chain(&workshop, "run", &words, &mut random, &mut hits, limit);
        assert_eq!(traces(&workshop.path("run")), whole[which], "seed {seed}, chain {chains}: {hits:?}");
        std::fs::remove_dir_all(workshop.path("run")).unwrap();
        chains += 1;
    }
    println!("seed {seed}: {chains} runs, {hits:?}, every one ended in the same bytes");
    assert!(!is_long || hits.are_of_every_kind(), "{hits:?}");
}
