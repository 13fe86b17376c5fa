//! What a reader holds: an allocator that counts the bytes of the thread that asks. A test that looks at the whole
//! process would count its neighbours too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD_BYTES: Cell<i64> = const { Cell::new(0) };
    static MOST_BYTES: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts `bytes` more, or fewer. (A thread that ends has nothing to count in any more.)
fn count(bytes: i64) {
    let _ = HELD_BYTES.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST_BYTES.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call is passed on to the system's allocator as it is. (Growing a block is left to the trait, which holds the
// old and the new one for a moment, as the system may: so it is counted.)
unsafe impl GlobalAlloc for Counting {
    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: asks of its caller what the trait asks, and no more.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What `work` returns, and the most bytes that it held at a time beyond those that were held before.
pub fn most_held<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = HELD_BYTES.get();
    MOST_BYTES.set(before);
    let result = work();
    (result, u64::try_from(MOST_BYTES.get() - before).unwrap_or(0))
}

#[test]
fn what_is_held_is_counted() {
    let (_, bytes) = most_held(|| {
        drop(vec![0_u8; 3 << 20]);
        let mut grown: Vec<u8> = Vec::with_capacity(1 << 20);
        grown.extend([0; 1 << 20]);
        grown.push(1);
        grown.len()
    });
    // First 3 MiB; then 1 MiB that grows into 2 beside it.
    assert!((3 << 20..4 << 20).contains(&bytes), "{bytes}");
}
