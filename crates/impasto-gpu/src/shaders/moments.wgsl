// Partial sums of a tap's moments: over a chunk (chunks.wgsl, after this file), the products of 64 by 64 channels, and, once
// for each 64 channels, their values.
//
// features is laid out as in maps.wgsl, also after this file, as a storage file is. partials is
// [chunk of this batch][stride] f32: for each pair (a, b) of tiles of 64 channels, b from a on, the products
// [64 of a][64 of b], and behind them a value a channel. A thread makes 8 channels of a by 4 of b. A batch begins at
// first_chunk.
//
// With regions (GUIDED), those of one region: guides is [region][guide_rows][width] f32, the map's rows from guide_begin on,
// of which this region's begin at guide_plane; seen has the numbers of the chunks that it sees anything of, one after
// another, from which a batch takes some from first_chunk on. The channels of b are multiplied by the guide as they are
// brought: of a product t a b, so that a guide of 1 changes nothing. What it does not see is not read.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    row_begin: u32,
    first_chunk: u32,
    chunks_across: u32,
    height: u32,
    width: u32,
    features_rows: u32,
    // Tiles of 64 channels, and pairs of them.
    tiles: u32,
    pairs: u32,
    stride: u32,
    // In rows.
    guide_plane: u32,
    guide_begin: u32,
}

override GUIDED: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> guides: array<f32>;
@group(0) @binding(3) var<storage, read> seen: array<u32>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>;

// Positions that stand in workgroup memory at a time, and the distance of two of them there, in quads: odd, so that
// neighbouring positions of a quad are written to other banks.
const AT_ONCE: u32 = 16u;
const PITCH: u32 = 17u;

var<workgroup> tile_a: array<array<vec4<f32>, PITCH>, AT_ONCE>;
var<workgroup> tile_b: array<array<vec4<f32>, PITCH>, AT_ONCE>;

// Products of this thread's eight channels of a with its four of b.
var<private> s0: vec4<f32>;
var<private> s1: vec4<f32>;
var<private> s2: vec4<f32>;
var<private> s3: vec4<f32>;
var<private> s4: vec4<f32>;
var<private> s5: vec4<f32>;
var<private> s6: vec4<f32>;
var<private> s7: vec4<f32>;
// The sum of the four of b, where a and b are one tile.
var<private> values: vec4<f32>;
var<private> is_one_tile: bool;

// Adds one position.
fn add(lower: vec4<f32>, upper: vec4<f32>, other: vec4<f32>) {
    s0 = fma(lower.xxxx, other, s0);
    s1 = fma(lower.yyyy, other, s1);
    s2 = fma(lower.zzzz, other, s2);
    s3 = fma(lower.wwww, other, s3);
    s4 = fma(upper.xxxx, other, s4);
    s5 = fma(upper.yyyy, other, s5);
    s6 = fma(upper.zzzz, other, s6);
    s7 = fma(upper.wwww, other, s7);
    if (is_one_tile) {
        values += other;
    }
}

// The quad at a place of the first quad's plane; 0 where there is none.
fn load(quad: u32, place: u32, is_there: bool) -> vec4<f32> {
    if (!is_there) {
        return vec4<f32>(0.0);
    }
    return feature(features[quad * dispatch.features_rows * dispatch.width + place]);
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let chunk = id / dispatch.pairs;
    var pair = id % dispatch.pairs;
    let out = chunk * (dispatch.stride / 4u) + pair * 1024u;
    var a = 0u;
    while (pair >= dispatch.tiles - a) {
        pair -= dispatch.tiles - a;
        a += 1u;
    }
    let b = a + pair;

    var number = dispatch.first_chunk + chunk;
    if (GUIDED) {
        number = seen[number];
    }
    let positions = chunk_of(number);
    let group_a = local / 16u;
    let other = local % 16u;
    let lower = group_a * 2u;
    let upper = lower + 1u;
    is_one_tile = a == b;
    // Each thread brings one position of two quads of each tile.
    let position = local % AT_ONCE;
    let first = local / AT_ONCE;
    let second = first + 8u;
    for (var y = positions.top; y < positions.bottom; y += 1u) {
        let row = place_of(0u, dispatch.features_rows, y, 0u);
        let guide_row = (dispatch.guide_plane + y - dispatch.guide_begin) * dispatch.width;
        for (var x = positions.left; x < positions.right; x += AT_ONCE) {
            // Beyond the row's end there is nothing.
            var is_there = x + position < dispatch.width;
            var guide = 1.0;
            if (GUIDED && is_there) {
                guide = guides[guide_row + x + position];
                is_there = guide > 0.0;
            }
            let place = row + x + position;
            tile_a[position][first] = load(a * 16u + first, place, is_there);
            tile_a[position][second] = load(a * 16u + second, place, is_there);
            var first_of_b = load(b * 16u + first, place, is_there);
            var second_of_b = load(b * 16u + second, place, is_there);
            if (GUIDED) {
                first_of_b *= guide;
                second_of_b *= guide;
            }
            tile_b[position][first] = first_of_b;
            tile_b[position][second] = second_of_b;
            workgroupBarrier();
            add(tile_a[0][lower], tile_a[0][upper], tile_b[0][other]);
            add(tile_a[1][lower], tile_a[1][upper], tile_b[1][other]);
            add(tile_a[2][lower], tile_a[2][upper], tile_b[2][other]);
            add(tile_a[3][lower], tile_a[3][upper], tile_b[3][other]);
            add(tile_a[4][lower], tile_a[4][upper], tile_b[4][other]);
            add(tile_a[5][lower], tile_a[5][upper], tile_b[5][other]);
            add(tile_a[6][lower], tile_a[6][upper], tile_b[6][other]);
            add(tile_a[7][lower], tile_a[7][upper], tile_b[7][other]);
            add(tile_a[8][lower], tile_a[8][upper], tile_b[8][other]);
            add(tile_a[9][lower], tile_a[9][upper], tile_b[9][other]);
            add(tile_a[10][lower], tile_a[10][upper], tile_b[10][other]);
            add(tile_a[11][lower], tile_a[11][upper], tile_b[11][other]);
            add(tile_a[12][lower], tile_a[12][upper], tile_b[12][other]);
            add(tile_a[13][lower], tile_a[13][upper], tile_b[13][other]);
            add(tile_a[14][lower], tile_a[14][upper], tile_b[14][other]);
            add(tile_a[15][lower], tile_a[15][upper], tile_b[15][other]);
            workgroupBarrier();
        }
    }
    let lines = out + group_a * 128u + other;
    partials[lines] = s0;
    partials[lines + 16u] = s1;
    partials[lines + 32u] = s2;
    partials[lines + 48u] = s3;
    partials[lines + 64u] = s4;
    partials[lines + 80u] = s5;
    partials[lines + 96u] = s6;
    partials[lines + 112u] = s7;
    if (is_one_tile && group_a == 0u) {
        partials[chunk * (dispatch.stride / 4u) + dispatch.pairs * 1024u + b * 16u + other] = values;
    }
}
