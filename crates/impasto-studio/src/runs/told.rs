//! What is told to every stream of events.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast;

use super::Studio;
use crate::names::RunId;
use crate::wire::{Losses, RunInfo};

/// A run's state is on the disk; no client is told.
pub const KEPT: &str = "kept";

/// Something that has happened to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub run: RunId,
    /// What: `iteration`, `preview`, `applied`, `state`, `error`; `removed`, at which streams tell how all stands.
    pub event: &'static str,
    /// The rest, as JSON.
    pub data: String,
}

/// An ear: while it lives, somebody looks on.
pub struct Listener {
    studio: Arc<Studio>,
    /// What is told from now on.
    pub told: broadcast::Receiver<Arc<Told>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.studio.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Studio {
    /// Hears what is told from now on.
    #[must_use]
    pub fn listen(self: &Arc<Self>) -> Listener {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        Listener { studio: Arc::clone(self), told: self.told.subscribe() }
    }

    fn tell(&self, run: &RunId, event: &'static str, data: &impl Serialize) {
        // Numbers, texts, and maps keyed by names: this cannot fail. Nor does it matter that nobody hears.
        let data = serde_json::to_string(data).unwrap_or_default();
        let _ = self.told.send(Arc::new(Told { run: run.clone(), event, data }));
    }

    pub(super) fn tell_state(&self, info: &RunInfo) {
        self.tell(&info.id, "state", info);
    }

    pub(super) fn tell_error(&self, run: &RunId, sentence: &str) {
        self.tell(run, "error", &json!({ "id": run, "error": sentence }));
    }

    pub(super) fn tell_kept(&self, run: &RunId) {
        self.tell(run, KEPT, &());
    }

    pub(super) fn tell_removed(&self, run: &RunId) {
        self.tell(run, "removed", &json!({ "id": run }));
    }

    pub(crate) fn tell_preview(&self, run: &RunId, revision: u32, width: usize, height: usize) {
        self.tell(run, "preview", &json!({ "id": run, "revision": revision, "width": width, "height": height }));
    }

    pub(super) fn tell_applied(&self, run: &RunId, before_evaluation: u32, set: &serde_json::Value) {
        self.tell(run, "applied", &json!({ "id": run, "before_evaluation": before_evaluation, "set": set }));
    }

    pub(super) fn tell_iteration(&self, info: &RunInfo, losses: &Losses, layers: &serde_json::Value) {
        let loss = json!({
            "total": losses.total, "content": losses.content, "style": losses.style, "layers": layers,
        });
        let data = json!({
            "id": info.id, "evaluation": info.evaluation, "loss": loss, "painted": info.painted, "seconds": info.seconds,
            "seconds_left": info.seconds_left, "memory_mib": info.memory_mib,
        });
        self.tell(&info.id, "iteration", &data);
    }
}
