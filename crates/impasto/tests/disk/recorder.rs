//! A run written down on a disk that fails and loses power: a checkpoint is whole, and never ahead of the lines.

use std::cell::{Cell, RefCell};
use std::path::Path;

use impasto::checkpoint::{Checkpoint, NAMES, Place, Snapshot};
use impasto::disk::{DiskError, OpenFile, RealDisk};
use impasto::optimiser::optimiser;
use impasto::picture::Picture;
use impasto::recipe::{Recipe, Size, parse_layers};
use impasto::recorder::{Recorder, Resumption, begin_folder, write_record};
use impasto::run_folder::{
    FORMAT, FrameSchedule, Input, Inputs, LAYOUT, METRICS, Machine, Metrics, Reading, RunRecord, Saving, frame_path,
    frames, last_metrics, read_metrics, read_record,
};
use impasto::write::OutputFormat;
use impasto::write::{WriteOptions, encode_picture};
use impasto::{Control, Event, GuideImages, Images, Keeping, paint_kept, scales};
use impasto_vgg::{CpuEngine, CpuOptions, Weights};

use crate::faulty::FaultyDisk;

const SIDE: usize = 4;

fn record(evaluations: u32, frames: FrameSchedule) -> RunRecord {
    let recipe = Recipe {
        size: Some(Size::LongEdge(SIDE as u32)),
        levels: Some(1),
        iterations: Some(evaluations),
        history: Some(2),
        content_layers: Some(parse_layers("", "conv1_1").unwrap()),
        style_layers: Some(parse_layers("", "conv1_1").unwrap()),
        ..Recipe::default()
    };
    let recipe = recipe.resolve().unwrap();
    let input = |name: &str| Input { name: name.to_owned(), file: name.into(), sha256: String::new() };
    RunRecord {
        format: FORMAT,
        layout: LAYOUT,
        program: "0".to_owned(),
        started: "2026-11-24T12:00:00Z".to_owned(),
        machine: Machine {
            system: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            processor: None,
            processors: 1,
            engine: "cpu".to_owned(),
        },
        scales: scales(&recipe, SIDE, SIDE),
        recipe,
        inputs: Inputs {
            content: input("content.png"),
            styles: vec![input("style-1.png")],
            start: None,
            masks: Vec::new(),
            changed_masks: Vec::new(),
            weights: None,
        },
        reading: Reading { megapixels: 256, lenient: false },
        output: None,
        depth: 8,
        quality: 92,
        exif: Default::default(),
        saving: Saving { frames, checkpoint_every_s: 0.0, checkpoint_may_wait: false, keeps_last_state: false },
        in_proportion: None,
        branch: None,
        outcome: None,
    }
}

fn noise(phase: u8) -> Picture {
    let bytes: Vec<u8> = (0..3 * SIDE * SIDE).map(|place| (place as u8).wrapping_mul(37).wrapping_add(phase)).collect();
    Picture::from_rgb8(SIDE, SIDE, &bytes).unwrap()
}

fn engine() -> CpuEngine {
    CpuEngine::new(Weights::embedded(), CpuOptions { threads: Some(1), ..CpuOptions::default() }).unwrap()
}

/// Paints with a recorder until it is stopped after so many evaluations of its own; what the disk refuses is counted.
fn paint_recorded(
    engine: &CpuEngine,
    record: &RunRecord,
    recorder: Recorder<'_>,
    from: Option<Checkpoint>,
    stop_after: u32,
) -> (Picture, u32) {
    let (content, style) = (noise(1), noise(90));
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let (recorder, failures, done) = (RefCell::new(recorder), Cell::new(0), Cell::new(0));
    let count = |failed: bool| failures.set(failures.get() + u32::from(failed));
    let mut keep = |snapshot: &impasto::checkpoint::Snapshot<'_>| {
        count(recorder.borrow_mut().keep(snapshot, false).is_err());
    };
    let mut observer = |event: Event<'_>| {
        if let Event::Iteration(iteration) = event {
            count(recorder.borrow_mut().record(&iteration).is_err());
            done.set(done.get() + 1);
        }
        if done.get() == stop_after { Control::Stop } else { Control::Continue }
    };
    let keeping = Keeping { from, keep: &mut keep };
    let outcome = paint_kept(&record.recipe, engine, images, None, keeping, &mut observer).unwrap();
    count(recorder.borrow_mut().settle().is_err());
    (outcome.picture, failures.get())
}

fn lines(bytes: &[u8]) -> Vec<Metrics> {
    let text = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    text.map_while(|line| serde_json::from_slice(line).ok()).collect()
}

/// How many disks are tried; `IMPASTO_FAULTY_DISKS=10000` for a series (scripts/kill_series.sh).
fn disks() -> u64 {
    std::env::var("IMPASTO_FAULTY_DISKS").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}

#[test]
fn whatever_the_disk_does_no_checkpoint_is_ahead_of_the_lines() {
    let (engine, folder) = (engine(), Path::new("run"));
    let record = record(5, FrameSchedule::Every(2));
    let clock = || 0.0;
    // What a sound disk has at the end.
    let sound = FaultyDisk::new(0);
    paint_recorded(&engine, &record, Recorder::new(&sound, folder, &record, None, &clock).unwrap(), None, 9);
    let all = lines(&sound.contents(&folder.join(METRICS)).unwrap());
    let frame = |disk: &FaultyDisk| disk.contents(&frame_path(folder, 2));
    assert_eq!((all.len(), sound.contents(&folder.join("frames/000004.png")).is_some()), (5, true));

    let (mut with, mut without, mut went_on) = (0_u64, 0_u64, 0_u64);
    for seed in 0..disks() {
        let disk = FaultyDisk::new(seed);
        let for_ever = seed % 3 != 0;
        disk.fail_at(seed as usize % (sound.operations() + 30), for_ever);
        let Ok(recorder) = Recorder::new(&disk, folder, &record, None, &clock) else { continue };
        let (_, failures) = paint_recorded(&engine, &record, recorder, None, 9);
        let told = lines(&disk.contents(&folder.join(METRICS)).unwrap());
        if !for_ever {
            // A disk that failed once has every line at the end, each whole and once, and every frame.
            assert_eq!(told, all, "seed {seed}");
            for iteration in [2, 4] {
                let path = frame_path(folder, iteration);
                assert_eq!(disk.contents(&path), sound.contents(&path), "seed {seed}: frame {iteration}");
            }
            went_on += u64::from(failures);
        }
        for state in [disk.clone(), disk.after_power_cut()] {
            let whole = NAMES.iter().filter_map(|name| {
                let path = folder.join(name);
                Checkpoint::decode(&state.contents(&path)?, &path).ok()
            });
            let newest = whole.map(|checkpoint| checkpoint.place).max_by_key(|place| place.evaluations);
            let found = lines(&state.contents(&folder.join(METRICS)).unwrap_or_default());
            let Some(place) = newest else {
                without += 1;
                continue;
            };
            with += 1;
            let kept = &found[..found.len().min(place.iterations as usize)];
            assert_eq!(kept, &all[..place.iterations as usize], "seed {seed}: a line is missing or torn");
            assert!(frame(&state).is_none() || frame(&state) == frame(&sound), "seed {seed}: half a frame");
        }
    }
    // As many as there were of ten thousand, in proportion.
    let least = disks() / 100;
    assert!(
        with > 10 * least && without > least && went_on > least,
        "the test must see all: {with}, {without}, {went_on}"
    );
}

/// On the real disk: stopped after every number of evaluations, gone on with, and the lines are those of a run that never
/// stopped.
#[test]
fn going_on_doubles_and_loses_no_line() {
    let engine = engine();
    let clock = || 0.0;
    let whole = tempfile::tempdir().unwrap();
    let record = record(6, FrameSchedule::Tutorial);
    begin_folder(&RealDisk, whole.path(), &record, &[("inputs/a.png".into(), vec![1, 2])]).unwrap();
    assert_eq!(std::fs::read(whole.path().join("inputs/a.png")).unwrap(), [1, 2]);
    assert_eq!(read_record(whole.path()).unwrap(), record);
    let recorder = Recorder::new(&RealDisk, whole.path(), &record, None, &clock).unwrap();
    let (picture, failures) = paint_recorded(&engine, &record, recorder, None, 9);
    assert_eq!(failures, 0);
    let all = read_metrics(whole.path()).unwrap();
    assert_eq!(all.iter().map(|line| line.iteration).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(frames(whole.path()).iter().map(|frame| frame.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(last_metrics(whole.path()).as_ref(), all.last());
    for stop_after in 1..=5 {
        let folder = tempfile::tempdir().unwrap();
        begin_folder(&RealDisk, folder.path(), &record, &[]).unwrap();
        let recorder = Recorder::new(&RealDisk, folder.path(), &record, None, &clock).unwrap();
        paint_recorded(&engine, &record, recorder, None, stop_after);
        // As if the program had gone on for a while after the checkpoint, and been killed in the middle of a line.
        let later = all.iter().skip(stop_after as usize).map(|line| serde_json::to_string(line).unwrap() + "\n");
        let mut text = std::fs::read(folder.path().join(METRICS)).unwrap();
        text.extend(later.collect::<String>().bytes());
        text.extend(b"{\"iteration\":7,\"eva");
        std::fs::write(folder.path().join(METRICS), text).unwrap();
        assert_eq!(last_metrics(folder.path()).as_ref(), all.last(), "half a line is none");

        let (generation, checkpoint) = impasto::checkpoint::newest(folder.path()).newest.unwrap();
        let from = Some(Resumption { generation, checkpoint: &checkpoint });
        let recorder = Recorder::new(&RealDisk, folder.path(), &record, from, &clock).unwrap();
        assert_eq!(read_metrics(folder.path()).unwrap(), all[..stop_after as usize]);
        let (gone_on, _) = paint_recorded(&engine, &record, recorder, Some(checkpoint), 9);
        assert_eq!(gone_on, picture);
        let text = std::fs::read(folder.path().join(METRICS)).unwrap();
        assert_eq!(text, std::fs::read(whole.path().join(METRICS)).unwrap(), "stopped after {stop_after}");
    }
}

#[test]
fn a_log_that_could_not_be_appended_to_is_whole() {
    for seed in 0..2_000 {
        let disk = FaultyDisk::new(seed);
        let path = Path::new("run/log");
        let mut log = impasto::disk::Log::create(&disk, path, b"one\n").unwrap();
        disk.fail_at(disk.operations() + seed as usize % 12, seed % 2 == 0);
        let appended = log.append(b"two two two two\n");
        let found = disk.contents(path).unwrap();
        match appended {
            Ok(()) => assert_eq!(found, b"one\ntwo two two two\n", "seed {seed}"),
            // A disk that refuses for ever does not let the half be taken back.
            Err(DiskError::Unappended { .. }) if seed % 2 == 0 => assert!(found.starts_with(b"one\n"), "seed {seed}"),
            Err(DiskError::Unappended { .. }) => {
                log.append(b"two two two two\n").unwrap();
                assert_eq!(disk.contents(path).unwrap(), b"one\ntwo two two two\n", "seed {seed}");
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
}

#[test]
fn the_checker_sees_a_torn_line() {
    let disk = FaultyDisk::new(3);
    let path = Path::new("run/metrics.jsonl");
    let mut log = impasto::disk::Log::create(&disk, path, b"").unwrap();
    log.append(b"{}\n").unwrap();
    let torn = (0..200).any(|_| disk.after_power_cut().contents(path).unwrap() != b"{}\n");
    assert!(torn, "without a sync, a power cut takes lines");
    log.sync().unwrap();
    assert!((0..200).all(|_| disk.after_power_cut().contents(path).unwrap() == b"{}\n"));
}

/// Shows a recorder the state after so many evaluations, accepted ones and all; gives whether it is on the disk.
fn keep(recorder: &mut Recorder<'_>, record: &RunRecord, iterations: u32, evaluations: u32) -> Result<bool, DiskError> {
    let mut optimiser = optimiser(&record.recipe, SIDE, SIDE);
    let mut picture = vec![100.0; 3 * SIDE * SIDE];
    optimiser.advance(&mut picture, 1.0, &[0.5; 3 * SIDE * SIDE]);
    let place = Place { scale_index: 0, scale_evaluations: evaluations, iterations, evaluations };
    let (picture, optimiser) = (picture.as_slice(), optimiser.as_ref());
    let scale = record.scales[0];
    recorder
        .keep(&Snapshot { recipe: &record.recipe, scale, place, losses: None, picture, optimiser, matches: &[] }, false)
}

#[test]
fn a_checkpoint_that_was_refused_is_tried_again() {
    let (mut refused, mut kept) = (0, 0);
    for may_wait in [false, true] {
        let mut record = record(1_000, FrameSchedule::Tutorial);
        // By the clock there is none; each look at the clock is a second, so one that is tried takes a second.
        record.saving.checkpoint_every_s = 1e9;
        record.saving.checkpoint_may_wait = may_wait;
        for seed in 0..120 {
            let now = Cell::new(0.0);
            let clock = || {
                now.set(now.get() + 1.0);
                now.get()
            };
            let disk = FaultyDisk::new(seed);
            let mut recorder = Recorder::new(&disk, Path::new("run"), &record, None, &clock).unwrap();
            assert!((1..20).all(|iteration| !keep(&mut recorder, &record, iteration, iteration).unwrap()));
            disk.fail_at(disk.operations() + seed as usize % 40, false);
            let Err(error) = keep(&mut recorder, &record, 20, 20) else {
                kept += 1;
                assert!(!keep(&mut recorder, &record, 20, 21).unwrap(), "seed {seed}: it is not owed");
                continue;
            };
            refused += 1;
            let again = (21..200).find(|&evaluations| keep(&mut recorder, &record, 21, evaluations).unwrap());
            // On a disk that was slow to refuse, after fifty times what the try took; each evaluation has one look.
            let again = again.unwrap_or_else(|| panic!("seed {seed}: never again, {error}"));
            assert!(if may_wait { (69..=72).contains(&again) } else { again == 21 }, "seed {seed}: {again}, {error}");
            assert!(!keep(&mut recorder, &record, 21, again + 1).unwrap(), "seed {seed}: it is owed no more");
        }
    }
    assert!(refused > 40 && kept > 10, "the test must see both: {refused}, {kept}");
}

/// On the real disk: the time of work of a run that goes on begins where the checkpoint has it.
#[test]
fn seconds_of_work_go_on_from_the_checkpoint() {
    let engine = engine();
    let folder = tempfile::tempdir().unwrap();
    let record = record(6, FrameSchedule::None);
    begin_folder(&RealDisk, folder.path(), &record, &[]).unwrap();
    // Of the program that takes the run up; each starts at 0.
    let now = Cell::new(0.0);
    let clock = || {
        now.set(now.get() + 0.125);
        now.get()
    };
    let recorder = Recorder::new(&RealDisk, folder.path(), &record, None, &clock).unwrap();
    paint_recorded(&engine, &record, recorder, None, 3);
    let before = read_metrics(folder.path()).unwrap();
    let stopped_at = before[2].seconds;
    assert!(before[0].seconds > 0.0 && stopped_at > before[0].seconds, "{before:?}");
    // The program went on for a line and was killed: that time is done again, so it counts once.
    let mut text = std::fs::read_to_string(folder.path().join(METRICS)).unwrap();
    text += &(serde_json::to_string(&Metrics { iteration: 4, evaluations: 4, seconds: 1e6, ..before[2].clone() })
        .unwrap()
        + "\n");
    std::fs::write(folder.path().join(METRICS), text).unwrap();

    let (generation, checkpoint) = impasto::checkpoint::newest(folder.path()).newest.unwrap();
    assert_eq!(checkpoint.place.evaluations, 3);
    now.set(0.0);
    let from = Some(Resumption { generation, checkpoint: &checkpoint });
    let recorder = Recorder::new(&RealDisk, folder.path(), &record, from, &clock).unwrap();
    assert_eq!(recorder.seconds(), stopped_at + now.get());
    paint_recorded(&engine, &record, recorder, Some(checkpoint), 9);
    let after = read_metrics(folder.path()).unwrap();
    assert_eq!((after.len(), &after[..3]), (6, &before[..]));
    assert!(after.windows(2).all(|pair| pair[0].seconds < pair[1].seconds), "{after:?}");
    assert!(after[5].seconds <= stopped_at + now.get(), "{after:?}");
}

#[test]
fn a_slow_disk_makes_checkpoints_rarer() {
    let engine = engine();
    let folder = tempfile::tempdir().unwrap();
    let mut record = record(200, FrameSchedule::None);
    record.saving = Saving {
        frames: FrameSchedule::None,
        checkpoint_every_s: 3.0,
        checkpoint_may_wait: true,
        keeps_last_state: false,
    };
    write_record(&RealDisk, folder.path(), &record).unwrap();
    // Every look at the clock is a second; an evaluation has one or two looks, a checkpoint takes one second.
    let now = Cell::new(0.0);
    let clock = || {
        now.set(now.get() + 1.0);
        now.get()
    };
    let recorder = RefCell::new(Recorder::new(&RealDisk, folder.path(), &record, None, &clock).unwrap());
    let kept = RefCell::new(Vec::new());
    let (content, style) = (noise(1), noise(90));
    let images = Images { content: &content, styles: &[style], start: None, guides: GuideImages::default() };
    let mut keep = |snapshot: &impasto::checkpoint::Snapshot<'_>| {
        if recorder.borrow_mut().keep(snapshot, false).unwrap() {
            kept.borrow_mut().push(snapshot.place.evaluations);
        }
    };
    let keeping = Keeping { from: None, keep: &mut keep };
    paint_kept(&record.recipe, &engine, images, None, keeping, &mut |_| Control::Continue).unwrap();
    let kept = kept.into_inner();
    // The first after three seconds; then fifty times what the last one took.
    assert!((2..=3).contains(&kept[0]), "{kept:?}");
    assert!(kept.windows(2).all(|pair| (48..=52).contains(&(pair[1] - pair[0]))), "{kept:?}");
    assert!(kept.len() >= 3, "{kept:?}");
}

#[test]
fn a_frame_is_a_png_of_the_iteration() {
    let engine = engine();
    let disk = FaultyDisk::new(0);
    let record = record(3, FrameSchedule::Every(3));
    let clock = || 0.0;
    let recorder = Recorder::new(&disk, Path::new("run"), &record, None, &clock).unwrap();
    let (picture, _) = paint_recorded(&engine, &record, recorder, None, 9);
    let expected = encode_picture(&picture, OutputFormat::Png, WriteOptions::default(), None).unwrap();
    assert_eq!(disk.contents(Path::new("run/frames/000003.png")).unwrap(), expected);
}

/// [`OpenFile`] of a real file: cut and written on.
#[test]
fn a_real_log_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, b"one\ntwo\nthr").unwrap();
    let mut file: Box<dyn OpenFile> = impasto::disk::Disk::open_end(&RealDisk, &path).unwrap();
    file.cut(8).unwrap();
    file.write(b"3\n").unwrap();
    file.sync().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n3\n");
}
