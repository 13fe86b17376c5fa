//! Batches: many pictures, each a task that can be done anywhere, twice, in any order, and gives the same bytes.
//!
//! ```text
//!   photos, paintings  --plan-->  DIR/tasks.jsonl                a task a line: everything that a picture depends on
//!   a task             --run--->  DIR/running/000012-1f2e3d4c/   a kept run, gone when the task is done
//!                                 DIR/running/000012.claim       locked by the program that works on it
//!                                 DIR/pictures/NAME.png          the picture
//!                                 DIR/done/000012.json           the receipt: digests of the task, of what went in, of what came out
//!                                 DIR/failed/000012.json         or the sentence why not
//! ```
//!
//! A shot of a film is a task too, whose picture is a folder of frames: `films/NAME-PAINTING/shot-000001`. When the last one is done, by
//! whomever, the film is put together.
//!
//! A task is done where its receipt is of this very task, the picture has the receipt's digest, and so have the files that it is made
//! of. Nothing else is believed: no name, no time, no list. So a program that dies loses nothing but a moment, and what spreads tasks
//! over machines need not be ours.
//!
//! Where to look next, in the order of the way. A folder uses only what stands on the lines above its own:
//!
//! - `folder`, `paths`: where everything lies; `digests`, `pattern`, `csv`, `names`: files by their bytes, wildcards, lists, names;
//! - `shot`, [`Task`], `receipt`, `gather`: what a shot of a film has beside; a task and its line; what is left of it; the files that
//!   somebody means;
//! - `tasks`, `standing`, `pairs`: the file of tasks; what has become of one; which photo after which painting;
//! - `films`: what is kept of a film, and which shots make a whole one;
//! - [`plan`], [`run`], [`status`], [`write_page`]: the commands.
//!
//! **Architecture Invariant:** nothing here prints, exits, handles a signal or knows a command line.
#![forbid(unsafe_code)]

mod csv;
mod digests;
mod doing;
mod films;
mod folder;
mod gather;
mod names;
mod page;
mod pairs;
mod paths;
mod pattern;
mod plan;
mod receipt;
mod shot;
mod standing;
mod status;
mod task;
mod tasks;

pub use doing::{BatchEvent, FramesToJoin, How, Join, Share, Tally, Unjoined, Unpainted, run};
pub use films::{FilmPlace, FilmStatus, PlannedFilm, film_places};
pub use folder::BatchFolder;
pub use gather::gather;
pub use page::write_page;
pub use pairs::{Pair, Pairing, pairs, pairs_of_list};
pub use plan::{Intent, Planned, WantedFilm, plan};
pub use receipt::{FailureRecord, FilmReceipt, Receipt};
pub use shot::TaskShot;
pub use standing::Standing;
pub use status::{Status, TaskState, TaskStatus, film_status, status};
pub use task::{Depth, Task, TaskInput};
pub use tasks::{MOST_TASKS, TaskList};
