// What is summed at a time; moments.wgsl and distance.wgsl go before it.
//
// A chunk is at most 4 rows by 64 columns of positions. It is fixed by the positions it holds, and is summed in one order:
// sums do not depend on how the map comes in. Chunks of an operation are counted from row_begin, along the rows first.

struct Chunk {
    top: u32,
    bottom: u32,
    left: u32,
    right: u32,
}

fn chunk_of(number: u32) -> Chunk {
    let top = dispatch.row_begin + (number / dispatch.chunks_across) * 4u;
    let left = (number % dispatch.chunks_across) * 64u;
    return Chunk(top, min(top + 4u, dispatch.height), left, min(left + 64u, dispatch.width));
}
