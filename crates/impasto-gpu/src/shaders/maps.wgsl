// Places in maps and their bits; after every shader that has them.
//
// Maps are [plane][rows][width], their rows a ring: row y stands at y % rows. A plane is a quad of channels, four values
// as a storage file has them. Words of signs and routes and pooled maps are [plane][rows][windows across], a place for each
// 2x2 window of positions; a plane of words is an octet of channels. Bit 8 p + c of a word is that of channel c of position
// p (0 and 1 in the upper row, 2 and 3 in the lower).

fn place_of(plane: u32, rows: u32, y: u32, x: u32) -> u32 {
    return (plane * rows + y % rows) * dispatch.width + x;
}

// Of the window that position (y, x) lies in.
fn place_of_window(plane: u32, rows: u32, y: u32, x: u32) -> u32 {
    return (plane * rows + (y / 2u) % rows) * ((dispatch.width + 1u) / 2u) + x / 2u;
}

// The first bit of a position in a word.
fn first_bit(y: u32, x: u32) -> u32 {
    return (y & 1u) * 16u + (x & 1u) * 8u;
}

// The value where its bit of the lowest four is set, 0 elsewhere.
fn keep(bits: u32, value: vec4<f32>) -> vec4<f32> {
    let is_set = (vec4<u32>(bits) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u);
    return select(vec4<f32>(0.0), value, is_set);
}
