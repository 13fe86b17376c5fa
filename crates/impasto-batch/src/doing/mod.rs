//! A batch is done: task by task, by as many programs as like to, each task by one of them.
//!
//! ```text
//!   look at the task: done?  -->  claim it  -->  look again  -->  begin, or go on with its run  -->  paint   this thread
//!                                                                 the next one's images are read             ahead.rs
//!                                                                 the last one's picture is written          finishing.rs
//! ```
//!
//! A shot of a film is painted and written in its turn (shot.rs); the last one's program puts the film together (whole.rs).

mod ahead;
mod begin;
mod event;
mod finishing;
mod share;
mod shot;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, Scope};
use std::time::Duration;

use impasto::Control;
use impasto::disk::{DiskError, Lock};
use impasto_job::{Engines, Failure};

use crate::digests::Digests;
use crate::folder::BatchFolder;
use crate::receipt::{FailureRecord, read};
use crate::standing::{Look, Standing};
use crate::task::Task;
use crate::tasks::TaskList;
use ahead::Ahead;
use finishing::{End, Finishing, release, settle};

pub use event::{BatchEvent, Observer, Tally, Unjoined, Unpainted};
pub use share::Share;
pub use whole::{FramesToJoin, Join};

/// How often a program that waits for others looks whether they are done.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How a batch is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Which tasks.
    pub share: Share,
    /// Whether tasks that failed before are tried again; the task of [`Share::One`] is in any case.
    pub retries_failed: bool,
    /// Bytes that the network may take; `None` for what is free.
    pub memory_limit_bytes: Option<u64>,
}

/// Does what is left of a batch; `join` makes films of their frames. Returns when all of the share is done or cannot be, also by other programs.
///
/// That tasks fail, and being stopped, are no errors: [`Tally`] has them.
///
/// # Errors
/// What keeps the whole batch from being done: no such task, no locks on this file system, another engine than a portable batch is
/// for, a disk that takes no word.
pub fn run(
    folder: &BatchFolder,
    list: &TaskList,
    engines: &mut Engines,
    how: How,
    join: &mut Join<'_>,
    observer: &mut Observer<'_>,
) -> Result<Tally, Failure> {
    let positions = how.share.positions(list)?;
    folder.create()?;
    folder.tidy();
    let retries_failed = how.retries_failed || matches!(how.share, Share::One(_));
    let tally = Tally { tasks: positions.len(), ..Tally::default() };
    std::thread::scope(|threads| {
        let (tell, hear) = channel();
        let places = positions.iter().enumerate().map(|(place, position)| (*position, place)).collect();
        let mut doing = Doing {
            folder,
            list,
            engines,
            how,
            join,
            observer,
            threads,
            states: vec![State::Open; positions.len()],
            positions,
            places,
            digests: Digests::default(),
            begun: folder.begun().into_iter().collect(),
            old_failures: if retries_failed { old_failures(folder) } else { BTreeMap::new() },
            ahead: None,
            give: writer(threads, folder, tell),
            hear,
            tally,
        };
        doing.all()?;
        Ok(doing.tally)
    })
}

/// The failures that are there when a program begins: those that come later are not tried again by it.
fn old_failures(folder: &BatchFolder) -> BTreeMap<u32, FailureRecord> {
    let read = |number| Some((number, read::<FailureRecord>(&folder.failure(number))?));
    folder.settled().into_iter().filter_map(read).collect()
}

/// What has become of a task in this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Its picture is painted and being written.
    Writing,
    Done,
    Unpainted,
}

/// What a look at a task has come to.
enum Step {
    /// Something was done.
    Moved,
    /// Another program works on it, or on what it waits for.
    Waits,
}

type Ended = (usize, Result<End, Failure>);

/// A thread that finishes one task after the other; `None` where the system gives none.
fn writer<'scope, 'env>(
    threads: &'scope Scope<'scope, 'env>,
    folder: &'env BatchFolder,
    tell: Sender<Ended>,
) -> Option<SyncSender<Finishing>> {
    // It takes one when it is done with the last, so that no more than two pictures are in memory.
    let (give, take) = sync_channel::<Finishing>(0);
    let finish = move || {
        for finishing in take {
            let position = finishing.position;
            if tell.send((position, finishing.finish(folder))).is_err() {
                break;
            }
        }
    };
    Builder::new().name("pictures".to_owned()).spawn_scoped(threads, finish).ok().map(|_| give)
}

/// A batch that is being done.
struct Doing<'scope, 'env, 'run, 'seen> {
    folder: &'env BatchFolder,
    list: &'run TaskList,
    engines: &'run mut Engines,
    how: How,
    join: &'run mut Join<'seen>,
    observer: &'run mut Observer<'seen>,
    threads: &'scope Scope<'scope, 'env>,
    /// The tasks of this program, and what has become of each.
    positions: Vec<usize>,
    states: Vec<State>,
    /// Where a task stands in these, by its position.
    places: BTreeMap<usize, usize>,
    digests: Digests,
    /// Those of which earlier programs have left a run or a claim.
    begun: BTreeSet<u32>,
    old_failures: BTreeMap<u32, FailureRecord>,
    ahead: Option<Ahead<'scope>>,
    give: Option<SyncSender<Finishing>>,
    hear: Receiver<Ended>,
    tally: Tally,
}

impl<'scope> Doing<'scope, '_, '_, '_> {
    fn all(&mut self) -> Result<(), Failure> {
        while !self.tally.was_stopped {
            let (mut has_moved, mut waits) = (false, 0);
            for place in 0..self.positions.len() {
                self.hear_all()?;
                if self.tally.was_stopped || self.states[place] != State::Open {
                    continue;
                }
                match self.step(place)? {
                    Step::Moved => has_moved = true,
                    Step::Waits => waits += 1,
                }
            }
            if !self.states.iter().any(|state| matches!(state, State::Open | State::Writing)) {
                break;
            }
            if !has_moved && !self.tally.was_stopped {
                self.wait(waits)?;
            }
        }
        // What is being written is written to its end.
        drop(self.give.take());
        while self.states.contains(&State::Writing) {
            match self.hear.recv() {
                Ok(ended) => self.settled(ended)?,
                Err(_) => break,
            }
        }
        self.put_all_together()
    }

    /// Looks at a task that is not known to be done, and does it where nobody else does.
    fn step(&mut self, place: usize) -> Result<Step, Failure> {
        let position = self.positions[place];
        let (task, digest) = self.list.read(position)?;
        if self.stands(place, &task, &digest, false) {
            // A program that was killed between a receipt and its end has left something.
            if self.states[place] == State::Done
                && self.begun.contains(&task.number)
                && let Ok(Some(_claim)) = Lock::claim(&self.folder.claim(task.number))
            {
                settle(self.folder, &task, true)?;
            }
            return Ok(Step::Moved);
        }
        match self.waits_for(position)? {
            Before::Done => {}
            Before::ToCome => return Ok(Step::Waits),
            Before::Never(why) => {
                self.unpainted(place, &task, Failure::failed(why), false);
                return Ok(Step::Moved);
            }
        }
        let claim = match Lock::claim(&self.folder.claim(task.number)) {
            Ok(Some(claim)) => Some(claim),
            Ok(None) => return Ok(Step::Waits),
            // Who has a share of its own needs none.
            Err(DiskError::NoLocks { .. }) if self.how.share != Share::All => None,
            Err(error @ DiskError::NoLocks { .. }) => return Err(Failure::usage(error)),
            Err(error) => return Err(Failure::failed(error)),
        };
        // Another program may have done it between the look and the claim.
        if self.stands(place, &task, &digest, true) {
            match self.states[place] {
                State::Done => settle(self.folder, &task, claim.is_some())?,
                _ => release(self.folder, task.number, claim.is_some())?,
            }
            return Ok(Step::Moved);
        }
        self.begin(place, task, digest, claim)?;
        Ok(Step::Moved)
    }

    /// Whether there is nothing to be done of a task; then it is told so.
    fn stands(&mut self, place: usize, task: &Task, digest: &str, has_claim: bool) -> bool {
        match Standing::of(self.folder, task, digest, Look::Whole, &mut self.digests) {
            Standing::Done(_) => {
                self.states[place] = State::Done;
                self.tally.stood += 1;
                self.told(BatchEvent::Stands { number: task.number });
                true
            }
            Standing::Failed(failed) if self.old_failures.get(&task.number) != Some(&failed) => {
                self.unpainted(place, task, Failure::failed(failed.sentence), false);
                true
            }
            Standing::Failed(_) | Standing::Left(None) => false,
            Standing::Left(Some(why)) => {
                if has_claim {
                    let sentence = format!("{}: {why}; it is painted again", task.output);
                    self.told(BatchEvent::Note { number: Some(task.number), sentence: &sentence });
                }
                false
            }
        }
    }

    /// What has become of the task that this one waits for.
    fn waits_for(&mut self, position: usize) -> Result<Before, Failure> {
        let Some(after) = self.list.entries()[position].after else { return Ok(Before::Done) };
        let Some(before) = self.list.position(after) else { return Ok(Before::Done) };
        let never = |what: &str| Before::Never(format!("it waits for task {after}, which {what}"));
        match self.places.get(&before).map(|place| self.states[*place]) {
            Some(State::Done) => return Ok(Before::Done),
            Some(State::Unpainted) => return Ok(never("has failed")),
            Some(State::Open | State::Writing) => return Ok(Before::ToCome),
            None => {}
        }
        let (task, digest) = self.list.read(before)?;
        Ok(match Standing::of(self.folder, &task, &digest, Look::Whole, &mut self.digests) {
            Standing::Done(_) => Before::Done,
            Standing::Failed(_) => never("has failed"),
            Standing::Left(_) if Lock::is_held(&self.folder.claim(after)) => Before::ToCome,
            Standing::Left(_) => never("is not done; do that first"),
        })
    }

    /// Hands a task over to be finished.
    fn finish(&mut self, place: usize, finishing: Finishing) -> Result<(), Failure> {
        self.states[place] = State::Writing;
        let refused = match &self.give {
            Some(give) => give.send(finishing).err().map(|refused| refused.0),
            None => Some(finishing),
        };
        match refused {
            None => Ok(()),
            Some(finishing) => {
                let ended = (finishing.position, finishing.finish(self.folder));
                self.settled(ended)
            }
        }
    }

    fn hear_all(&mut self) -> Result<(), Failure> {
        while let Ok(ended) = self.hear.try_recv() {
            self.settled(ended)?;
        }
        Ok(())
    }

    /// Waits until a picture is written, or for a moment.
    fn wait(&mut self, waits: usize) -> Result<(), Failure> {
        if waits > 0 && !self.states.contains(&State::Writing) {
            self.told(BatchEvent::Waiting { tasks: waits });
        }
        match self.hear.recv_timeout(LOOK_EVERY) {
            Ok(ended) => self.settled(ended),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            // There is no thread that writes.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(LOOK_EVERY);
                Ok(())
            }
        }
    }

    /// A task was finished.
    fn settled(&mut self, (position, end): Ended) -> Result<(), Failure> {
        let place = self.places[&position];
        match end? {
            End::Painted(receipt) => {
                self.states[place] = State::Done;
                self.tally.painted += 1;
                self.told(BatchEvent::Painted { receipt: &receipt });
            }
            End::Stopped => {
                self.states[place] = State::Open;
                self.tally.was_stopped = true;
            }
            End::Failed(failure) => {
                let (task, _) = self.list.read(position)?;
                self.unpainted(place, &task, failure, true);
            }
        }
        Ok(())
    }

    fn unpainted(&mut self, place: usize, task: &Task, failure: Failure, was_tried: bool) {
        self.states[place] = State::Unpainted;
        let unpainted = Unpainted { number: task.number, output: task.output.clone(), failure, was_tried };
        self.told(BatchEvent::Unpainted { unpainted: &unpainted });
        self.tally.unpainted.push(unpainted);
    }

    /// Tells the front end of something, which may say stop.
    fn told(&mut self, event: BatchEvent<'_>) {
        if (self.observer)(event) == Control::Stop {
            self.tally.was_stopped = true;
        }
    }
}

/// What has become of the task that another waits for.
enum Before {
    Done,
    ToCome,
    Never(String),
}
