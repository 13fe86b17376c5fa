//! What a picture's reader asks the system for: never much more at once than there are bytes in the file. Memory that is asked
//! for and not touched does not show in what a process has resident, but where it is refused, the process ends.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use impasto::read::{ReadLimits, decode_picture};

/// The largest request so far.
static LARGEST_BYTES: AtomicUsize = AtomicUsize::new(0);

struct Noting;

#[global_allocator]
static ALLOCATOR: Noting = Noting;

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Noting {
    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST_BYTES.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST_BYTES.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn chunk(name: &[u8; 4], claimed: u32, body: &[u8]) -> Vec<u8> {
    [&name[..], &claimed.to_le_bytes(), body].concat()
}

/// A WebP file of one pixel, with a chunk before it and one behind it, each of four bytes but claiming to be longer.
fn webp(before: (&[u8; 4], u32), behind: (&[u8; 4], u32)) -> Vec<u8> {
    // EXIF data and a profile are announced.
    let extended = [0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let picture = [0x2f, 0, 0, 0, 0, 0xcd, 0x55, 0x20, 0x22, 0x02, 0x45, 0xae, 0x50, 0x25, 0x23, 0x01];
    let chunks = [
        chunk(b"VP8X", 10, &extended),
        chunk(before.0, before.1, &[0; 4]),
        chunk(b"VP8L", 16, &picture),
        chunk(behind.0, behind.1, &[0; 4]),
    ]
    .concat();
    [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &chunks].concat()
}

/// Found by the fuzz target `image`: EXIF data that claimed to be 1.3 GiB long, in a file of 368 bytes.
#[test]
fn a_chunk_is_not_believed_about_its_length() {
    let decode = |bytes: &[u8]| decode_picture(bytes, Path::new("made up"), &ReadLimits::default());
    assert!(decode(&webp((b"ICCP", 4), (b"EXIF", 4))).is_ok(), "the file is sound where its chunks are");
    for length in [5, 1 << 20, 0x5089_001a, u32::MAX - 8, u32::MAX] {
        for name in [b"EXIF", b"ICCP", b"XMP ", b"ANMF", b"ALPH", b"else"] {
            LARGEST_BYTES.store(0, Ordering::Relaxed);
            let behind = decode(&webp((b"ICCP", 4), (name, length)));
            let before = decode(&webp((name, length), (b"EXIF", 4)));
            let largest = LARGEST_BYTES.load(Ordering::Relaxed);
            assert!(largest < 16 << 20, "{length} bytes of {}: {largest} were asked for", name.escape_ascii());
            // The picture stands before it, whole.
            assert!(name != b"EXIF" || behind.is_ok(), "{length} bytes: {:?}", behind.err());
            assert!(length == 5 || before.is_err(), "{length} bytes of {}", name.escape_ascii());
        }
    }
}
