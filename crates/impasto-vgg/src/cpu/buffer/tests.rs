use super::*;

fn claim(blocks: Range<usize>, tiles: Range<usize>) -> Claim {
    Claim { blocks, tiles }
}

fn square(side: usize) -> Cell {
    Cell { rows: side, columns: side }
}

#[test]
fn writers_reach_every_element_once() {
    let sizes = [(1, 1), (4, 4), (5, 9), (13, 7), (8, 3)];
    for ((height, width), columns) in sizes.into_iter().flat_map(|size| [4, 6].map(|columns| (size, columns))) {
        let mut map = SignRows::new(48, height, width, height);
        let grid = TileGrid::new(Cell { rows: 4, columns }, width);
        let tiles = grid.tiles_per_row * height.div_ceil(4);
        let claims = [claim(0..1, 0..tiles / 2), claim(0..1, tiles / 2..tiles), claim(1..3, 0..tiles)];
        let writers = map.tile_writers(grid, &claims);
        for (mut writer, claim) in writers.into_iter().zip(claims) {
            for (block, tile) in claim.blocks.flat_map(|block| claim.tiles.clone().map(move |tile| (block, tile))) {
                for row in 0..4 {
                    let place = grid.tile(tile);
                    writer.tile_row(block, place, row).into_iter().flatten().for_each(|element| *element += 1);
                }
            }
        }
        for (block, y) in (0..3).flat_map(|block| (0..height).map(move |y| (block, y))) {
            assert!(map.row(block, y).iter().all(|&count| count == 1), "{height}x{width}, block {block}, row {y}");
        }
    }
}

#[test]
fn a_whole_tile_is_its_rows_and_a_cut_one_is_none() {
    whole_tiles_are_their_rows::<4, 4>();
    whole_tiles_are_their_rows::<4, 6>();
    whole_tiles_are_their_rows::<2, 3>();
}

fn whole_tiles_are_their_rows<const ROWS: usize, const COLUMNS: usize>() {
    for (height, width, slots, rows) in [(9, 10, 9, 0..3), (14, 9, 8, 1..3), (13, 8, 5, 3..4), (8, 12, 6, 1..2)] {
        let mut map = SignRows::new(32, height, width, slots);
        let grid = TileGrid::new(Cell { rows: ROWS, columns: COLUMNS }, width);
        let tiles = rows.start * grid.tiles_per_row..rows.end * grid.tiles_per_row;
        let mut writers = map.tile_writers(grid, &[claim(1..2, tiles.clone())]);
        for place in tiles.map(|number| grid.tile(number)) {
            let is_whole = (place.row + 1) * ROWS <= height && (place.column + 1) * COLUMNS <= width;
            let Some(lines) = writers[0].whole_tile::<ROWS, COLUMNS>(1, place) else {
                assert!(!is_whole, "{place:?} of {height}x{width}");
                continue;
            };
            assert!(is_whole, "{place:?} of {height}x{width}");
            for (row, line) in lines.into_iter().enumerate() {
                let (y, x) = (ROWS * place.row + row, COLUMNS * place.column);
                *line = std::array::from_fn(|column| (20 * y + x + column + 1) as u16);
            }
        }
        let whole_rows = rows.start * ROWS..(rows.end * ROWS).min(height / ROWS * ROWS);
        for y in rows.start * ROWS..(rows.end * ROWS).min(height) {
            let is_written = |x: usize| whole_rows.contains(&y) && x < width / COLUMNS * COLUMNS;
            let expected: Vec<_> =
                (0..width).map(|x| if is_written(x) { (20 * y + x + 1) as u16 } else { 0 }).collect();
            assert_eq!(map.row(1, y), expected, "row {y} of {height}x{width}");
        }
        assert!((0..height).all(|y| map.row(0, y).iter().all(|&value| value == 0)));
    }
}

#[test]
#[should_panic(expected = "not claimed")]
fn a_whole_tile_beyond_the_claim_is_refused() {
    let mut map = SignRows::new(32, 8, 8, 8);
    let mut writers = map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &[claim(0..1, 0..3)]);
    writers[0].whole_tile::<4, 4>(0, Tile { row: 1, column: 1 });
}

#[test]
#[should_panic(expected = "the grid's cell")]
fn a_whole_tile_of_another_size_is_refused() {
    let mut map = SignRows::new(32, 8, 8, 8);
    let mut writers = map.tile_writers(TileGrid { cell: square(2), tiles_per_row: 4 }, &[claim(0..1, 0..3)]);
    writers[0].whole_tile::<4, 4>(0, Tile { row: 0, column: 0 });
}

#[test]
fn a_ring_keeps_the_last_rows() {
    let mut map = SignRows::new(16, 10, 2, 4);
    for y in 0..10 {
        map.row_mut(0, y).fill(y as u16);
    }
    assert_eq!((6..10).map(|y| map.row(0, y)[1]).collect::<Vec<_>>(), [6, 7, 8, 9]);
}

#[test]
fn rows_are_lent_once_and_at_their_place() {
    for (height, slots, rows) in [(10, 4, 6..10), (10, 4, 7..9), (5, 5, 0..5), (9, 3, 2..2)] {
        let mut map = SignRows::new(32, height, 3, slots);
        let mut lent: Vec<(usize, usize)> = Vec::new();
        for row in map.rows_mut(rows.clone()) {
            row.elements.fill((100 * row.block + row.y) as u16);
            lent.push((row.block, row.y));
        }
        lent.sort_unstable();
        let expected: Vec<_> = (0..2).flat_map(|block| rows.clone().map(move |y| (block, y))).collect();
        assert_eq!(lent, expected);
        assert!(expected.iter().all(|&(block, y)| map.row(block, y) == [(100 * block + y) as u16; 3]));
    }
}

#[test]
#[should_panic(expected = "claims overlap")]
fn overlapping_claims_are_refused() {
    let mut map = SignRows::new(16, 8, 8, 8);
    map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &[claim(0..1, 0..3), claim(0..1, 2..4)]);
}

#[test]
#[should_panic(expected = "ends before it begins")]
#[expect(clippy::reversed_empty_ranges, reason = "what must be refused")]
fn a_claim_whose_tiles_end_before_they_begin_is_refused() {
    // Each pair of neighbours is in order, and yet the first and the last claim are the same tiles.
    let mut map = SignRows::new(16, 8, 8, 8);
    let claims = [claim(0..1, 0..4), claim(0..1, 4..0), claim(0..1, 0..4)];
    map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &claims);
}

#[test]
#[should_panic(expected = "ends before it begins")]
#[expect(clippy::reversed_empty_ranges, reason = "what must be refused")]
fn a_claim_whose_blocks_end_before_they_begin_is_refused() {
    let mut map = SignRows::new(32, 8, 8, 8);
    let claims = [claim(0..2, 0..4), claim(2..0, 0..4), claim(0..2, 0..4)];
    map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &claims);
}

#[test]
#[should_panic(expected = "claims overlap")]
fn claims_that_an_empty_one_stands_between_are_refused_where_they_overlap() {
    let mut map = SignRows::new(32, 8, 8, 8);
    let claims = [claim(0..1, 0..4), claim(1..1, 0..4), claim(0..1, 0..4)];
    map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &claims);
}

#[test]
#[should_panic(expected = "beyond the map's last tile")]
fn a_claim_beyond_the_last_tile_is_refused() {
    let mut map = SignRows::new(16, 7, 8, 7);
    map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &[claim(0..1, 0..5)]);
}

#[test]
#[should_panic(expected = "do not fit")]
fn tiles_that_would_share_slots_are_refused() {
    let mut map = SignRows::new(16, 12, 8, 8);
    map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &[claim(0..1, 0..6)]);
}

#[test]
#[should_panic(expected = "not claimed")]
fn a_writer_keeps_to_its_claim() {
    let mut map = SignRows::new(32, 8, 8, 8);
    let mut writers = map.tile_writers(TileGrid { cell: square(4), tiles_per_row: 2 }, &[claim(0..1, 0..4)]);
    writers[0].tile_row(1, Tile { row: 0, column: 0 }, 0);
}

#[test]
#[should_panic(expected = "wrote beside")]
fn a_write_beside_the_map_is_noticed() {
    let mut map = SignRows::new(16, 2, 2, 2);
    let last = map.storage.len() - GUARD_LEN;
    map.storage[last] = 0;
}
