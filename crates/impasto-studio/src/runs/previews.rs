//! Pictures of runs, made when somebody asks: the newest, and no revision twice.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use impasto::Picture;
use impasto::read::read_picture;
use tokio::time::timeout_at;

use super::Studio;
use super::kept::own_limits;
use crate::names::RunId;
use crate::problem::Problem;
use crate::shown::{Shown, aside, encode};

/// How long somebody waits for a picture that is to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a picture is.
enum Source {
    Memory(Arc<Picture>),
    File(PathBuf),
}

impl Studio {
    /// The newest picture of a run that is not older than `revision`, no larger than `long_edge_px`; waits for it a while.
    ///
    /// # Errors
    /// There is no such run, or none of its pictures is so new.
    pub async fn preview(self: &Arc<Self>, id: &RunId, revision: u32, long_edge_px: usize) -> Result<Shown, Problem> {
        let patience = Instant::now() + PATIENCE;
        let mut told = self.told.subscribe();
        loop {
            let (newest, is_alive) = self.newest(id).await?;
            match newest {
                Some((newest, source)) if newest >= revision => {
                    return self.shown(id, newest, source, long_edge_px).await;
                }
                _ if is_alive => self.want_picture(PATIENCE),
                _ => return Err(none_so_new()),
            }
            loop {
                match timeout_at(patience.into(), told.recv()).await {
                    Err(_) => return Err(none_so_new()),
                    Ok(Ok(heard)) if heard.run != *id || heard.event == "iteration" => {}
                    // What was missed may have been it.
                    Ok(_) => break,
                }
            }
        }
    }

    /// The newest picture of a run and its revision; and whether there will be others.
    async fn newest(self: &Arc<Self>, id: &RunId) -> Result<(Option<(u32, Source)>, bool), Problem> {
        let live = self.lock().runs.get(id).map(|live| (live.newest.clone(), live.stage.is_alive()));
        let is_alive = match live {
            Some((Some((revision, picture)), is_alive)) => {
                return Ok((Some((revision, Source::Memory(picture))), is_alive));
            }
            Some((None, is_alive)) => is_alive,
            None => false,
        };
        let (studio, id, is_known) = (Arc::clone(self), id.clone(), live.is_some());
        aside(move || match studio.kept(&id) {
            Ok(kept) => Ok((kept.newest().map(|(revision, file)| (revision, Source::File(file))), is_alive)),
            Err(_) if is_known => Ok((None, is_alive)),
            Err(problem) => Err(problem),
        })
        .await
    }

    async fn shown(&self, id: &RunId, revision: u32, source: Source, long_edge_px: usize) -> Result<Shown, Problem> {
        let make = move || match source {
            Source::Memory(picture) => encode(&picture, None, long_edge_px, revision),
            Source::File(file) => {
                let read = read_picture(&file, &own_limits()).map_err(Problem::failed)?;
                encode(&read.picture, read.alpha.as_ref(), long_edge_px, revision)
            }
        };
        self.showcase.show((id.as_str().to_owned(), revision, long_edge_px), make).await
    }
}

fn none_so_new() -> Problem {
    Problem::missing("this run has no picture of this revision yet; its events tell when there is one")
}
