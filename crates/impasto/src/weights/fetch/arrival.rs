//! A file on its way: asked for, taken in, hashed, gone on with where it broke off.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::{Response, header};

use super::client::{self, Asked};
use super::{FetchError, Release};
use crate::control::Control;
use crate::disk::digest::hexadecimal;
use crate::disk::{DiskError, PartialFile};

/// Tries of one address in a row that bring nothing.
const FRUITLESS_TRIES: u32 = 3;
/// The wait before another try, in milliseconds, times the tries so far.
const PAUSE_MS: u64 = 300;

/// A file on its way.
pub struct Arrival<'release> {
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
    /// Opens the part of `target` that has arrived before, or an empty one.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn open(release: &'release Release, target: &Path) -> Result<Arrival<'release>, DiskError> {
        let mut part = PartialFile::open(target, release.length_bytes)?;
        let mut sum = Sha256::new();
        part.read(|piece| sum.update(piece))?;
        let mut arrival = Arrival { release, part, sum };
        if arrival.part.length_bytes() > release.length_bytes {
            arrival.clear()?;
        }
        Ok(arrival)
    }

    /// Gives the file, which is whole and right, its name.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn commit(self) -> Result<(), DiskError> {
        self.part.commit()
    }

    fn clear(&mut self) -> Result<(), DiskError> {
        self.sum = Sha256::new();
        self.part.clear()
    }

    /// Fetches what is missing from one address, until the file is whole and right.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub fn arrive_from(&mut self, url: &str, progress: &mut dyn FnMut(u64) -> Control) -> Result<(), FetchError> {
        let expected = self.release.length_bytes;
        // A server without ranges begins anew each time, so it has brought something where more is here than ever was.
        let (mut fruitless, mut furthest) = (0, self.part.length_bytes());
        // A part from elsewhere, or from before, may be what is wrong with a whole that has the wrong sum.
        let mut is_of_one_source = self.part.length_bytes() == 0;
        loop {
            let answer = match self.part.length_bytes() == expected {
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
                (is_of_one_source, furthest) = (true, 0);
                continue;
            }
            fruitless = if arrived > furthest { 0 } else { fruitless + 1 };
            furthest = furthest.max(arrived);
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
        let from = self.part.length_bytes();
        let mut response = match client::ask(url, from)? {
            Asked::Answered(response) => *response,
            Asked::Broken(reason) => return Ok(Answer::Broken(reason)),
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

/// Start and total of `Content-Range: bytes START-END/TOTAL`.
fn content_range(response: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}
