//! Full-precision weights from the network: one file, known by its length and its SHA-256, whoever hands it over.
//!
//! ```text
//!   for each address:   GET (Range: what is missing) --> NAME.part, hashed as it arrives
//!                       broken off: again, as long as something arrives      refused or wrong: the next address
//!   length and SHA-256 right --> NAME
//! ```
//!
//! Addresses are plain http: TLS would bring C into the program, and adds nothing to a file whose SHA-256 is known. A
//! proxy is taken from the environment (`HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`); this machine's own servers need none.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::{Response, header};
use ureq::{Agent, Body};

use crate::disk::{DiskError, PartialFile, create_folder};
use crate::run::Control;

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
    urls: &["http://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat"],
}];

/// Tries of one address in a row that bring nothing.
const FRUITLESS_TRIES: u32 = 3;
/// The wait before another try, in milliseconds, times the tries so far.
const PAUSE_MS: u64 = 300;
/// A server that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Redirections that are followed.
const REDIRECTIONS: u32 = 5;

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
    /// An address, or one that it leads to, of another kind than http.
    #[error(
        "{url} is or leads to an address that is not plain http, which is all that impasto speaks; name an http address with --url, or fetch the file with another program and give it to --weights"
    )]
    NotHttp {
        /// The address.
        url: String,
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
pub fn cache_folder() -> Option<PathBuf> {
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
        create_folder(folder)?;
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
    Ok(arrival.part.commit()?)
}

/// A file on its way.
struct Arrival<'release> {
    release: &'release Release,
    part: PartialFile,
    /// Of all bytes in `part`.
    sum: Sha256,
}

/// How one request ended.
enum Answer {
    /// Everything that was promised has arrived.
    Ended,
    /// It broke off.
    Broken(String),
}

impl<'release> Arrival<'release> {
    fn open(release: &'release Release, target: &Path) -> Result<Arrival<'release>, FetchError> {
        let mut part = PartialFile::open(target, release.length_bytes)?;
        let mut sum = Sha256::new();
        part.read(|piece| sum.update(piece))?;
        let mut arrival = Arrival { release, part, sum };
        if arrival.part.length_bytes() > release.length_bytes {
            arrival.clear()?;
        }
        Ok(arrival)
    }

    fn clear(&mut self) -> Result<(), DiskError> {
        self.sum = Sha256::new();
        self.part.clear()
    }

    /// Fetches what is missing from one address, until the file is whole and right.
    fn arrive_from(&mut self, url: &str, progress: &mut dyn FnMut(u64) -> Control) -> Result<(), FetchError> {
        let expected = self.release.length_bytes;
        let mut fruitless = 0;
        // A part from elsewhere, or from before, may be what is wrong with a whole that has the wrong sum.
        let mut is_of_one_source = self.part.length_bytes() == 0;
        loop {
            let before = self.part.length_bytes();
            let answer = match before == expected {
                true => Answer::Ended,
                false => self.request(url, progress)?,
            };
            let arrived = self.part.length_bytes();
            if arrived == expected {
                if hexadecimal(&self.sum.clone().finalize()) == self.release.sha256 {
                    return Ok(());
                }
                self.clear()?;
                if is_of_one_source {
                    return Err(FetchError::Sum { url: url.to_owned(), expected: self.release.sha256 });
                }
                is_of_one_source = true;
                continue;
            }
            fruitless = if arrived > before { 0 } else { fruitless + 1 };
            if fruitless == FRUITLESS_TRIES {
                let url = url.to_owned();
                return Err(match answer {
                    Answer::Broken(reason) if arrived == 0 => FetchError::Unreachable { url, reason },
                    Answer::Broken(reason) => FetchError::Broken { url, reason, arrived, expected },
                    Answer::Ended => FetchError::Length { url, found: arrived, expected },
                });
            }
            std::thread::sleep(Duration::from_millis(PAUSE_MS * u64::from(fruitless)));
        }
    }

    /// One request, and what it brings.
    fn request(&mut self, url: &str, progress: &mut dyn FnMut(u64) -> Control) -> Result<Answer, FetchError> {
        let not_http = || FetchError::NotHttp { url: url.to_owned() };
        if !url.starts_with("http://") {
            return Err(not_http());
        }
        let from = self.part.length_bytes();
        let mut address = url.to_owned();
        let mut redirections = 0;
        let mut response = loop {
            let mut asked = agent(&address).get(&address);
            if from > 0 {
                asked = asked.header(header::RANGE, format!("bytes={from}-"));
            }
            let response = match asked.call() {
                Ok(response) => response,
                Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => return Err(not_http()),
                Err(error) => return Ok(Answer::Broken(error.to_string())),
            };
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                break response;
            }
            // Followed here, so that no redirection leads to another kind of address.
            address = redirected(&address, &response).ok_or_else(not_http)?;
            redirections += 1;
            if redirections > REDIRECTIONS {
                return Ok(Answer::Broken("it sends from address to address without end".to_owned()));
            }
        };
        self.check(url, &response)?;
        if response.status() == 200 && from > 0 {
            // The server knows no ranges and begins anew.
            self.clear()?;
        }
        self.receive(url, &mut response, progress)
    }

    /// Refuses an answer that cannot be the file, or the part of it that is missing.
    fn check(&mut self, url: &str, response: &Response<Body>) -> Result<(), FetchError> {
        let (url, expected) = (url.to_owned(), self.release.length_bytes);
        let from = self.part.length_bytes();
        let status = response.status().as_u16();
        let found = match status {
            200 => response.body().content_length(),
            206 => match content_range(response) {
                // Another part than the one that is missing.
                Some((start, _)) if start != from => Some(start),
                Some((_, total)) => total,
                None => None,
            },
            // Nothing lies behind what is here, so what is here is not of this file.
            416 => {
                self.clear()?;
                return Err(FetchError::Length { url, found: from, expected });
            }
            _ => return Err(FetchError::Status { url, status }),
        };
        match found {
            Some(found) if found != expected => Err(FetchError::Length { url, found, expected }),
            _ => Ok(()),
        }
    }

    /// Takes the body in, but never more than the file has.
    fn receive(
        &mut self,
        url: &str,
        response: &mut Response<Body>,
        progress: &mut dyn FnMut(u64) -> Control,
    ) -> Result<Answer, FetchError> {
        let expected = self.release.length_bytes;
        let mut body = response.body_mut().as_reader();
        let mut piece = vec![0; 1 << 16];
        loop {
            let arrived = self.part.length_bytes();
            if progress(arrived) == Control::Stop {
                return Err(FetchError::Stopped { arrived, expected });
            }
            let count = match body.read(&mut piece) {
                Ok(0) => return Ok(Answer::Ended),
                Ok(count) => count,
                Err(error) => return Ok(Answer::Broken(error.to_string())),
            };
            let found = arrived + count as u64;
            if found > expected {
                self.clear()?;
                return Err(FetchError::Length { url: url.to_owned(), found, expected });
            }
            self.part.append(&piece[..count])?;
            self.sum.update(&piece[..count]);
        }
    }
}

/// The client for one address.
fn agent(url: &str) -> Agent {
    let host = url.trim_start_matches("http://").split(['/', ':']).next().unwrap_or_default();
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[");
    let proxy = if is_here { None } else { ureq::Proxy::try_from_env() };
    let config = Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    config.build().new_agent()
}

/// Where a redirection leads: an http address, or a path of the same server. `None` for anything else.
fn redirected(address: &str, response: &Response<Body>) -> Option<String> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    if location.starts_with("http://") {
        return Some(location.to_owned());
    }
    let is_path = location.starts_with('/') && !location.starts_with("//");
    let server = address.trim_start_matches("http://").split('/').next()?;
    is_path.then(|| format!("http://{server}{location}"))
}

/// Start and total of `Content-Range: bytes START-END/TOTAL`.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// The SHA-256 of `bytes`, in lower-case hexadecimal digits.
///
/// ```
/// // FIPS 180-2, appendix B.1.
/// assert!(impasto::fetch::sha256(b"abc").starts_with("ba7816bf8f01cfea414140de5dae2223"));
/// ```
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
