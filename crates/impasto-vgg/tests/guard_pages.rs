//! The kernels among forbidden pages: a single access beyond any buffer, on either side, ends this program.
//!
//! Every larger allocation of this test program gets pages of its own between two that may not be touched:
//!
//! ```text
//!   forbidden | ........ buffer | forbidden        pushed against the end (first round)
//!   forbidden | buffer ........ | forbidden        pushed against the start (second round)
//! ```
//!
//! Loads, stores and broadcasts of vectors are thereby checked by the processor itself, for every instruction set that it
//! has, also where the compiler has removed a bounds check. Prefetches may go anywhere: they do not fault. With debug
//! assertions maps keep sentinels around themselves, inside the pages, which are looked at when a map is dropped; run with
//! `--release` too, where the pages begin right beside every map.

#![cfg(unix)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use impasto_vgg::cpu::buffer::{FeatureRows, SignRows, WinnerRows};
use impasto_vgg::cpu::direct::{FirstConvolution, Picture};
use impasto_vgg::cpu::isa::{InstructionSet, LANES, Lanes};
use impasto_vgg::cpu::winograd::{
    BackwardOutputs, ForwardOutputs, Gradient, Pooled, PooledGradient, Scratch, TILE, WinogradWeights,
    convolve_backward, convolve_forward,
};
use impasto_vgg::{Border, ConvolutionWeights, Pooling, Precision};

/// Allocations from this size on are guarded.
const GUARDED_BYTES: usize = 2048;
const PAGE_BYTES: usize = 4096;

/// Whether buffers stand against the page before them instead of the one after.
static AT_START: AtomicBool = AtomicBool::new(false);

struct GuardedPages;

#[global_allocator]
static ALLOCATOR: GuardedPages = GuardedPages;

fn mapped_bytes(layout: Layout) -> usize {
    layout.size().next_multiple_of(PAGE_BYTES) + 2 * PAGE_BYTES
}

// SAFETY: small layouts are passed on to the system's allocator; guarded ones get fresh pages of their own that hold the
// layout at its alignment (at most a page), and `dealloc` finds their start by rounding down.
unsafe impl GlobalAlloc for GuardedPages {
    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() < GUARDED_BYTES || layout.align() > PAGE_BYTES {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        }
        let bytes = mapped_bytes(layout);
        // SAFETY: asks for new pages at any address; only those between the two forbidden ones are opened.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let pages = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_NONE, flags, -1, 0).cast::<u8>();
            if pages.cast() == libc::MAP_FAILED {
                return std::ptr::null_mut();
            }
            let first = pages.add(PAGE_BYTES);
            let open = bytes - 2 * PAGE_BYTES;
            if libc::mprotect(first.cast(), open, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                return std::ptr::null_mut();
            }
            if AT_START.load(Ordering::Relaxed) {
                return first;
            }
            first.add((open - layout.size()) / layout.align() * layout.align())
        }
    }

    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if layout.size() < GUARDED_BYTES || layout.align() > PAGE_BYTES {
            // SAFETY: the caller's promise: it came from the same branch of `alloc`.
            return unsafe { System.dealloc(pointer, layout) };
        }
        let first = pointer.map_addr(|address| address / PAGE_BYTES * PAGE_BYTES);
        // SAFETY: the buffer starts less than a page behind the forbidden page that its mapping starts with.
        let failed = unsafe { libc::munmap(first.sub(PAGE_BYTES).cast(), mapped_bytes(layout)) };
        debug_assert_eq!(failed, 0);
    }
}

fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn map_of(channels: usize, height: usize, width: usize, seed: u32) -> FeatureRows {
    let mut map = FeatureRows::new(channels, height, width, height);
    for (block, y) in (0..channels / LANES).flat_map(|block| (0..height).map(move |y| (block, y))) {
        let row = values(width * LANES, seed + (block * height + y) as u32);
        for (lanes, values) in map.row_mut(block, y).iter_mut().zip(row.as_chunks::<LANES>().0) {
            *lanes = Lanes(*values);
        }
    }
    map
}

/// Runs every kernel once at this size; returns something of every result.
fn run_kernels(set: InstructionSet, height: usize, width: usize, precision: Precision) -> Vec<f32> {
    let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
    let rows = 0..height.div_ceil(TILE);
    let weights = ConvolutionWeights::from_values(128, 64, values(128 * 64 * 9, 1), values(128, 2));
    let scratch = Scratch::new(1);
    let (mut input, mut map) = (map_of(64, height, width, 3), map_of(128, height, width, 4));
    let mut signs = SignRows::new(128, height, width, height);
    let mut pooled = map_of(128, half_height, half_width, 5);
    let mut winners = WinnerRows::new(128, half_height, half_width, half_height);
    for pooling in [Pooling::Average, Pooling::Max] {
        let winners = (pooling == Pooling::Max).then_some(&mut winners);
        let outputs = ForwardOutputs {
            bias: &weights.bias,
            map: Some(&mut map),
            signs: Some(&mut signs),
            pooled: Some(Pooled { pooling, map: &mut pooled, winners }),
        };
        let forward = WinogradWeights::forward(set, &weights, precision);
        convolve_forward(set, &forward, &input, rows.clone(), outputs, &scratch);
    }
    let backward = WinogradWeights::backward(set, &weights, precision);
    for winners in [None, Some(&winners)] {
        let gradient = Gradient {
            height,
            width,
            direct: Some(&map),
            pooled: Some(PooledGradient { map: &pooled, winners }),
            signs: Some(&signs),
        };
        let below = SignRows::new(64, height, width, height);
        let outputs = BackwardOutputs { map: &mut input, accumulate: true, signs: winners.map(|_| &below) };
        convolve_backward(set, &backward, &gradient, rows.clone(), outputs, &scratch);
    }

    let first = FirstConvolution::new(&ConvolutionWeights::from_values(64, 3, values(64 * 27, 6), values(64, 7)));
    let mut features = map_of(64, height, width, 8);
    let mut pixels = values(3 * height * width, 9);
    for border in [Border::Zero, Border::Replicate] {
        let picture = Picture { pixels: &pixels, height, width, border };
        let outputs = ForwardOutputs { bias: &[], map: Some(&mut features), signs: None, pooled: None };
        first.forward(set, picture, rows.clone(), outputs);
        let gradient = Gradient { height, width, direct: Some(&features), pooled: None, signs: None };
        first.backward(set, &gradient, border, rows.clone(), &mut pixels);
    }
    let last = |map: &FeatureRows| map.row(map.blocks() - 1, map.height() - 1)[map.width() - 1].0;
    [last(&input), last(&map), last(&pooled), last(&features)].concat().into_iter().chain(pixels).collect()
}

#[test]
fn kernels_touch_nothing_beside_their_buffers() {
    for set in InstructionSet::available() {
        for precision in [Precision::F32, Precision::Mixed, Precision::Bf16] {
            for (height, width) in [(1, 1), (2, 3), (5, 4), (7, 13), (12, 65), (33, 6)] {
                let results = [false, true].map(|at_start| {
                    AT_START.store(at_start, Ordering::Relaxed);
                    run_kernels(set, height, width, precision)
                });
                let bits = results.map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>());
                assert_eq!(bits[0], bits[1], "{height}x{width} on {}", set.name());
            }
        }
    }
}

/// Run by `forbidden_pages_are_forbidden` in a process of its own.
#[test]
#[ignore = "ends in a fault, as it should"]
fn reads_one_byte_too_far() {
    let buffer = vec![1u8; GUARDED_BYTES];
    // SAFETY: none: this is the fault that the guards are there for, in a process that is made to end by it.
    let beyond = unsafe { buffer.as_ptr().add(buffer.len()).read_volatile() };
    println!("read {beyond}");
}

#[test]
fn forbidden_pages_are_forbidden() {
    use std::os::unix::process::ExitStatusExt;
    let program = std::env::current_exe().expect("a program knows its path");
    let result = std::process::Command::new(program)
        .args(["--ignored", "--exact", "reads_one_byte_too_far", "--test-threads=1"])
        .output()
        .expect("this program can be started again");
    let signal = result.status.signal();
    assert!(matches!(signal, Some(libc::SIGSEGV | libc::SIGBUS)), "ended with {:?}", result.status);
}
