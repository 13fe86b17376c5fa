//! Connections are few, and none is kept by who does nothing with it.
//!
//! A stranger can open as many as the system gives him. So where all are taken, the oldest goes that has no request under way,
//! first among those that never showed the token or the cookie; who comes to ask something is never kept waiting by who does not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// Connections at once.
pub const CONNECTIONS: usize = 64;

/// What a connection is known by.
#[derive(Debug, Default)]
pub struct Standing {
    /// Whether a request is under way.
    pub is_busy: AtomicBool,
    /// Whether who asks may come in.
    pub is_known: AtomicBool,
    has_ended: AtomicBool,
}

/// A connection, while it lives.
#[derive(Debug)]
pub struct Held(pub Arc<Standing>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
    }
}

/// All connections, the oldest first.
#[derive(Debug, Default)]
pub struct Slots {
    taken: Mutex<Vec<(Arc<Standing>, AbortHandle)>>,
}

impl Slots {
    /// Makes room for one more connection, where there is none by ending another. Gives whether there is.
    pub fn make_room(&self) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|(standing, _)| !standing.has_ended.load(Ordering::Relaxed));
        if taken.len() < CONNECTIONS {
            return true;
        }
        let is_idle = |standing: &Standing| !standing.is_busy.load(Ordering::Relaxed);
        let is_stranger = |standing: &Standing| !standing.is_known.load(Ordering::Relaxed);
        let oldest = taken
            .iter()
            .position(|(standing, _)| is_idle(standing) && is_stranger(standing))
            .or_else(|| taken.iter().position(|(standing, _)| is_idle(standing)));
        let Some(place) = oldest else { return false };
        taken.remove(place).1.abort();
        true
    }

    /// Counts a connection in.
    pub fn take(&self, standing: Arc<Standing>, connection: AbortHandle) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push((standing, connection));
    }
}
