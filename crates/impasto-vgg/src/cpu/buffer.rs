//! Feature maps, gradients and bit maps in memory, and the only pointer arithmetic of the engine.
//!
//! A map holds `[channels / 16][slots][width]` elements; an element belongs to sixteen neighbouring channels at one
//! position: their values ([`Lanes`]), their signs (a bit each) or the winners of their pooling windows (two bits each).
//! Rows are addressed by their place in the picture-high map and kept in a ring, row y in slot `y % slots`, so that a
//! band of a tall map can pass through memory that is only a few rows high:
//!
//! ```text
//!   row      0 1 2 3 4 5 6 7 8 9 ...        slots = height: the whole map is kept
//!   slot     0 1 2 3 4 5 0 1 2 3 ...        slots = 6: row 6 takes the place of row 0
//! ```
//!
//! Several threads write one map at the same time, each its own tiles. [`RowRing::tile_writers`] hands out writers whose
//! claims it has checked to be disjoint, and each writer checks every access against its own claim, so nothing outside
//! this file needs `unsafe` for it.

use std::marker::PhantomData;
use std::ops::Range;

use super::isa::{LANES, Lanes};
use super::pages::Pages;

/// What a map holds for sixteen channels at one position.
pub trait Element: Copy + Send + Sync + PartialEq + 'static {
    /// What new maps are filled with.
    const ZERO: Self;
    /// What stands before and after a map's storage in debug builds, and must stand there still when it is dropped.
    const SENTINEL: Self;
}

impl Element for Lanes {
    const ZERO: Lanes = Lanes::ZERO;
    const SENTINEL: Lanes = Lanes([-7.25e30; LANES]);
}

impl Element for u16 {
    const ZERO: u16 = 0;
    const SENTINEL: u16 = 0xa5c3;
}

impl Element for [u16; 2] {
    const ZERO: [u16; 2] = [0; 2];
    const SENTINEL: [u16; 2] = [0xa5c3, 0x3c5a];
}

/// Values of sixteen channels at each position: features or gradients.
pub type FeatureRows = RowRing<Lanes>;
/// One bit a channel at each position: set where the feature is positive.
pub type SignRows = RowRing<u16>;
/// Two bits a channel at each position of a max-pooled map, which of four won: `[0]` has the bit of the column, `[1]`
/// the bit of the row.
pub type WinnerRows = RowRing<[u16; 2]>;

/// Elements before and after the storage that must stay as they are.
const GUARD_LEN: usize = if cfg!(debug_assertions) { 64 } else { 0 };

/// A map whose rows live in a ring; see the head of this file.
#[derive(Debug)]
pub struct RowRing<T: Element> {
    storage: Pages<T>,
    shape: RingShape,
}

#[derive(Clone, Copy, Debug)]
struct RingShape {
    blocks: usize,
    height: usize,
    width: usize,
    slots: usize,
}

impl RingShape {
    /// This shape, whose sides' products do not wrap.
    ///
    /// # Panics
    /// Where the picture-high map has more elements than can be counted.
    fn checked(self) -> RingShape {
        let elements = self.blocks.checked_mul(self.height).and_then(|rows| rows.checked_mul(self.width));
        assert!(elements.is_some(), "a map of {self:?} has too many elements");
        self
    }

    /// Elements that are kept.
    fn len(self) -> usize {
        self.blocks * self.slots * self.width
    }

    /// Where row `y` of a block starts in the storage.
    fn row_start(self, block: usize, y: usize) -> usize {
        assert!(block < self.blocks && y < self.height, "row {y} of block {block} lies outside {self:?}");
        // Whole maps are the common case, and a division costs more than the rest of this function.
        let slot = if y < self.slots { y } else { y % self.slots };
        (block * self.slots + slot) * self.width
    }
}

impl<T: Element> RowRing<T> {
    /// A map of zeros. `channels` is a multiple of 16; `slots` rows are kept, at most `height`.
    ///
    /// # Panics
    /// Where channels come in no whole blocks, a side is 0, or there are more elements than can be counted.
    pub fn new(channels: usize, height: usize, width: usize, slots: usize) -> RowRing<T> {
        assert!(channels.is_multiple_of(LANES) && channels > 0, "channels come in blocks of {LANES}");
        assert!(height > 0 && width > 0 && slots > 0, "a map has at least one position");
        let shape = RingShape { blocks: channels / LANES, height, width, slots: slots.min(height) }.checked();
        let mut storage = Pages::filled(shape.len() + 2 * GUARD_LEN, T::ZERO);
        storage[..GUARD_LEN].fill(T::SENTINEL);
        storage[GUARD_LEN + shape.len()..].fill(T::SENTINEL);
        RowRing { storage, shape }
    }

    /// Bytes that a map of this shape takes.
    pub fn bytes(channels: usize, height: usize, width: usize, slots: usize) -> u64 {
        let elements = (channels / LANES) as u64 * slots.min(height) as u64 * width as u64;
        elements * size_of::<T>() as u64
    }

    /// Channels, a multiple of 16.
    pub fn channels(&self) -> usize {
        self.shape.blocks * LANES
    }

    /// Blocks of sixteen channels.
    pub fn blocks(&self) -> usize {
        self.shape.blocks
    }

    /// Rows of the map, kept or not.
    pub fn height(&self) -> usize {
        self.shape.height
    }

    /// Rows that are kept at a time.
    pub fn slots(&self) -> usize {
        self.shape.slots
    }

    /// Positions in a row.
    pub fn width(&self) -> usize {
        self.shape.width
    }

    /// Row `y` of a block of channels: `width` elements.
    ///
    /// # Panics
    /// Outside the map. Whether the ring still holds this row is the caller's to know.
    #[inline(always)]
    pub fn row(&self, block: usize, y: usize) -> &[T] {
        let start = GUARD_LEN + self.shape.row_start(block, y);
        &self.storage[start..start + self.shape.width]
    }

    /// Row `y` of a block of channels, to be written.
    ///
    /// # Panics
    /// Outside the map.
    #[inline(always)]
    pub fn row_mut(&mut self, block: usize, y: usize) -> &mut [T] {
        let start = GUARD_LEN + self.shape.row_start(block, y);
        &mut self.storage[start..start + self.shape.width]
    }

    /// Some rows in all blocks, each to be written by whoever holds it: in the order of blocks, then of slots.
    ///
    /// # Panics
    /// Outside the map, and where two of the rows would share a slot.
    pub fn rows_mut(&mut self, rows: Range<usize>) -> impl Iterator<Item = RowMut<'_, T>> {
        let RingShape { height, width, slots, .. } = self.shape;
        assert!(rows.end <= height, "rows {rows:?} lie outside {:?}", self.shape);
        assert!(rows.len() <= slots, "rows {rows:?} at once do not fit the {slots} slots of the ring");
        let len = self.shape.len();
        let lines = self.storage[GUARD_LEN..GUARD_LEN + len].chunks_exact_mut(width).enumerate();
        lines.filter_map(move |(place, elements)| {
            let (block, slot) = (place / slots, place % slots);
            // The first row from `start` on that lives in this slot.
            let y = rows.start + (slot + slots - rows.start % slots) % slots;
            rows.contains(&y).then_some(RowMut { block, y, elements })
        })
    }

    /// Sets every element that is kept.
    pub fn fill(&mut self, value: T) {
        self.storage[GUARD_LEN..GUARD_LEN + self.shape.len()].fill(value);
    }

    /// One writer a claim, for threads to write at the same time.
    ///
    /// # Panics
    /// Where a claim ends before it begins or beyond the map, where claims overlap or are not in order (by blocks, then
    /// tiles), where the grid does not fit the map, or where two rows of the claimed tiles would share a slot.
    pub fn tile_writers(&mut self, grid: TileGrid, claims: &[Claim]) -> Vec<TileWriter<'_, T>> {
        assert_eq!(grid.tiles_per_row, self.shape.width.div_ceil(grid.cell.columns), "the grid spans the map's width");
        let tiles = grid.tiles_per_row * self.shape.height.div_ceil(grid.cell.rows);
        for claim in claims {
            let Claim { blocks, tiles: claimed } = claim;
            assert!(blocks.start <= blocks.end && claimed.start <= claimed.end, "{claim:?} ends before it begins");
            assert!(blocks.end <= self.shape.blocks, "{claim:?} ends beyond the last block of channels");
            assert!(claimed.end <= tiles, "{claim:?} ends beyond the map's last tile");
        }
        // Claims of one order each with the next are so with all that follow, since none ends before it begins.
        for pair in claims.windows(2) {
            let same_blocks = pair[0].blocks == pair[1].blocks && pair[0].tiles.end <= pair[1].tiles.start;
            assert!(same_blocks || pair[0].blocks.end <= pair[1].blocks.start, "claims overlap: {pair:?}");
        }
        let first = claims.iter().map(|claim| claim.tiles.start / grid.tiles_per_row).min().unwrap_or(0);
        let end = claims.iter().map(|claim| claim.tiles.end.div_ceil(grid.tiles_per_row)).max().unwrap_or(0);
        let rows = end.saturating_mul(grid.cell.rows).min(self.shape.height).saturating_sub(first * grid.cell.rows);
        assert!(rows <= self.shape.slots, "{rows} rows at once do not fit the {} slots of the ring", self.shape.slots);

        let base = self.storage[GUARD_LEN..].as_mut_ptr();
        let (shape, map) = (self.shape, PhantomData);
        claims.iter().map(|claim| TileWriter { base, shape, grid, claim: claim.clone(), map }).collect()
    }
}

impl<T: Element> Drop for RowRing<T> {
    fn drop(&mut self) {
        let (before, rest) = self.storage.split_at(GUARD_LEN);
        let intact = before.iter().chain(&rest[self.shape.len()..]).all(|element| *element == T::SENTINEL);
        if !std::thread::panicking() {
            assert!(intact, "something wrote beside a map of {:?}", self.shape);
        }
    }
}

/// A row of one block of channels, to be written.
#[derive(Debug)]
pub struct RowMut<'map, T: Element> {
    /// Block of sixteen channels.
    pub block: usize,
    /// Row of the map.
    pub y: usize,
    /// `width` elements.
    pub elements: &'map mut [T],
}

/// What a tile covers of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

/// How tiles lie on a map: side by side, numbered along the rows from the map's first one.
#[derive(Clone, Copy, Debug)]
pub struct TileGrid {
    /// A tile in positions of this map.
    pub cell: Cell,
    /// Tiles beside each other.
    pub tiles_per_row: usize,
}

/// The place of a tile in its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Row of tiles.
    pub row: usize,
    /// Column of tiles.
    pub column: usize,
}

impl TileGrid {
    /// For a map of so many columns.
    pub fn new(cell: Cell, width: usize) -> TileGrid {
        TileGrid { cell, tiles_per_row: width.div_ceil(cell.columns) }
    }

    /// Where tile `number` lies.
    pub fn tile(self, number: usize) -> Tile {
        Tile { row: number / self.tiles_per_row, column: number % self.tiles_per_row }
    }

    /// The tile that follows in the order of their numbers.
    #[inline(always)]
    pub fn next(self, tile: Tile) -> Tile {
        if tile.column + 1 < self.tiles_per_row {
            Tile { column: tile.column + 1, ..tile }
        } else {
            Tile { row: tile.row + 1, column: 0 }
        }
    }
}

/// What one writer may write: these tiles of these blocks of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Blocks of sixteen channels.
    pub blocks: Range<usize>,
    /// Numbers of tiles in the grid.
    pub tiles: Range<usize>,
}

/// The right to write some tiles of a map; see [`RowRing::tile_writers`].
#[derive(Debug)]
pub struct TileWriter<'map, T: Element> {
    base: *mut T,
    shape: RingShape,
    grid: TileGrid,
    claim: Claim,
    map: PhantomData<&'map mut T>,
}

// SAFETY: a writer is a mutable borrow of elements that no other writer claims (checked in `tile_writers`), and elements
// may be sent between threads.
unsafe impl<T: Element> Send for TileWriter<'_, T> {}

impl<T: Element> TileWriter<'_, T> {
    /// Row `row_in_tile` of a tile in one block of channels, cut at the map's right edge; `None` below the map's lower edge.
    ///
    /// # Panics
    /// Outside of what this writer claims.
    #[inline(always)]
    pub fn tile_row(&mut self, block: usize, tile: Tile, row_in_tile: usize) -> Option<&mut [T]> {
        // Where this wraps, the tile is none that can be claimed.
        let y = tile.row.wrapping_mul(self.grid.cell.rows).wrapping_add(row_in_tile);
        (y < self.shape.height).then(|| self.row_of_tile(block, tile, row_in_tile, y))
    }

    /// All rows of a tile of `ROWS` x `COLUMNS` positions, the grid's; `None` where an edge of the map cuts it.
    ///
    /// # Panics
    /// Outside of what this writer claims, and where the grid's cells have another size.
    #[inline(always)]
    pub fn whole_tile<const ROWS: usize, const COLUMNS: usize>(
        &mut self,
        block: usize,
        tile: Tile,
    ) -> Option<[&mut [T; COLUMNS]; ROWS]> {
        assert_eq!(self.grid.cell, Cell { rows: ROWS, columns: COLUMNS }, "the grid's cell");
        let (y, x) = (tile.row.wrapping_mul(ROWS), tile.column.wrapping_mul(COLUMNS));
        let whole = y.saturating_add(ROWS) <= self.shape.height && x.saturating_add(COLUMNS) <= self.shape.width;
        whole.then(|| {
            self.check_claim(block, tile);
            std::array::from_fn(|row| {
                let start = self.shape.row_start(block, y + row) + x;
                // SAFETY: as in `row_of_tile`, with x + COLUMNS <= width; the rows of a tile are rows of the map that are all
                // claimed, of which `tile_writers` checked that no two share a slot.
                unsafe { &mut *self.base.add(start).cast::<[T; COLUMNS]>() }
            })
        })
    }

    /// Where a row of a tile is kept, for prefetching: nothing is checked, and the pointer may lead anywhere.
    #[inline(always)]
    pub fn address(&self, block: usize, tile: Tile, row_in_tile: usize) -> *const T {
        let y = tile.row * self.grid.cell.rows + row_in_tile;
        let slot = if y < self.shape.slots { y } else { y % self.shape.slots };
        let place = (block * self.shape.slots + slot) * self.shape.width + tile.column * self.grid.cell.columns;
        self.base.wrapping_add(place)
    }

    #[inline(always)]
    fn check_claim(&self, block: usize, tile: Tile) {
        let inside = tile.row < self.shape.height && tile.column < self.grid.tiles_per_row;
        let number = tile.row.wrapping_mul(self.grid.tiles_per_row).wrapping_add(tile.column);
        let claimed = self.claim.blocks.contains(&block) && self.claim.tiles.contains(&number);
        assert!(inside && claimed, "{tile:?}, block {block}: not claimed");
    }

    #[inline(always)]
    fn row_of_tile(&mut self, block: usize, tile: Tile, row_in_tile: usize, y: usize) -> &mut [T] {
        assert!(row_in_tile < self.grid.cell.rows, "a tile has no row {row_in_tile}");
        self.check_claim(block, tile);
        let x = tile.column * self.grid.cell.columns;
        let len = self.grid.cell.columns.min(self.shape.width - x);
        let start = self.shape.row_start(block, y) + x;
        debug_assert!(start + len <= self.shape.len());
        // SAFETY: `row_start` checks block and row, and x + len <= width, so the elements lie inside the storage that
        // `base` points to and that the map borrows mutably for the writer's life; no product on the way wraps, since
        // `check_claim` keeps the tile within a map whose elements `RingShape::checked` counted. No other writer reaches
        // them: `tile_writers` checked that no claim ends before it begins or beyond the last block or tile, that each
        // comes after the one before it, so that all are disjoint, and that all claimed rows fit the slots, so that no two
        // share one; `check_claim` keeps this writer to its claim, and it lends one slice at a time.
        unsafe { std::slice::from_raw_parts_mut(self.base.add(start), len) }
    }
}

#[cfg(test)]
mod tests;
