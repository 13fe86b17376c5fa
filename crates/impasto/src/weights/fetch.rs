//! Full-precision weights from the network: one file, known by its length and its SHA-256, whoever hands it over.
//!
//! ```text
//!   for each address:   GET (Range: what is missing) --> NAME.part, hashed as it arrives
//!                       broken off: again, as long as something arrives      refused or wrong: the next address
//!   length and SHA-256 right --> NAME
//! ```
//!
//! `arrival.rs` is the file on its way, `client.rs` one request: http and https, redirections, proxies.

use std::path::{Path, PathBuf};

use crate::control::Control;
use crate::disk::{DiskError, RealDisk, create_folder};
use arrival::Arrival;

mod arrival;
mod client;

/// A file that is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// What users type.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub summary: &'static str,
    /// Its name in the cache folder.
    pub file_name: &'static str,
    /// Its length.
    pub length_bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// Where it is to be had, best first.
    pub urls: &'static [&'static str],
}

/// Every file that can be fetched.
///
/// vgg19: the length is the server's, the SHA-256 the one that the README of anishathalye/neural-style states.
pub const RELEASES: [Release; 1] = [Release {
    name: "vgg19",
    summary: "the original release in full precision, as MatConvNet has it",
    file_name: "imagenet-vgg-verydeep-19.mat",
    length_bytes: 534_904_783,
    sha256: "abdb57167f82a2a1fbab1e1c16ad9373411883f262a1a37ee5db2e6fb0044695",
    urls: &[
        "https://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat",
        "http://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat",
    ],
}];

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No server answered.
    #[error("{url} does not answer ({reason}); check the network and the proxy, or name another address with --url")]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// An address of another kind than http and https.
    #[error(
        "{url} is no http or https address; name one with --url, or fetch the file with another program and give it to --weights"
    )]
    Scheme {
        /// The address.
        url: String,
    },
    /// A redirection to another kind of address, or away from https.
    #[error("{url} leads to {to}, where impasto does not follow ({why}); name another address with --url")]
    Redirection {
        /// The address that was asked for.
        url: String,
        /// Where it leads.
        to: String,
        /// Why that is not followed.
        why: &'static str,
    },
    /// The connection cannot be made secure.
    #[error(
        "{url} cannot be spoken to securely ({reason}); where your network has certificates of its own, name their file in SSL_CERT_FILE, or name another address with --url"
    )]
    Insecure {
        /// The address.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The server refused.
    #[error("{url} answers with status {status}; name another address with --url")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server has a file of another length, or another part of it than was asked for.
    #[error("{url} has another file ({found} bytes, not {expected}); name another address with --url")]
    Length {
        /// The address.
        url: String,
        /// Bytes that the server has.
        found: u64,
        /// Bytes of the file.
        expected: u64,
    },
    /// The whole file came and is another one.
    #[error("{url} has another file (its SHA-256 is not {expected}); name another address with --url")]
    Sum {
        /// The address.
        url: String,
        /// What the SHA-256 has to be.
        expected: &'static str,
    },
    /// The connection broke again and again.
    #[error(
        "the connection to {url} keeps breaking ({reason}) and {arrived} of {expected} bytes have arrived; fetch again to go on from there"
    )]
    Broken {
        /// The address.
        url: String,
        /// What went wrong the last time.
        reason: String,
        /// Bytes that have arrived.
        arrived: u64,
        /// Bytes of the file.
        expected: u64,
    },
    /// Stopped by the observer.
    #[error("stopped with {arrived} of {expected} bytes; fetch again to go on from there")]
    Stopped {
        /// Bytes that have arrived.
        arrived: u64,
        /// Bytes of the file.
        expected: u64,
    },
    /// No address was given.
    #[error("there is no address to fetch from; name one with --url")]
    NoAddress,
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The release that is called `name`, if there is one.
pub fn release(name: &str) -> Option<&'static Release> {
    RELEASES.iter().find(|release| release.name == name)
}

/// The folder that fetched files are kept in: `IMPASTO_CACHE`, or `impasto` in the platform's cache folder. `None` where
/// the environment names no home.
fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = variable("IMPASTO_CACHE") {
        return Some(folder);
    }
    let platforms = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    Some(platforms?.join("impasto"))
}

/// Where a fetched release lies, whether it is there or not; `None` where there is no cache folder.
pub fn cached_path(release: &Release) -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join(release.file_name))
}

/// Fetches a release from the first of `urls` that has it, and puts it in its place. `progress` is told how many bytes
/// have arrived, and may stop it; what has arrived stays, and the next call goes on from there.
///
/// # Errors
/// What the last address said where none of them has the file; [`DiskError`]s at once.
pub fn fetch(
    release: &Release,
    urls: &[String],
    target: &Path,
    progress: &mut dyn FnMut(u64) -> Control,
) -> Result<(), FetchError> {
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(&RealDisk, folder)?;
    }
    let mut arrival = Arrival::open(release, target)?;
    let mut result = Err(FetchError::NoAddress);
    for url in urls {
        result = arrival.arrive_from(url, progress);
        match result {
            Ok(()) | Err(FetchError::Disk(_) | FetchError::Stopped { .. }) => break,
            Err(_) => {}
        }
    }
    result?;
    Ok(arrival.commit()?)
}
