//! What matrix products in tile registers are asked for; `amx.rs` makes them.
//!
//! ```text
//!   sums[row][vector][output] = sum over chunks and words of  inputs[row][chunk][word] * weights[chunk][vector][word][output]
//!
//!   where a word is a pair of bfloat16, whose two products are added
//! ```
//!
//! Rows are tiles of a map on their way through Winograd's products, or positions of a tap; the weights are a panel of
//! sixty-four outputs (`panels.rs`).

use super::isa::Lanes;

/// Products of tiles, all of one shape: `row_groups` groups of sixteen rows by one panel of weights each.
#[derive(Debug)]
pub struct TileOperands<'a> {
    /// `[row_groups][chunks][parts][16 rows]` at each place; a line holds thirty-two bfloat16.
    pub inputs: &'a [Lanes],
    /// `[chunks][parts][GROUP_BLOCKS][16 words]` at each place; a word holds a pair of inputs.
    pub weights: &'a [Lanes],
    /// Where the sums go: each place's vector v of row r stands `r * row_stride + v * vector_stride` lines behind its start.
    pub sums: &'a mut [Lanes],
    /// Groups of sixteen rows.
    pub row_groups: usize,
    /// Thirty-two input channels each.
    pub chunks: usize,
    /// Parts that a value is made of: 1, or 2 of which the products of the second parts are left out.
    pub parts: usize,
    /// See `sums`.
    pub row_stride: usize,
    /// See `sums`.
    pub vector_stride: usize,
}

/// Where one product's operands start, in lines.
#[derive(Clone, Copy, Debug)]
pub struct TilePlace {
    /// In the inputs.
    pub inputs: usize,
    /// In the weights.
    pub weights: usize,
    /// In the sums.
    pub sums: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfloat16::bf16_bits;
    use crate::cpu::isa::{InstructionSet, Isa, LANES, Task};
    use crate::cpu::panels::GROUP_BLOCKS;

    struct Products<'a> {
        operands: TileOperands<'a>,
        places: Vec<TilePlace>,
    }

    impl Task for Products<'_> {
        type Output = ();

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) {
            isa.tile_products(self.operands, self.places.into_iter());
        }
    }

    /// The sets that have tiles; says so where there are none.
    fn sets_with_tiles() -> Vec<InstructionSet> {
        let sets: Vec<_> = InstructionSet::available().into_iter().filter(|set| set.has_tiles()).collect();
        if sets.is_empty() {
            println!("skipped: this processor has no tile registers that this process may use");
        }
        sets
    }

    /// A line of pairs of small integers, which bfloat16 holds exactly.
    fn pairs(at: impl Fn(usize) -> f32) -> Lanes {
        Lanes(std::array::from_fn(|word| f32::from_bits(bf16_bits(at(2 * word)) | bf16_bits(at(2 * word + 1)) << 16)))
    }

    fn integer(seed: usize) -> f32 {
        ((seed.wrapping_mul(2_654_435_761) >> 7) % 15) as f32 - 7.0
    }

    /// A part of a value: an integer from -7 to 7, in sixteenths where it is the second part. Sums of all products that are
    /// made of such parts are exact in f32, whatever their order.
    fn part_of(seed: usize, part: usize) -> f32 {
        integer(seed + 12_345 * part) / 16f32.powi(part as i32)
    }

    #[test]
    fn products_of_integers_are_exact_for_every_number_of_rows_chunks_and_parts() {
        let shapes = (1..6).flat_map(|groups| {
            [1, 2, 5].into_iter().flat_map(move |chunks| (1..3).map(move |parts| (groups, chunks, parts)))
        });
        for (set, (row_groups, chunks, parts)) in
            sets_with_tiles().into_iter().flat_map(|set| shapes.clone().map(move |shape| (set, shape)))
        {
            let rows = row_groups * LANES;
            let input = |row: usize, channel: usize, part: usize| part_of(row * 1000 + channel, part);
            let weight = |channel: usize, output: usize, part: usize| part_of(channel * 77 + output + 5_000_000, part);
            // Two places: the second operands stand behind one line that nobody may read.
            let (stride, gap) = (rows * chunks * parts + 1, Lanes([f32::NAN; LANES]));
            let mut inputs = vec![gap; 2 * stride];
            for (place, row) in [0, 1].into_iter().flat_map(|place| (0..rows).map(move |row| (place, row))) {
                for tile in 0..chunks * parts {
                    let (chunk, part) = (tile / parts, tile % parts);
                    let line = (row / LANES * chunks * parts + tile) * LANES + row % LANES;
                    inputs[place * stride + line] = pairs(|k| input(row + 500 * place, chunk * 2 * LANES + k, part));
                }
            }
            let mut weights = vec![gap; chunks * parts * GROUP_BLOCKS * LANES];
            for (line, words) in weights.iter_mut().enumerate() {
                let (tile, vector, word) = (line / 64, line / LANES % GROUP_BLOCKS, line % LANES);
                let channel = tile / parts * 2 * LANES + 2 * word;
                *words = Lanes(std::array::from_fn(|lane| {
                    let value = |half| weight(channel + half, vector * LANES + lane, tile % parts);
                    f32::from_bits(bf16_bits(value(0)) | bf16_bits(value(1)) << 16)
                }));
            }
            let (row_stride, vector_stride) = (GROUP_BLOCKS * 3, 3);
            let untouched = Lanes([-0.5; LANES]);
            let mut sums = vec![untouched; rows * row_stride];
            let operands = TileOperands {
                inputs: &inputs,
                weights: &weights,
                sums: &mut sums,
                row_groups,
                chunks,
                parts,
                row_stride,
                vector_stride,
            };
            let place = |place| TilePlace { inputs: place * stride, weights: 0, sums: place };
            set.run_bf16(Products { operands, places: vec![place(0), place(1)] });
            for (at, line) in sums.iter().enumerate() {
                let (row, vector, place) = (at / row_stride, at / vector_stride % GROUP_BLOCKS, at % vector_stride);
                for (lane, value) in line.0.iter().enumerate() {
                    let output = vector * LANES + lane;
                    // The products of two parts whose numbers add up to less than there are.
                    let combinations = (0..parts).flat_map(|i| (0..parts - i).map(move |j| (i, j)));
                    let products = combinations.flat_map(|(i, j)| {
                        (0..chunks * 2 * LANES).map(move |k| input(row + 500 * place, k, i) * weight(k, output, j))
                    });
                    let expected = if place < 2 { products.sum() } else { untouched.0[0] };
                    assert_eq!(*value, expected, "row {row}, output {output}, place {place}, {parts} parts");
                }
            }
        }
    }

    #[test]
    fn a_row_depends_on_no_other() {
        for set in sets_with_tiles() {
            let mut inputs = vec![pairs(integer); 3 * LANES];
            inputs[LANES + 3] = Lanes([f32::NAN; LANES]);
            let weights = vec![pairs(|k| integer(k + 9)); GROUP_BLOCKS * LANES];
            let mut sums = vec![Lanes::ZERO; 3 * LANES * GROUP_BLOCKS];
            let operands = TileOperands {
                inputs: &inputs,
                weights: &weights,
                sums: &mut sums,
                row_groups: 3,
                chunks: 1,
                parts: 1,
                row_stride: GROUP_BLOCKS,
                vector_stride: 1,
            };
            set.run_bf16(Products { operands, places: vec![TilePlace { inputs: 0, weights: 0, sums: 0 }] });
            let (rows, _) = sums.as_chunks::<GROUP_BLOCKS>();
            for (row, values) in rows.iter().enumerate() {
                assert_eq!(row == LANES + 3, values[0].0[0].is_nan(), "row {row}");
                assert!(row == LANES + 3 || *values == rows[0], "row {row}");
            }
        }
    }

    #[test]
    fn operands_that_end_too_early_are_refused() {
        for set in sets_with_tiles() {
            for short in 0..3 {
                let lines = |count: usize, which| vec![Lanes::ZERO; count - usize::from(short == which)];
                let (inputs, weights) = (lines(2 * LANES, 0), lines(GROUP_BLOCKS * LANES, 1));
                let mut sums = lines(2 * LANES * GROUP_BLOCKS, 2);
                let operands = TileOperands {
                    inputs: &inputs,
                    weights: &weights,
                    sums: &mut sums,
                    row_groups: 2,
                    chunks: 1,
                    parts: 1,
                    row_stride: GROUP_BLOCKS,
                    vector_stride: 1,
                };
                let products = Products { operands, places: vec![TilePlace { inputs: 0, weights: 0, sums: 0 }] };
                let run = std::panic::AssertUnwindSafe(|| set.run_bf16(products));
                assert!(std::panic::catch_unwind(run).is_err(), "operand {short}");
            }
        }
    }
}
