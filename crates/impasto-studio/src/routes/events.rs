//! Events, as they are sent by the server: a snapshot first, then whatever happens.
//!
//! A stream that nobody reads holds up nobody: its task waits to write, what is told meanwhile is dropped beyond a few hundred, and
//! it gets a snapshot instead.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use hyper::body::Frame;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::App;
use super::extract::Query;
use super::table::{Route, Table};
use crate::guard::Caller;
use crate::names::RunId;
use crate::problem::Problem;
use crate::runs::KEPT;

/// Streams of a browser; the next gets a snapshot and is sent away.
const STREAMS_OF_A_BROWSER: usize = 2;
/// Streams of all scripts.
const STREAMS_OF_SCRIPTS: usize = 16;

/// A sign of life where nothing happens, so that who has gone is noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Adds them.
pub fn add(table: Table) -> Table {
    let events = Route::file(
        "/api/events",
        "What happens: `snapshot` first, then `iteration`, `preview`, `applied`, `state`, `error`.",
        "text/event-stream",
    );
    table.add(
        events.with(&[("run", "Tell of this run's evaluations and pictures alone; of the others their state.")]),
        events_of,
    )
}

/// Streams that are open, by browser.
#[derive(Debug, Default)]
pub struct Streams {
    open: Mutex<BTreeMap<String, usize>>,
}

/// A stream that is counted while it lives.
struct Counted {
    streams: Arc<Streams>,
    browser: String,
}

impl Streams {
    /// Counts a stream in; `None` where the browser has enough of them.
    fn count(self: &Arc<Self>, caller: &Caller) -> Option<Counted> {
        let (browser, most) = match caller {
            Caller::Browser(session) => (session.clone(), STREAMS_OF_A_BROWSER),
            _ => (String::new(), STREAMS_OF_SCRIPTS),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(browser.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { streams: Arc::clone(self), browser })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.browser) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.browser);
            }
        }
    }
}

async fn events_of(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> Result<Response<Body>, Problem> {
    let run = query.get("run").map(RunId::parse).transpose()?;
    let counted = app.streams.count(&caller);
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(tell(app, run, counted, sender));
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(Told(receiver))).into_response())
}

/// Tells one stream what happens, until it ends.
async fn tell(app: App, run: Option<RunId>, counted: Option<Counted>, sender: mpsc::Sender<Bytes>) {
    let mut listener = app.studio.listen();
    let Ok(first) = snapshot(&app, run.as_ref()).await else { return };
    let retry = if counted.is_some() { "retry: 1000\n\n" } else { "retry: 5000\n\n" };
    if sender.send(retry.into()).await.is_err() || sender.send(first).await.is_err() || counted.is_none() {
        return;
    }
    loop {
        let bytes: Bytes = match timeout(SIGN_OF_LIFE, listener.told.recv()).await {
            Err(_) => ": here\n\n".into(),
            Ok(Ok(told)) if told.event == KEPT => continue,
            Ok(Ok(told)) if told.event == "removed" => match snapshot(&app, run.as_ref()).await {
                Ok(snapshot) => snapshot,
                Err(_) => return,
            },
            Ok(Ok(told)) => {
                let is_of_another = run.as_ref().is_some_and(|run| *run != told.run);
                if is_of_another && !matches!(told.event, "state" | "error") {
                    continue;
                }
                event(told.event, &told.data)
            }
            Ok(Err(RecvError::Lagged(_))) => match snapshot(&app, run.as_ref()).await {
                Ok(snapshot) => snapshot,
                Err(_) => return,
            },
            Ok(Err(RecvError::Closed)) => return,
        };
        if sender.send(bytes).await.is_err() {
            return;
        }
    }
}

/// How all runs stand, and all that is known of the one that is asked for.
async fn snapshot(app: &App, run: Option<&RunId>) -> Result<Bytes, Problem> {
    let runs = app.studio.list().await?;
    // One that is no more is none; the stream tells of the others.
    let one = match run {
        Some(run) => app.studio.detail(run).await.ok(),
        None => None,
    };
    Ok(event("snapshot", &json!({ "runs": runs, "run": one }).to_string()))
}

/// An event as it is sent. JSON is on one line.
fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// What is told, as a body.
struct Told(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Told {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        self.get_mut().0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use impasto_job::DeviceChoice;

    use super::*;
    use crate::guard::Guard;
    use crate::runs::Studio;

    /// What the painter tells goes on and comes to who listens, whatever others leave unread: those get a snapshot in its place.
    #[test]
    fn a_stream_that_nobody_takes_from_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let silence = Arc::new(|_: &str| {});
        let studio = Arc::new(Studio::open(&folder.path().join("runs"), DeviceChoice::Cpu, Some(1), silence).unwrap());
        let address = "127.0.0.1:1".parse().unwrap();
        let app = App::new(Arc::clone(&studio), Arc::new(Guard::new(address, "0123456789abcdef".to_owned())));
        let run = RunId::of("a-run");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let stream = || {
                let (sender, receiver) = mpsc::channel(8);
                tokio::spawn(tell(app.clone(), None, app.streams.count(&Caller::Script), sender));
                receiver
            };
            let (mut deaf, mut heard) = (stream(), stream());
            // Retry and snapshot.
            for receiver in [&mut deaf, &mut heard] {
                while !receiver.recv().await.unwrap().starts_with(b"event: snapshot") {}
            }
            for number in 1..2000 {
                studio.tell_preview(&run, number, 1, 1);
                let said = timeout(Duration::from_secs(60), heard.recv()).await.expect("it is heard at once").unwrap();
                assert!(said.starts_with(b"event: preview") && said.ends_with(b"\n\n"));
                assert!(String::from_utf8_lossy(&said).contains(&format!("\"revision\":{number},")));
            }
            // One that takes up reading: what its own channel held, and the one that waited to be taken. Nothing else was kept for
            // it; it learns how all stands.
            for taken in 1..10 {
                let said = timeout(Duration::from_secs(10), deaf.recv()).await.expect("it is written").unwrap();
                assert!(said.starts_with(b"event: preview"), "{taken}");
            }
            let said = timeout(Duration::from_secs(10), deaf.recv()).await.expect("it is written").unwrap();
            assert!(said.starts_with(b"event: snapshot"), "{said:?}");
        });
    }
}
