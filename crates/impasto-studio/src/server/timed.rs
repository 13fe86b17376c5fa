//! A connection that waits for nobody for ever: a header has its time, an idle connection its own, and what is written has to be
//! taken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a request's header may take to come, and a new connection's first.
const HEADER: Duration = Duration::from_secs(10);
/// How long a connection may do nothing between two requests.
const IDLE: Duration = Duration::from_secs(30);
/// How long a client may not take what is written.
const STALLED: Duration = Duration::from_secs(30);

/// What is waited for.
const AT_HEADER: u8 = 0;
const AT_WORK: u8 = 1;
const AT_REST: u8 = 2;

/// Where a connection is, as whoever answers its requests knows.
#[derive(Debug, Default)]
pub struct Phase(AtomicU8);

impl Phase {
    /// A request's header is here: from now on the answer's own limits count.
    pub fn work(&self) {
        self.0.store(AT_WORK, Ordering::Relaxed);
    }

    /// The answer is given.
    pub fn rest(&self) {
        self.0.store(AT_REST, Ordering::Relaxed);
    }
}

/// A stream with its times.
pub struct Timed<S> {
    stream: S,
    phase: Arc<Phase>,
    /// The phase that the time of reading counts for.
    counted: u8,
    reading: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    /// A new connection.
    pub fn new(stream: S, phase: Arc<Phase>) -> Timed<S> {
        Timed { stream, phase, counted: AT_HEADER, reading: Box::pin(sleep(HEADER)), writing: None }
    }

    /// Whether what is waited for is late.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let phase = self.phase.0.load(Ordering::Relaxed);
        if phase != self.counted {
            self.counted = phase;
            self.reading.as_mut().reset(Instant::now() + if phase == AT_REST { IDLE } else { HEADER });
        }
        phase != AT_WORK && self.reading.as_mut().poll(context).is_ready()
    }

    /// Lets a write wait for so long and no longer.
    fn timed<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        match writing.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            // The first byte of another request: it has the time of a header from here on.
            let is_next = self.phase.0.load(Ordering::Relaxed) == AT_REST && buffer.filled().len() > before;
            if is_next {
                self.phase.0.store(AT_HEADER, Ordering::Relaxed);
            }
            // Bytes that trickle in do not hold a header open.
            if !is_next && self.is_late(context) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            return read;
        }
        if self.is_late(context) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.timed(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
