//! Hostile weight files, made by hand: each has to end in one sentence that says what is wrong, soon and in bounded
//! memory. Wrong counts, circles, bombs, truncated and lying archives, values that are no weights.
//!
//! A file a format ([`safetensors`], [`mat`], [`pth`], [`hdf5`]) builds a good file and then bends it in one place an
//! attack; that the unbent file is read is part of the test, so no attack passes because its file was broken anyway.
//! [`damage`] cuts and flips the files of the real libraries everywhere.

mod damage;
mod hdf5;
mod mat;
mod pth;
mod safetensors;

use std::io::Cursor;
use std::time::{Duration, Instant};

use impasto_vgg::WeightsError;
use impasto_vgg::formats::{ConvolutionShape, WeightsFile, read_network};

/// The network that the files hold: that of `scripts/make_weight_files.py`.
pub const SMALL: [ConvolutionShape; 3] = [
    ConvolutionShape { block: 1, place: 1, inputs: 3, outputs: 2 },
    ConvolutionShape { block: 1, place: 2, inputs: 2, outputs: 3 },
    ConvolutionShape { block: 2, place: 1, inputs: 3, outputs: 2 },
];

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
pub const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Most memory that this process may ever have resident: each reader may take 64 MiB beside its tensors, a few run at
/// once, and the files themselves are held too.
const MEMORY_LIMIT_KIB: u64 = 400 << 10;

/// Reads every file of `attacks`, and reports all that do not end as they should.
pub fn withstand(attacks: Vec<Attack>) {
    assert!(attacks.len() >= 30, "{} attacks are fewer than 30", attacks.len());
    let mut failures = Vec::new();
    for Attack { name, bytes, says } in attacks {
        let start = Instant::now();
        match read(&bytes) {
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
        if start.elapsed() > TIME_LIMIT {
            failures.push(format!("{name}: took {:?}", start.elapsed()));
        }
    }
    if let Some(peak) = peak_memory_kib().filter(|&peak| peak > MEMORY_LIMIT_KIB) {
        failures.push(format!("{peak} KiB were resident at the worst"));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What makes a message unfit to be shown: more than a line, more than a screen.
pub fn fault_of_sentence(sentence: &str) -> Option<&'static str> {
    if sentence.chars().any(char::is_control) {
        return Some("has control characters");
    }
    (sentence.len() > 400).then_some("is longer than 400 bytes")
}

/// The process's largest resident set so far, where the system says it.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The script's kernel value at `[o, i, y, x]` of layer `layer`; any finite values would do here.
pub fn kernel_value(layer: usize, o: usize, i: usize, y: usize, x: usize) -> f32 {
    (((7 * o + 5 * i + 3 * y + x + 11 * layer) % 32) as f32 - 15.0) / 8.0
}

/// A layer's kernel, `[outputs, inputs, 3, 3]`.
pub fn kernel(layer: usize) -> Vec<f32> {
    let shape = SMALL[layer];
    (0..shape.outputs * shape.inputs * 9)
        .map(|at| kernel_value(layer, at / (shape.inputs * 9), at / 9 % shape.inputs, at / 3 % 3, at % 3))
        .collect()
}

/// Values as little-endian bytes.
pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
