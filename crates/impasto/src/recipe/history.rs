//! How long a history of L-BFGS is where the recipe leaves it open.

use impasto_vgg::bfloat16::Bfloat16;

/// Most memory that a history of L-BFGS takes where the recipe does not say how long it is.
pub const HISTORY_BYTES: u64 = 5 << 28;

/// Least history that is chosen.
pub const LEAST_HISTORY: u32 = 8;

/// The history for pictures of this size where the recipe leaves it open: `most`, or as many steps as 1.25 GiB hold.
///
/// It depends on the picture's size alone and not on the machine, so that one recipe paints one picture everywhere.
pub fn affordable_history(most: u32, width: usize, height: usize) -> u32 {
    let pair_bytes = 2 * size_of::<Bfloat16>() as u64 * 3 * (width * height) as u64;
    let affordable = u32::try_from(HISTORY_BYTES / pair_bytes.max(1)).unwrap_or(u32::MAX);
    most.min(affordable.max(LEAST_HISTORY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_cut_where_it_would_not_fit() {
        assert_eq!(affordable_history(100, 512, 512), 100);
        assert_eq!(affordable_history(100, 1024, 1024), 100);
        // 1.25 GiB hold 26.7 pairs of 2 x 24 MiB.
        assert_eq!(affordable_history(100, 2048, 2048), 26);
        assert_eq!(affordable_history(10, 2048, 2048), 10);
        assert_eq!(affordable_history(100, 8192, 8192), LEAST_HISTORY);
        assert_eq!(affordable_history(5, 8192, 8192), 5);
    }
}
