//! `impasto batch run`: what is left of a batch is painted.

use std::path::Path;

use impasto::Control;
use impasto_batch::{BatchFolder, How, Tally, TaskList, run as run_batch};
use impasto_job::{Failure, FailureKind};

use super::films::join;
use crate::args::BatchRunArguments;
use crate::commands::engines;
use crate::interrupt;
use crate::show::{BatchShow, Output, Voice, say, tasks as tasks_in_words};

/// Failures that are said at the end, one by one.
const SAID: usize = 20;

/// Paints.
///
/// # Errors
/// See [`Failure`]: that pictures failed is one, and being stopped.
pub fn run(arguments: &BatchRunArguments, output: Output) -> Result<(), Failure> {
    let folder = BatchFolder::open(&arguments.folder)?;
    let list = TaskList::open(&folder.tasks())?;
    interrupt::catch_kept()?;
    let voice = Voice::new(arguments.quiet);
    let mut engines = engines::for_many(arguments.device, &voice);
    let how = How {
        share: arguments.share(),
        retries_failed: arguments.retry_failed,
        memory_limit_bytes: arguments.memory_limit,
    };
    let mut show = BatchShow::new(&list, how.share, arguments.json, arguments.quiet, output, &voice)?;
    let tally = run_batch(&folder, &list, &mut engines, how, &mut join, &mut |event| {
        show.see(event);
        if interrupt::requested() { Control::Stop } else { Control::Continue }
    });
    let shown = show.finish(tally.as_ref().ok());
    let failure = failure_of(&tally?, arguments, list.has_films());
    failure.map_or(shown, Err)
}

/// How the command ends that is not all done.
fn failure_of(tally: &Tally, arguments: &BatchRunArguments, has_films: bool) -> Option<Failure> {
    let done = tally.stood + tally.painted;
    let Tally { tasks, unpainted, unjoined, was_stopped, .. } = tally;
    let of_tasks = || tasks_in_words(*tasks, has_films);
    if let (Some(_), [one]) = (arguments.index, unpainted.as_slice()) {
        return Some(Failure { kind: one.failure.kind, sentence: format!("{}: {}", one.output, one.failure) });
    }
    for one in unpainted.iter().take(SAID) {
        say(&format!("task {}, {}: {}", one.number, one.output, one.failure));
    }
    if unpainted.len() > SAID {
        say(&format!("and {} more; `impasto batch status` lists them", unpainted.len() - SAID));
    }
    if *was_stopped {
        return Some(Failure {
            kind: FailureKind::Interrupted,
            sentence: format!("stopped; {done} of {} are done, and the same command goes on", of_tasks()),
        });
    }
    if let (true, [first, rest @ ..]) = (unpainted.is_empty(), unjoined.as_slice()) {
        rest.iter().take(SAID).for_each(|one| say(&format!("{}: {}", one.output, one.failure)));
        let sentence = format_args!(
            "{}: its shots are done, and it could not be put together: {}; the same command tries again",
            first.output, first.failure
        );
        return Some(Failure::failed(sentence));
    }
    unjoined.iter().take(SAID).for_each(|one| say(&format!("{}: {}", one.output, one.failure)));
    (!unpainted.is_empty()).then(|| {
        let earlier = unpainted.iter().filter(|one| !one.was_tried).count();
        let retry =
            if earlier > 0 { format!("; --retry-failed tries {} again", words(earlier)) } else { String::new() };
        Failure::failed(format_args!(
            "{} of {} failed, {done} are done in {}{retry}",
            unpainted.len(),
            of_tasks(),
            Path::new(&arguments.folder).display()
        ))
    })
}

fn words(earlier: usize) -> String {
    if earlier == 1 { "the one that failed before".to_owned() } else { format!("the {earlier} that failed before") }
}
