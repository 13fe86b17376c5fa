//! Numbers in the bytes of a file, which may end before them.

/// The number in `count` bytes, the lowest first.
pub(super) fn little_endian(bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    ordered(true, bytes, offset, count)
}

/// The number in `count` bytes, the highest first.
pub(super) fn big_endian(bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    ordered(false, bytes, offset, count)
}

/// The number in `count` bytes, at most eight; `None` beyond the end.
pub(super) fn ordered(is_little_endian: bool, bytes: &[u8], offset: usize, count: usize) -> Option<u64> {
    let field = bytes.get(offset..offset.checked_add(count)?)?;
    let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(if is_little_endian { field.iter().rev().fold(0, append) } else { field.iter().fold(0, append) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_the_end_are_none() {
        assert_eq!(little_endian(&[1, 2, 3], 1, 2), Some(0x302));
        assert_eq!(big_endian(&[1, 2, 3], 1, 2), Some(0x203));
        assert_eq!(little_endian(&[1, 2, 3], 2, 2), None);
        assert_eq!(big_endian(&[1, 2, 3], usize::MAX, 2), None);
    }
}
