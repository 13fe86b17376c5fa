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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use axum::routing::get;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    /// A server of these routes, on a thread that lives as long as the test's process.
    fn serving(router: Router) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().unwrap();
            let guard = Arc::new(Guard::new(address, TOKEN.to_owned()));
            runtime.block_on(async { accept_all(TcpListener::from_std(listener).unwrap(), guard, router).await });
        });
        address
    }

    /// The status of an answer, on a connection that is kept.
    fn ask(stream: &mut std::net::TcpStream, address: SocketAddr, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = [0; 4096];
        let count = stream.read(&mut said).unwrap();
        String::from_utf8_lossy(&said[..count]).split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn a_handler_that_panics_answers_500_and_nothing_else_ends() {
        async fn panics() -> &'static str {
            let nothing: Vec<u8> = Vec::new();
            if nothing[std::hint::black_box(1)] == 0 { "never" } else { "nor this" }
        }
        let address = serving(Router::new().route("/panics", get(panics)).route("/fine", get(async || "fine")));
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        for (path, status) in [("/fine", 200), ("/panics", 500), ("/fine", 200), ("/panics", 500), ("/fine", 200)] {
            assert_eq!(ask(&mut stream, address, path), status, "{path}");
        }
    }

    /// Who goes away does not end what was asked for.
    #[test]
    fn who_leaves_cancels_nothing() {
        use std::sync::atomic::AtomicUsize;
        static DONE: AtomicUsize = AtomicUsize::new(0);
        async fn slow() -> &'static str {
            tokio::time::sleep(Duration::from_millis(200)).await;
            DONE.fetch_add(1, Ordering::Relaxed);
            "done"
        }
        let address = serving(Router::new().route("/slow", get(slow)));
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request = format!("GET /slow HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        drop(stream);
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(DONE.load(Ordering::Relaxed), 1);
    }

    /// Sixty-four that are at work are not sent away for a sixty-fifth; of those that do nothing the oldest is.
    #[test]
    fn who_is_at_work_is_never_sent_away() {
        async fn slow() -> &'static str {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            "done"
        }
        let address = serving(Router::new().route("/slow", get(slow)).route("/fine", get(async || "fine")));
        let mut idle = std::net::TcpStream::connect(address).unwrap();
        let work =
            || std::thread::spawn(move || ask(&mut std::net::TcpStream::connect(address).unwrap(), address, "/slow"));
        let mut workers: Vec<_> = (0..super::super::slots::CONNECTIONS - 1).map(|_| work()).collect();
        std::thread::sleep(Duration::from_millis(300));
        // The place of the idle one is this one's.
        workers.push(work());
        std::thread::sleep(Duration::from_millis(300));
        assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
        // Now all are at work: who comes is turned away, and nobody else.
        let mut turned_away = std::net::TcpStream::connect(address).unwrap();
        assert!(matches!(turned_away.read(&mut [0]), Ok(0) | Err(_)));
        assert!(workers.into_iter().all(|worker| worker.join().unwrap() == 200));
        assert_eq!(ask(&mut std::net::TcpStream::connect(address).unwrap(), address, "/fine"), 200);
    }
}
