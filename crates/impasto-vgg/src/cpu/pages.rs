//! Memory for maps and weights, straight from the system: in large pages where it lends them to those who ask, and given
//! back as soon as it is dropped.
//!
//! The processor remembers where a few thousand pages lie. A page is usually 4 KiB, so that maps and weights of hundreds of
//! MiB are looked up again and again, the more as the transforms write to 36 places that lie far apart; a large one is
//! 2 MiB, and all fit. An allocator would keep much of what is freed for later, in pieces that the next session's maps do
//! not fit into, so that a session would take more than it said.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// From so many bytes on, memory comes from the system: a large page. (Where a system's are larger, they stay small.)
const LARGE_PAGE_BYTES: usize = 2 << 20;

/// A slice of fixed length in memory of its own.
#[derive(Debug)]
pub struct Pages<T>(Storage<T>);

#[derive(Debug)]
enum Storage<T> {
    /// `len` values stand at the start of the mapping, all of them written by [`Pages::filled`].
    Mapped {
        mapping: MmapMut,
        len: usize,
    },
    Heap(Vec<T>),
}

impl<T: Copy> Pages<T> {
    /// `len` times `value`.
    pub fn filled(len: usize, value: T) -> Pages<T> {
        const { assert!(align_of::<T>() <= 4096, "a mapping begins at a page") };
        let bytes = len.saturating_mul(size_of::<T>());
        let mapping = if bytes < LARGE_PAGE_BYTES { None } else { MmapMut::map_anon(bytes).ok() };
        let Some(mut mapping) = mapping else { return Pages(Storage::Heap(vec![value; len])) };
        // Before the memory is touched: pages that are there already stay small. Where there are none, it is refused.
        #[cfg(target_os = "linux")]
        let _ = mapping.advise(memmap2::Advice::HugePage);
        let start = mapping.as_mut_ptr().cast::<MaybeUninit<T>>();
        // SAFETY: the mapping is of `bytes`, so of `len` values, begins at a page and so aligned (asserted above), and is
        // borrowed by nobody else.
        let values = unsafe { std::slice::from_raw_parts_mut(start, len) };
        values.fill(MaybeUninit::new(value));
        Pages(Storage::Mapped { mapping, len })
    }
}

impl<T> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            // SAFETY: `filled`, which alone makes mappings, has written `len` values there, at their alignment, and they
            // are borrowed as this is.
            Storage::Mapped { mapping, len } => unsafe { std::slice::from_raw_parts(mapping.as_ptr().cast(), *len) },
            Storage::Heap(values) => values,
        }
    }
}

impl<T> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            // SAFETY: as for `deref`, and borrowed mutably as this is.
            Storage::Mapped { mapping, len } => unsafe {
                std::slice::from_raw_parts_mut(mapping.as_mut_ptr().cast(), *len)
            },
            Storage::Heap(values) => values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_every_length_are_filled_and_written() {
        let large = LARGE_PAGE_BYTES / size_of::<u32>();
        for len in [0, 1, large - 1, large, 3 * large + 7] {
            let mut values = Pages::filled(len, 0x5a5a_5a5a_u32);
            assert_eq!(values.len(), len);
            assert!(values.iter().all(|&value| value == 0x5a5a_5a5a));
            values.iter_mut().zip(0..).for_each(|(value, place)| *value = place);
            assert!(values.iter().zip(0..).all(|(&value, place)| value == place));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn large_pages_are_asked_for() {
        let values = Pages::filled(8 * LARGE_PAGE_BYTES, 1_u8);
        // The mapping that holds the middle of the slice; its flags have "hg" where the advice was taken.
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
