//! Hostile weight files, made by hand: each has to end in one sentence that says what is wrong, soon and in bounded
//! memory. Wrong counts, circles, bombs, truncated and lying archives, values that are no weights.
//!
//! A file a format ([`safetensors`], [`mat`], [`mod@pth`], [`hdf5`]) builds a good file and then bends it in one place an
//! attack; that the unbent file is read is part of the test, so no attack passes because its file was broken anyway.
//! [`floods`] are files of very many very small things, which cost more to hold than to write; [`damage`] cuts and flips the files of the real libraries everywhere.

mod damage;
mod floods;
mod hdf5;
mod mat;
mod memory;
mod pth;
mod safetensors;
#[path = "../support/small_network.rs"]
mod small_network;

use std::io::Cursor;
use std::time::{Duration, Instant};

use impasto_vgg::formats::budget::WORKING_BYTES;
use impasto_vgg::formats::{WeightsFile, read_network};
use impasto_vgg::{Weights, WeightsError};

pub use small_network::{SMALL, kernel};

/// One hostile file.
pub struct Attack {
    /// What it does.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// A part of the sentence that it has to end in.
    pub says: &'static str,
}

/// A hostile file by its name, its bytes and what is said of it.
pub fn attack(name: &'static str, bytes: Vec<u8>, says: &'static str) -> Attack {
    Attack { name, bytes, says }
}

/// Reads a file of the small network.
pub fn read(bytes: &[u8]) -> Result<WeightsFile, WeightsError> {
    read_network(&mut Cursor::new(bytes), &SMALL)
}

/// Longest time that one file may take: the work limit of 1 GiB takes about a second, and machines are busy.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What is promised beside the working memory: the tensors, which are a few hundred bytes here, and a sentence.
const TENSOR_BYTES: u64 = 64 << 10;

/// Reads a file and says what was wrong with the way that it did so: it took too long, or too much memory.
pub fn read_within_limits(bytes: &[u8]) -> (Result<WeightsFile, WeightsError>, Option<String>) {
    // They are unpacked once, and first layers are compared with them.
    Weights::embedded();
    let start = Instant::now();
    let (outcome, held) = memory::most_held(|| read(bytes));
    let fault = match (start.elapsed(), held) {
        (time, _) if time > TIME_LIMIT => Some(format!("took {time:?}")),
        (_, held) if held > WORKING_BYTES + TENSOR_BYTES => Some(format!("held {} MiB", held >> 20)),
        _ => None,
    };
    (outcome, fault)
}

/// Reads every file of `attacks`, and reports all that do not end as they should.
pub fn withstand(attacks: Vec<Attack>) {
    let mut failures = Vec::new();
    for Attack { name, bytes, says } in attacks {
        let (outcome, fault) = read_within_limits(&bytes);
        failures.extend(fault.map(|fault| format!("{name}: {fault}")));
        match outcome {
            Ok(_) => failures.push(format!("{name}: was read")),
            Err(error) => {
                let sentence = error.to_string();
                if !sentence.contains(says) {
                    failures.push(format!("{name}: says \"{sentence}\", not \"{says}\""));
                }
                if let Some(fault) = fault_of_sentence(&sentence) {
                    failures.push(format!("{name}: {fault}: {sentence}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The files that one format has to withstand, of which there have to be a good number.
pub fn withstand_all(attacks: Vec<Attack>, at_least: usize) {
    assert!(attacks.len() >= at_least, "{} attacks are fewer than {at_least}", attacks.len());
    println!("{} hostile files", attacks.len());
    withstand(attacks);
}

/// What makes a message unfit to be shown: more than a line, more than a screen.
pub fn fault_of_sentence(sentence: &str) -> Option<&'static str> {
    if sentence.chars().any(char::is_control) {
        return Some("has control characters");
    }
    (sentence.len() > 400).then_some("is longer than 400 bytes")
}

/// Values as little-endian bytes.
pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
