//! The server: two threads of its own, one that paints and one that speaks HTTP, and what begins and ends them.

mod connection;
mod slots;
mod timed;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use impasto_job::{DeviceChoice, Failure, Voice};
use tokio::sync::oneshot;

use crate::guard::Guard;
use crate::routes::{App, router};
use crate::runs::{Studio, paint_all};
use crate::secrets::{chosen_token, new_token};

/// The port where none is named, if it is free.
pub const USUAL_PORT: u16 = 8017;

/// Threads for what takes a while: decoding, encoding, looking at folders.
const THREADS_ASIDE: usize = 8;

/// How long open answers may take when the server ends.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What a server is begun with.
#[derive(Clone)]
pub struct Options {
    /// The address that it listens on.
    pub listen: IpAddr,
    /// The port; `None` for [`USUAL_PORT`], or another where that is taken. 0 for any.
    pub port: Option<u16>,
    /// The folder of the runs; it is made where it is not there.
    pub runs: PathBuf,
    /// The token that lets in; `None` for a new one.
    pub token: Option<String>,
    /// What paints where nothing else is chosen.
    pub device: DeviceChoice,
    /// Threads of the processor; `None` for all.
    pub threads: Option<usize>,
    /// Is told what a person should know.
    pub voice: Voice,
}

impl Options {
    /// On this machine alone, with runs in this folder.
    #[must_use]
    pub fn of(runs: PathBuf, voice: Voice) -> Options {
        let listen = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Options { listen, port: None, runs, token: None, device: DeviceChoice::Auto, threads: None, voice }
    }
}

/// A server that runs until it is stopped.
pub struct Server {
    address: SocketAddr,
    token: String,
    studio: Arc<Studio>,
    painter: Option<JoinHandle<()>>,
    speaker: Option<JoinHandle<()>>,
    end: Option<oneshot::Sender<()>>,
}

/// Begins a server: it answers when this returns.
///
/// # Errors
/// The address cannot be listened on; the folder cannot be made; a token that is no good.
pub fn serve(options: Options) -> Result<Server, Failure> {
    let token = options.token.as_deref().map_or_else(new_token, chosen_token)?;
    let listener = listen(options.listen, options.port)?;
    let address = listener.local_addr().map_err(Failure::failed)?;
    let studio = Arc::new(Studio::open(&options.runs, options.device, options.threads, options.voice)?);
    let guard = Arc::new(Guard::new(address, token.clone()));
    let app = App::new(Arc::clone(&studio), Arc::clone(&guard));
    let (end, ended) = oneshot::channel();
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let no_thread =
        |error| Failure::failed(format_args!("there is no thread for the studio ({error}); end other programs"));
    let painting = Arc::clone(&studio);
    let painter = thread("painter").spawn(move || paint_all(&painting)).map_err(no_thread)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(THREADS_ASIDE)
        .build()
        .map_err(no_thread)?;
    let looking = Arc::clone(&studio);
    let speaker = thread("http").spawn(move || {
        runtime.block_on(async {
            tokio::task::spawn_blocking(move || looking.look_around());
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(connection::accept_all(listener, guard, router(app)))),
                Err(_) => return,
            }
            // Its other end is dropped with the server, which ends as well.
            let _ = ended.await;
        });
        runtime.shutdown_timeout(LAST_ANSWERS);
    });
    let speaker = speaker.map_err(no_thread)?;
    Ok(Server { address, token, studio, painter: Some(painter), speaker: Some(speaker), end: Some(end) })
}

/// Listens there; on any port where none was named and the usual one is taken.
fn listen(ip: IpAddr, port: Option<u16>) -> Result<TcpListener, Failure> {
    let bound = match port {
        Some(port) => TcpListener::bind((ip, port)),
        None => TcpListener::bind((ip, USUAL_PORT)).or_else(|_| TcpListener::bind((ip, 0))),
    };
    let listener = bound.map_err(|error| {
        let port = port.unwrap_or(USUAL_PORT);
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        Failure::failed(format_args!(
            "{} cannot be listened on ({reason}); give another --port or --listen",
            SocketAddr::new(ip, port)
        ))
    })?;
    listener.set_nonblocking(true).map_err(Failure::failed)?;
    Ok(listener)
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What scripts send as `Authorization: Bearer TOKEN`.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The address to be opened, token included; by the machine itself where it listens on all addresses.
    #[must_use]
    pub fn url(&self) -> String {
        let ip = match self.address.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}/?token={}", SocketAddr::new(ip, self.address.port()), self.token)
    }

    /// Stops: takes no more runs, stops the one that is painted with a checkpoint and its picture so far, and then the answers.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.studio.close();
        if let Some(painter) = self.painter.take() {
            // A painter that has failed has said so.
            let _ = painter.join();
        }
        drop(self.end.take());
        if let Some(speaker) = self.speaker.take() {
            let _ = speaker.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
