//! A job that is changed while it paints, that waits, and that has branches: written down before it counts, and repeated to the bit.

mod workshop;

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use impasto::disk::RealDisk;
use impasto::picture::Picture;
use impasto::read::{ReadLimits, read_picture};
use impasto::recipe::{Balance, ChangedFields, OptimizerKind, Region, Rest};
use impasto::run_folder::{RunRecord, read_record};
use impasto::write::{WriteOptions, write_picture};
use impasto::{Control, digest};
use impasto_job::order::HeldFiles;
use impasto_job::{
    Branch, Branched, Change, Ending, FailureKind, Files, Finished, Handle, Job, JobEvent, KeepIn, Order, Prepared,
    Resumed, branch,
};

use workshop::{Workshop, engines};

/// Evaluations at the full size; there are two before.
const ITERATIONS: u32 = 8;
const ALL: u32 = 2 + ITERATIONS;

fn order(workshop: &Workshop) -> Order {
    let mut order = workshop.order("photo.png", ITERATIONS);
    order.styles.push(workshop.path("other.png"));
    order
}

fn prepared(workshop: &Workshop, order: &Order, run: &str, output: &str) -> Prepared {
    let keep = KeepIn { checkpoint_every_s: Some(0.0), ..KeepIn::folder(&workshop.path(run)) };
    Job::new(order, &workshop.files(output), Some(&keep)).unwrap().prepare(&mut engines()).unwrap()
}

fn resumed(folder: &Path) -> Prepared {
    let Resumed::Job(job) = Job::resume(folder, None).unwrap() else { panic!("it is not finished") };
    job.prepare(&mut engines()).unwrap()
}

fn perform(prepared: Prepared, mut at: impl FnMut(u32)) -> Finished {
    prepared
        .perform(&mut |event| {
            match event {
                JobEvent::Iteration { progress, .. } => at(progress.evaluations as u32),
                JobEvent::Rejected { evaluations } => at(evaluations),
                _ => {}
            }
            Control::Continue
        })
        .unwrap()
}

fn pixels(path: &Path) -> Picture {
    read_picture(path, &ReadLimits::default()).unwrap().picture
}

/// The picture that `paint --recipe` makes of what a run's picture carries, the images being given anew.
fn repeated(workshop: &Workshop, run: &str) -> Picture {
    let of_run = Order { recipe_file: Some(workshop.path(run).join("result.png")), ..order(workshop) };
    let order = Order { recipe: impasto::Recipe::default(), ..of_run };
    let job = Job::new(&order, &workshop.files("repeated.png"), None).unwrap();
    let finished = job.prepare(&mut engines()).unwrap().perform(&mut |_| Control::Continue).unwrap();
    assert_eq!(finished.ending(), Ending::Done);
    pixels(&workshop.path("repeated.png"))
}

fn weight(style_weight: f64) -> Change {
    ChangedFields { style_weight: Some(style_weight), ..ChangedFields::default() }.into()
}

/// The bytes of a mask, white left of this column.
fn mask(workshop: &Workshop, name: &str, columns: usize) -> Vec<u8> {
    let plane: Vec<f32> = (0..48 * 40).map(|place| if place % 48 < columns { 255.0 } else { 0.0 }).collect();
    let picture = Picture::new(48, 40, plane.repeat(3)).unwrap();
    write_picture(&RealDisk, &workshop.path(name), &picture, WriteOptions::default(), None).unwrap();
    std::fs::read(workshop.path(name)).unwrap()
}

/// The left part after the second painting; the mask's bytes are here already.
fn left(bytes: &[u8]) -> Change {
    let mut held = HeldFiles::default();
    held.hold(Path::new("drawn"), "what was drawn", bytes.to_vec());
    let left = Region { name: "left".into(), mask: Some("drawn".into()), painting: Some(2), ..Region::default() };
    Change { set: ChangedFields { regions: Some(vec![left]), ..ChangedFields::default() }, held }
}

#[test]
fn a_change_is_in_the_folder_before_it_counts_and_the_recipe_repeats_it() {
    let workshop = Workshop::new();
    let drawn = mask(&workshop, "drawn.png", 20);
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let run = optimizer_name(optimizer);
        let mut order = order(&workshop);
        order.recipe.optimizer = Some(optimizer);
        let job = prepared(&workshop, &order, run, "out.png");
        let (handle, folder) = (job.handle(), workshop.path(run));
        let (mut applied, mut written) = (Vec::new(), Vec::new());
        let finished = job.perform(&mut |event| {
            let done = match event {
                JobEvent::Iteration { progress, .. } => progress.evaluations as u32,
                JobEvent::Rejected { evaluations } => evaluations,
                _ => 0,
            };
            match done {
                1 => assert_eq!(handle.change(&weight(9.0)).unwrap(), 2),
                4 => {
                    assert_eq!(handle.change(&weight(3.0)).unwrap(), 5);
                    assert_eq!(handle.change(&left(&drawn)).unwrap(), 5);
                    assert_eq!(handle.change(&weight(77.0)).unwrap(), 5, "the last word counts");
                    assert_eq!(handle.recipe().unwrap().at_evaluation(5).style_weight, 77.0);
                }
                7 => {
                    let rest = ChangedFields { rest: Some(Rest::Photo), ..ChangedFields::default() };
                    assert_eq!(handle.change(&rest.into()).unwrap(), 8);
                }
                _ => {}
            }
            match event {
                JobEvent::Applied { before_evaluation, set } => {
                    applied.push((before_evaluation, set.clone()));
                    written.push(read_record(&folder).unwrap().recipe.timeline.last().cloned().unwrap());
                }
                JobEvent::Refused { failure, .. } => panic!("{failure}"),
                _ => {}
            }
            Control::Continue
        });
        let finished = finished.unwrap();
        assert_eq!(finished.ending(), Ending::Done);
        let before: Vec<u32> = applied.iter().map(|(before, _)| *before).collect();
        assert_eq!(before, [2, 5, 8]);
        for ((before, set), written) in applied.iter().zip(&written) {
            assert_eq!((*before, set), (written.before_evaluation, &written.set), "it was on the disk by then");
        }
        // The mask lies under its digest, and is named so.
        let record = read_record(&folder).unwrap();
        let name = digest::sha256(&drawn);
        assert_eq!(std::fs::read(folder.join("inputs").join(&name)).unwrap(), drawn);
        let regions = record.recipe.timeline[1].set.regions.clone().unwrap();
        assert_eq!((regions[0].mask.as_ref(), record.recipe.timeline[1].set.style_weight), (Some(&name), Some(77.0)));
        assert_eq!(record.inputs.changed_masks.len(), 1);
        assert_eq!(record.recipe.timeline, finished.recipe.timeline);
        assert_eq!(repeated(&workshop, run), pixels(&folder.join("result.png")));
        assert!(handle.change(&weight(1.0)).is_err(), "the job has ended");
    }
}

fn optimizer_name(optimizer: OptimizerKind) -> &'static str {
    match optimizer {
        OptimizerKind::Lbfgs => "lbfgs",
        OptimizerKind::Adam => "adam",
    }
}

#[test]
fn a_run_that_stops_takes_up_what_was_written_and_did_not_count_yet() {
    let workshop = Workshop::new();
    let drawn = mask(&workshop, "drawn.png", 30);
    let order = order(&workshop);
    for stop_at in [1, 2, 5] {
        let run = format!("run-{stop_at}");
        let job = prepared(&workshop, &order, &run, "out.png");
        let handle = job.handle();
        let finished = perform(job, |evaluations| {
            if evaluations == stop_at {
                assert_eq!(handle.change(&left(&drawn)).unwrap(), stop_at + 1);
                handle.stop();
            }
        });
        assert_eq!((finished.ending(), finished.outcome.evaluations), (Ending::Interrupted, stop_at));
        let record = read_record(&workshop.path(&run)).unwrap();
        assert_eq!(record.recipe.timeline[0].before_evaluation, stop_at + 1);
        // And once more, with a change that came in between.
        let job = resumed(&workshop.path(&run));
        let handle = job.handle();
        perform(job, |evaluations| {
            if evaluations == stop_at + 2 {
                handle.change(&weight(11.0)).unwrap();
                handle.stop();
            }
        });
        let finished = perform(resumed(&workshop.path(&run)), |_| {});
        assert_eq!((finished.ending(), finished.recipe.timeline.len()), (Ending::Done, 2));
        assert_eq!(repeated(&workshop, &run), pixels(&workshop.path(&run).join("result.png")), "{stop_at}");
    }
}

/// What happens in a job, for another thread.
#[derive(Debug, PartialEq)]
enum Told {
    Evaluated(u32),
    Paused(u32),
    WentOn,
    Kept(u32),
    Applied(u32),
}

fn begin(prepared: Prepared) -> (Handle, Receiver<Told>, std::thread::JoinHandle<Finished>) {
    let (handle, (send, told)) = (prepared.handle(), channel());
    let work = move || {
        let finished = prepared.perform(&mut |event| {
            let told = match event {
                JobEvent::Iteration { progress, .. } => Told::Evaluated(progress.evaluations as u32),
                JobEvent::Rejected { evaluations } => Told::Evaluated(evaluations),
                JobEvent::Paused { evaluations } => Told::Paused(evaluations),
                JobEvent::WentOn => Told::WentOn,
                JobEvent::Kept { evaluations } => Told::Kept(evaluations),
                JobEvent::Applied { before_evaluation, .. } => Told::Applied(before_evaluation),
                _ => return Control::Continue,
            };
            let _ = send.send(told);
            Control::Continue
        });
        finished.unwrap()
    };
    (handle, told, std::thread::spawn(work))
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(Duration::from_secs(60)).expect("something is told within a minute")
}

#[test]
fn a_job_waits_and_steps_and_goes_on() {
    let workshop = Workshop::new();
    let order = order(&workshop);
    perform(prepared(&workshop, &order, "plain", "plain.png"), |_| {});

    // No checkpoint is due but for the pause.
    let keep = KeepIn::folder(&workshop.path("run"));
    let job = Job::new(&order, &workshop.files("out.png"), Some(&keep)).unwrap().prepare(&mut engines()).unwrap();
    job.handle().pause();
    let (handle, told, worker) = begin(job);
    assert_eq!(next(&told), Told::Paused(0));
    for done in 1..=3 {
        handle.step();
        assert_eq!([next(&told), next(&told), next(&told)], [Told::WentOn, Told::Evaluated(done), Told::Paused(done)]);
        assert!(handle.is_paused() && workshop.path("run/checkpoint-a").exists());
    }
    assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
    handle.keep();
    handle.go_on();
    assert_eq!([next(&told), next(&told), next(&told)], [Told::WentOn, Told::Evaluated(4), Told::Kept(4)]);
    assert_eq!(worker.join().unwrap().ending(), Ending::Done);
    assert_eq!(pixels(&workshop.path("run/result.png")), pixels(&workshop.path("plain/result.png")));
    assert!(!handle.is_paused());

    // A job that waits is stopped at once, and goes on to the same bytes.
    let job = prepared(&workshop, &order, "stopped", "out.png");
    job.handle().step();
    let (handle, told, worker) = begin(job);
    assert_eq!([next(&told), next(&told)], [Told::Evaluated(1), Told::Paused(1)]);
    assert_eq!(handle.change(&weight(5.0)).unwrap(), 2, "while it waits");
    handle.stop();
    assert_eq!(worker.join().unwrap().ending(), Ending::Interrupted);
    perform(resumed(&workshop.path("stopped")), |_| {});
    assert_eq!(pixels(&workshop.path("stopped/result.png")), repeated(&workshop, "stopped"));
}

/// What cannot be written does not count: the picture is the one without it.
#[test]
fn a_change_that_the_disk_refuses_does_not_count() {
    let workshop = Workshop::new();
    let order = order(&workshop);
    perform(prepared(&workshop, &order, "plain", "plain.png"), |_| {});
    let job = prepared(&workshop, &order, "run", "out.png");
    let (handle, folder) = (job.handle(), workshop.path("run"));
    let (record, aside) = (folder.join("run.json"), workshop.path("aside.json"));
    let mut refused = Vec::new();
    let finished = job.perform(&mut |event| {
        match event {
            JobEvent::Iteration { progress, .. } if progress.iteration == 3 => {
                // A folder of that name cannot be replaced by a file.
                std::fs::rename(&record, &aside).unwrap();
                std::fs::create_dir_all(record.join("in the way")).unwrap();
                handle.change(&weight(9.0)).unwrap();
            }
            JobEvent::Refused { failure, .. } => {
                refused.push(failure.sentence.clone());
                std::fs::remove_dir_all(&record).unwrap();
                std::fs::rename(&aside, &record).unwrap();
            }
            JobEvent::Applied { .. } => panic!("it does not count"),
            _ => {}
        }
        Control::Continue
    });
    assert!(finished.unwrap().recipe.timeline.is_empty());
    assert!(refused.len() == 1 && refused[0].contains("run.json"), "{refused:?}");
    assert_eq!(handle.recipe().unwrap().timeline, []);
    assert_eq!(pixels(&folder.join("result.png")), pixels(&workshop.path("plain/result.png")));
}

#[test]
fn what_is_wrong_with_a_change_is_said_at_once_and_changes_nothing() {
    let workshop = Workshop::new();
    let black = mask(&workshop, "black.png", 0);
    let job = prepared(&workshop, &order(&workshop), "run", "out.png");
    let handle = job.handle();
    let missing = Change { held: HeldFiles::default(), ..left(&black) };
    let blend = ChangedFields { style_blend: Some(vec![1.0]), ..ChangedFields::default() };
    let said = |change: &Change| handle.change(change).unwrap_err();
    for (change, kind, part) in [
        (weight(-1.0), FailureKind::Usage, "--style-weight -1"),
        (blend.into(), FailureKind::Usage, "1 shares for 2"),
        (Change::default(), FailureKind::Usage, "sets nothing"),
        (missing, FailureKind::Failed, "drawn"),
        (left(&black), FailureKind::Failed, "region left"),
        (left(b"no picture"), FailureKind::Failed, "what was drawn"),
    ] {
        let failure = said(&change);
        assert!(failure.kind == kind && failure.sentence.contains(part), "{failure:?}");
    }
    assert_eq!(perform(job, |_| {}).recipe.timeline, []);
    assert!(Handle::default().change(&weight(1.0)).is_err(), "there is no job yet");
}

/// The recipe of a run's folder with a change of its own after an evaluation.
fn timeline(record: &RunRecord) -> Vec<u32> {
    record.recipe.timeline.iter().map(|entry| entry.before_evaluation).collect()
}

#[test]
fn a_branch_has_its_parents_past_and_is_repeated_by_its_recipe() {
    let workshop = Workshop::new();
    let drawn = mask(&workshop, "drawn.png", 20);
    let order = order(&workshop);
    let job = prepared(&workshop, &order, "parent", "out.png");
    let (handle, parent) = (job.handle(), workshop.path("parent"));
    let mut made = Vec::new();
    let finished = perform(job, |evaluations| {
        match evaluations {
            1 => assert_eq!(handle.change(&weight(9.0)).unwrap(), 2),
            3 => assert_eq!(handle.change(&left(&drawn)).unwrap(), 4),
            // From the state of the evaluation before: this one's is not kept yet.
            7 => {
                let change = Some(weight(60.0));
                let newest = Branch { change: change.clone(), ..Branch::default() };
                made.push(branch(&parent, &workshop.path("newest"), &newest, &mut engines()).unwrap());
                let earlier = Branch { after_evaluation: Some(2), change, more_evaluations: 1 };
                made.push(branch(&parent, &workshop.path("earlier"), &earlier, &mut engines()).unwrap());
                assert_eq!(handle.change(&weight(1.0)).unwrap(), 8);
            }
            _ => {}
        }
    });
    assert_eq!(finished.ending(), Ending::Done);
    // The two checkpoints are those of the evaluations 5 and 6.
    let [newest, earlier] =
        [(6, 6), (2, 0)].map(|(after_evaluation, goes_on_after)| Branched { after_evaluation, goes_on_after });
    assert_eq!(made, [newest, earlier]);
    for (name, before, evaluations) in [("newest", vec![2, 4, 7], ALL), ("earlier", vec![2, 3], ALL + 1)] {
        let record = read_record(&workshop.path(name)).unwrap();
        assert_eq!(timeline(&record), before, "{name}");
        let of = record.branch.clone().unwrap();
        assert_eq!(std::fs::canonicalize(&of.parent).unwrap(), std::fs::canonicalize(&parent).unwrap());
        let mut first = None;
        let finished = perform(resumed(&workshop.path(name)), |evaluations| {
            first.get_or_insert(evaluations);
        });
        assert_eq!(finished.outcome.evaluations, evaluations, "{name}");
        assert_eq!(first, Some(if name == "newest" { 7 } else { 1 }));
        assert_eq!(repeated(&workshop, name), pixels(&workshop.path(name).join("result.png")), "{name}");
        assert_ne!(pixels(&workshop.path(name).join("result.png")), pixels(&parent.join("result.png")));
    }
    assert_eq!(repeated(&workshop, "parent"), pixels(&parent.join("result.png")));
}

#[test]
fn a_branch_of_a_finished_run_begins_at_its_last_state() {
    let workshop = Workshop::new();
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let name = |what: &str| format!("{what}-{}", optimizer_name(optimizer));
        let mut order = order(&workshop);
        order.recipe.optimizer = Some(optimizer);
        let parent = workshop.path(&name("parent"));
        let keep = KeepIn { keeps_last_state: true, ..KeepIn::folder(&parent) };
        let job = Job::new(&order, &Files::default(), Some(&keep)).unwrap();
        perform(job.prepare(&mut engines()).unwrap(), |_| {});
        assert!(parent.join("last-state").exists() && !parent.join("checkpoint-a").exists());
        let sentence =
            branch(&parent, &workshop.path("none"), &Branch::default(), &mut engines()).unwrap_err().sentence;
        assert!(sentence.contains("more evaluations"), "{sentence}");
        let changed = Branch { change: Some(weight(200.0)), more_evaluations: 4, after_evaluation: None };
        let made = branch(&parent, &workshop.path(&name("changed")), &changed, &mut engines()).unwrap();
        assert_eq!(made, Branched { after_evaluation: ALL, goes_on_after: ALL });
        // Without a change of the loss, what was known of it would count still: it is painted anew.
        let longer = Branch { change: None, ..changed };
        let made = branch(&parent, &workshop.path(&name("longer")), &longer, &mut engines()).unwrap();
        assert_eq!(made, Branched { after_evaluation: ALL, goes_on_after: 0 });
        for what in ["changed", "longer"] {
            let finished = perform(resumed(&workshop.path(&name(what))), |_| {});
            assert_eq!((finished.ending(), finished.outcome.evaluations), (Ending::Done, ALL + 4));
            assert_eq!(repeated(&workshop, &name(what)), pixels(&workshop.path(&name(what)).join("result.png")));
        }
    }
}

/// A recipe in proportion to the paintings: what a change sets is in the units of the recipe that it stands in.
#[test]
fn changes_of_a_balanced_run_are_repeated_too() {
    let workshop = Workshop::new();
    let mut order = order(&workshop);
    order.recipe.balance = Some(Balance::Painting);
    let job = prepared(&workshop, &order, "run", "out.png");
    let handle = job.handle();
    let plain = job.recipe().clone();
    assert_eq!(plain.balance, Balance::Plain);
    perform(job, |evaluations| {
        if evaluations == 4 {
            let mut style_layers = plain.style_layers.clone();
            style_layers.values_mut().for_each(|weight| *weight *= 2.0);
            handle
                .change(&ChangedFields { style_layers: Some(style_layers), ..ChangedFields::default() }.into())
                .unwrap();
        }
    });
    assert_eq!(repeated(&workshop, "run"), pixels(&workshop.path("run/result.png")));
}

/// A region that comes later weighs what it would weigh had the run begun with it, also after the run was taken up again.
#[test]
fn regions_of_a_balanced_run_are_weighed_by_their_own_paintings() {
    let workshop = Workshop::new();
    let drawn = mask(&workshop, "drawn.png", 20);
    let mut order = order(&workshop);
    order.recipe.balance = Some(Balance::Painting);
    let job = prepared(&workshop, &order, "run", "out.png");
    let handle = job.handle();
    perform(job, |evaluations| {
        if evaluations == 3 {
            handle.stop()
        }
    });
    let job = resumed(&workshop.path("run"));
    let handle = job.handle();
    perform(job, |evaluations| {
        if evaluations == 5 {
            handle.change(&left(&drawn)).unwrap();
        }
    });
    let record = read_record(&workshop.path("run")).unwrap();
    let later = record.recipe.timeline[0].set.regions.clone().unwrap();

    let mask = Some(workshop.path("drawn.png").to_string_lossy().into_owned());
    order.recipe.regions = Some(vec![Region { mask, ..left(&drawn).set.regions.unwrap().remove(0) }]);
    let begun = prepared(&workshop, &order, "begun", "out.png").recipe().clone();
    assert_eq!(later[0].style_layers, begun.regions[0].style_layers);
    assert_ne!(later[0].style_layers.as_ref(), Some(&record.recipe.style_layers), "it is another painting");
    assert_eq!(repeated(&workshop, "run"), pixels(&workshop.path("run/result.png")));
}

/// And so does one that a branch brings.
#[test]
fn regions_of_a_branch_are_weighed_by_their_own_paintings() {
    let workshop = Workshop::new();
    let drawn = mask(&workshop, "drawn.png", 20);
    let mut order = order(&workshop);
    order.recipe.balance = Some(Balance::Painting);
    let job = prepared(&workshop, &order, "parent", "out.png");
    let handle = job.handle();
    perform(job, |evaluations| {
        if evaluations == 5 {
            handle.stop()
        }
    });
    let asked = Branch { change: Some(left(&drawn)), ..Branch::default() };
    let made = branch(&workshop.path("parent"), &workshop.path("run"), &asked, &mut engines()).unwrap();
    assert_eq!(made, Branched { after_evaluation: 5, goes_on_after: 5 });
    let record = read_record(&workshop.path("run")).unwrap();
    let later = record.recipe.timeline[0].set.regions.clone().unwrap();

    let mask = Some(workshop.path("drawn.png").to_string_lossy().into_owned());
    order.recipe.regions = Some(vec![Region { mask, ..left(&drawn).set.regions.unwrap().remove(0) }]);
    let begun = prepared(&workshop, &order, "begun", "again.png").recipe().clone();
    assert_eq!(later[0].style_layers, begun.regions[0].style_layers);
    assert!(later[0].style_layers.is_some());
    perform(resumed(&workshop.path("run")), |_| {});
    assert_eq!(repeated(&workshop, "run"), pixels(&workshop.path("run/result.png")));
}
