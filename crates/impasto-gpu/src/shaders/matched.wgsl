// What cosines.wgsl and pull.wgsl share: positions, and what each was matched to. Both go before it.
//
// features is laid out as in maps.wgsl; offset is [channels] f32, what is taken off the features: their centre, or zeros;
// directions is [entry of this piece of the bank][channels] f32, each of length 1 or 0; indices is [rows from piece_begin on]
// [width] u32, entries of the whole bank. Of those of another piece of it nothing is made: that has its own dispatch.
// Positions are counted along the rows from row_begin on.

struct Position {
    is_here: bool,
    // In a plane of the features.
    y: u32,
    x: u32,
    // In what stands in pieces of rows.
    place: u32,
    // The first quad of its direction.
    direction: u32,
}

fn find(position: u32) -> Position {
    let y = dispatch.row_begin + position / dispatch.width;
    if (y >= dispatch.row_end) {
        return Position(false, 0u, 0u, 0u, 0u);
    }
    let place = (dispatch.row_begin - dispatch.piece_begin) * dispatch.width + position;
    let entry = indices[place];
    // An entry before the piece is beyond it too.
    let within = entry - dispatch.first_entry;
    return Position(within < dispatch.entries, y, position % dispatch.width, place, within * dispatch.quads);
}

// f of a quad: the feature, less the offset.
fn value(found: Position, quad: u32) -> vec4<f32> {
    return feature(features[place_of(quad, dispatch.features_rows, found.y, found.x)]) - offset[quad];
}
