//! A job's handle: another thread stops the job, and sees its newest picture.

mod workshop;

use std::time::Duration;

use impasto::Control;
use impasto_job::{Ending, Job, JobEvent, KeepIn, Prepared, Resumed};

use workshop::{Workshop, engines};

const LONG: Duration = Duration::from_secs(60);

fn prepared(workshop: &Workshop, iterations: u32, keep: Option<&KeepIn>) -> Prepared {
    let job = Job::new(&workshop.order("photo.png", iterations), &workshop.files("out.png"), keep).unwrap();
    job.prepare(&mut engines()).unwrap()
}

/// Whatever a front end does with it, a job may be moved to a thread, and its handle to any other.
#[test]
fn jobs_and_handles_go_to_other_threads() {
    fn goes<T: Send>() {}
    goes::<Prepared>();
    goes::<impasto_job::Handle>();
    goes::<impasto_job::Engines>();
}

#[test]
fn a_stopped_job_writes_the_picture_so_far_and_goes_on_to_the_same_bytes() {
    let workshop = Workshop::new();
    prepared(&workshop, 12, None).perform(&mut |_| Control::Continue).unwrap();
    let whole = std::fs::read(workshop.path("out.png")).unwrap();

    let keep = KeepIn::folder(&workshop.path("run"));
    let job = prepared(&workshop, 12, Some(&keep));
    let handle = job.handle();
    let worker = std::thread::spawn(move || job.perform(&mut |_| Control::Continue).unwrap());
    assert!(handle.newest_picture(LONG).is_some());
    handle.stop();
    let finished = worker.join().unwrap();
    assert_eq!(finished.ending(), Ending::Interrupted);
    let failure = finished.failure().unwrap();
    assert!(failure.sentence.contains("impasto resume"), "{failure}");
    assert!(finished.outcome.evaluations < 14);

    let Resumed::Job(job) = Job::resume(&workshop.path("run"), None).unwrap() else { panic!("it is not finished") };
    let mut goes_on_said = false;
    let resumed = job.prepare(&mut engines()).unwrap().perform(&mut |event| {
        goes_on_said |= matches!(event, JobEvent::Started { goes_on: true });
        Control::Continue
    });
    assert_eq!((resumed.unwrap().ending(), goes_on_said), (Ending::Done, true));
    assert_eq!(std::fs::read(workshop.path("out.png")).unwrap(), whole);
}

#[test]
fn the_newest_picture_is_one_that_an_observer_saw_and_there_is_none_after_the_end() {
    let workshop = Workshop::new();
    let job = prepared(&workshop, 40, None);
    let handle = job.handle();
    let worker = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let finished = job.perform(&mut |event| {
            if let JobEvent::Iteration { iteration, .. } = event {
                seen.push((iteration.iteration, iteration.picture()));
            }
            Control::Continue
        });
        (finished.unwrap(), seen)
    });
    let newest = handle.newest_picture(LONG).unwrap();
    let (finished, seen) = worker.join().unwrap();
    assert!(seen.iter().any(|(iteration, picture)| *iteration == newest.iteration && *picture == *newest.picture));
    assert_eq!(finished.ending(), Ending::Done);
    assert_eq!(handle.newest_picture(LONG), None);
}

#[test]
fn who_waits_for_a_job_that_never_begins_is_not_kept_waiting() {
    let workshop = Workshop::new();
    let handle = prepared(&workshop, 3, None).handle();
    assert_eq!(handle.newest_picture(Duration::from_millis(20)), None);
}
