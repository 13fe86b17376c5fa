//! A connection: its requests, one after the other, each past the guard, into the router, and dressed on its way out.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Request, Response, header};
use axum::response::IntoResponse;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use super::slots::{Held, Slots, Standing};
use super::timed::{Phase, Timed};
use crate::guard::{Caller, Guard};
use crate::problem::Problem;

/// Longest header, in bytes.
const HEADER_LIMIT: usize = 16 << 10;
/// Most lines of a header.
const HEADER_LINES: usize = 64;

/// What the page may load, which is what this server has and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What every answer says.
const DRESS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
];

/// Takes connections until it is dropped.
pub async fn accept_all(listener: TcpListener, guard: Arc<Guard>, router: Router) {
    let slots = Slots::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptors are left, or the like: others may end meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if slots.make_room() {
            let standing = Arc::new(Standing::default());
            let held = Held(Arc::clone(&standing));
            let connection = tokio::spawn(hold(stream, guard.clone(), router.clone(), held));
            slots.take(standing, connection.abort_handle());
        }
        // Those that are here come before those that are to come.
        tokio::task::yield_now().await;
    }
}

/// A connection to its end.
async fn hold(stream: TcpStream, guard: Arc<Guard>, router: Router, held: Held) {
    let Ok(local) = stream.local_addr() else { return };
    let _ = stream.set_nodelay(true);
    let phase = Arc::new(Phase::default());
    let standing = Arc::clone(&held.0);
    let io = TokioIo::new(Timed::new(stream, Arc::clone(&phase)));
    let service = service_fn(|request: Request<Incoming>| {
        phase.work();
        standing.is_busy.store(true, Ordering::Relaxed);
        let at_work = AtWork { phase: Arc::clone(&phase), standing: Arc::clone(&standing) };
        answer(request, local, guard.clone(), router.clone(), at_work)
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(HEADER_LIMIT).max_headers(HEADER_LINES).half_close(false);
    // Whatever ends a connection ends that one alone.
    let _ = http.serve_connection(io, service).await;
    drop(held);
}

/// A request that is under way until this is dropped, with the last of its answer.
struct AtWork {
    phase: Arc<Phase>,
    standing: Arc<Standing>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.standing.is_busy.store(false, Ordering::Relaxed);
        self.phase.rest();
    }
}

/// The answer to a request.
async fn answer(
    request: Request<Incoming>,
    local: SocketAddr,
    guard: Arc<Guard>,
    mut router: Router,
    at_work: AtWork,
) -> Result<Response<Answer>, Infallible> {
    let (mut head, body) = request.into_parts();
    let mut response = match guard.admit(&head, local) {
        Err(problem) => problem.into_response(),
        Ok(caller) => {
            at_work.standing.is_known.fetch_or(caller != Caller::Stranger, Ordering::Relaxed);
            head.extensions.insert(caller);
            let request = Request::from_parts(head, Body::new(body));
            // A task of its own: who goes away stops nothing, and a handler that panics brings down nothing.
            match tokio::spawn(async move { router.call(request).await }).await {
                Ok(Ok(response)) => response,
                Err(_) => Problem::failed("the studio failed at this; what it paints goes on").into_response(),
            }
        }
    };
    let headers = response.headers_mut();
    for (name, value) in DRESS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    Ok(response.map(|body| Answer { body, _at_work: at_work }))
}

/// The body of an answer, with which its request ends.
struct Answer {
    body: Body,
    _at_work: AtWork,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
