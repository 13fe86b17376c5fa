//! Memory in large pages, where the system lends them to those who ask.
//!
//! The processor remembers where a few thousand pages lie. A page is usually 4 KiB, so that maps and weights of hundreds of
//! MiB are looked up again and again, the more as the transforms write to 36 places that lie far apart; a large one is
//! 2 MiB, and all fit.

/// A large page, in bytes. (Where a system's are larger, they are not asked for.)
const LARGE_PAGE_BYTES: usize = 2 << 20;

/// A vector of `len` times `value`, in large pages as far as it spans whole ones.
pub fn filled<T: Copy>(len: usize, value: T) -> Vec<T> {
    let mut storage = Vec::with_capacity(len);
    // Before the memory is touched: pages that are there already stay small.
    ask_for_large_pages(&mut storage);
    storage.resize(len, value);
    storage
}

#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(empty: &mut Vec<T>) {
    let room = empty.spare_capacity_mut().as_mut_ptr_range();
    let start = room.start.cast::<u8>().wrapping_add(room.start.cast::<u8>().align_offset(LARGE_PAGE_BYTES));
    let whole_pages = (room.end as usize).saturating_sub(start as usize) / LARGE_PAGE_BYTES;
    if whole_pages > 0 {
        // SAFETY: the range lies within the vector's own room, reckoned above, and the advice changes nothing that can be
        // read there. A system without large pages refuses; then they stay small.
        unsafe { libc::madvise(start.cast(), whole_pages * LARGE_PAGE_BYTES, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_: &mut Vec<T>) {}

/// Gives memory that was freed back to the system at once, where its allocator would keep it for later.
pub fn give_back_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the allocator's own function, which may be called at any time from any thread; it touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_every_length_are_filled() {
        let large = LARGE_PAGE_BYTES / size_of::<u32>();
        for len in [0, 1, large - 1, large, 3 * large + 7] {
            let values = filled(len, 0x5a5a_5a5a_u32);
            assert_eq!(values.len(), len);
            assert!(values.iter().all(|&value| value == 0x5a5a_5a5a));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn large_pages_are_asked_for() {
        let values = filled(8 * LARGE_PAGE_BYTES, 1_u8);
        // The mapping that holds the middle of the vector; its flags have "hg" where the advice was taken.
        let middle = values.as_ptr() as usize + values.len() / 2;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut holds_middle = false;
        let flags = maps.lines().find_map(|line| {
            let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
            if let Some((start, end)) = range
                && let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16))
            {
                holds_middle = (start..end).contains(&middle);
            }
            line.strip_prefix("VmFlags:").filter(|_| holds_middle)
        });
        match flags {
            Some(flags) if std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() => {
                assert!(flags.split_whitespace().any(|flag| flag == "hg"), "{flags}");
            }
            _ => println!("skipped: this system has no large pages to ask for"),
        }
    }
}
