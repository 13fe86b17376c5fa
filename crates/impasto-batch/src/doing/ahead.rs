//! The images of the next task, read and decoded while the one before is painted.
//!
//! It is a guess: where another program takes that task meanwhile, what was read is dropped.

use std::thread::{Builder, Scope, ScopedJoinHandle};

use impasto_job::Job;

use crate::digests::Digests;
use crate::folder::BatchFolder;
use crate::standing::{Look, Standing};
use crate::task::Task;

/// A job whose images are being read.
pub struct Ahead<'scope> {
    number: u32,
    digest: String,
    reading: ScopedJoinHandle<'scope, Option<Job>>,
}

impl<'scope> Ahead<'scope> {
    /// Begins to read the images of a task, where it is still to be begun; `None` for a shot, and where the system gives no thread.
    pub fn begin<'env>(
        threads: &'scope Scope<'scope, 'env>,
        folder: &'env BatchFolder,
        (task, digest): (Task, String),
    ) -> Option<Ahead<'scope>> {
        if task.shot.is_some() {
            return None;
        }
        let (number, of_task) = (task.number, digest.clone());
        let read = move || {
            let run = folder.run(number, &of_task);
            let is_left = matches!(
                Standing::of(folder, &task, &of_task, Look::Quick, &mut Digests::default()),
                Standing::Left(_)
            );
            if !is_left || run.exists() {
                return None;
            }
            let mut job = task.job(folder.root(), &run).ok()?;
            // What cannot be read is said when its turn comes.
            job.read_ahead().ok().map(|()| job)
        };
        let reading = Builder::new().name("next images".to_owned()).spawn_scoped(threads, read).ok()?;
        Some(Ahead { number, digest, reading })
    }

    /// The job, if it is that of this task.
    pub fn take(self, number: u32, digest: &str) -> Option<Job> {
        let is_it = self.number == number && self.digest == digest;
        self.reading.join().ok().flatten().filter(|_| is_it)
    }
}
