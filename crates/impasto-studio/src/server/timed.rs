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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Runs with a clock that goes on by itself wherever all wait.
    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test);
    }

    #[test]
    fn who_sends_no_header_is_given_up_and_who_trickles_too() {
        run(async {
            let (_client, server) = duplex(64);
            let (begun, mut timed) = (Instant::now(), Timed::new(server, Arc::default()));
            let late = timed.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!((late.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));

            let (mut client, server) = duplex(64);
            let (begun, mut timed) = (Instant::now(), Timed::new(server, Arc::default()));
            let trickle = tokio::spawn(async move {
                while client.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            });
            while timed.read(&mut [0; 8]).await.is_ok() {}
            assert!((10..=11).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
            drop(timed);
            trickle.await.unwrap();
        });
    }

    #[test]
    fn an_answer_may_take_its_time_and_a_rest_thirty_seconds() {
        run(async {
            let (mut client, server) = duplex(64);
            let phase = Arc::new(Phase::default());
            let mut timed = Timed::new(server, Arc::clone(&phase));
            client.write_all(b"x").await.unwrap();
            timed.read_exact(&mut [0]).await.unwrap();
            phase.work();
            let waits = tokio::time::timeout(Duration::from_secs(3600), timed.read(&mut [0])).await;
            assert!(waits.is_err(), "an answer was cut off");
            phase.rest();
            let begun = Instant::now();
            assert_eq!(timed.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(begun.elapsed().as_secs(), 30);
            // The first byte of the next request within that time has ten seconds again.
            let (mut client, server) = duplex(64);
            let phase = Arc::new(Phase::default());
            let mut timed = Timed::new(server, Arc::clone(&phase));
            phase.work();
            phase.rest();
            assert!(tokio::time::timeout(Duration::from_secs(25), timed.read(&mut [0])).await.is_err());
            client.write_all(b"x").await.unwrap();
            timed.read_exact(&mut [0]).await.unwrap();
            let begun = Instant::now();
            assert!(timed.read(&mut [0]).await.is_err());
            assert_eq!(begun.elapsed().as_secs(), 10);
        });
    }

    #[test]
    fn what_is_written_has_to_be_taken() {
        run(async {
            let (_client, server) = duplex(4);
            let mut timed = Timed::new(server, Arc::default());
            let begun = Instant::now();
            assert_eq!(timed.write_all(b"more than four").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(begun.elapsed().as_secs(), 30);
            // Slowly taken, it is taken.
            let (mut client, server) = duplex(4);
            let mut timed = Timed::new(server, Arc::default());
            let slow = tokio::spawn(async move {
                while client.read(&mut [0]).await.is_ok_and(|count| count > 0) {
                    sleep(Duration::from_secs(20)).await;
                }
            });
            timed.write_all(b"slowly").await.unwrap();
            drop(timed);
            slow.await.unwrap();
        });
    }
}
