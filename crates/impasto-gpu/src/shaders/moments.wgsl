// Partial sums of a tap's moments: over a chunk (chunks.wgsl, after this file), the products of 64 by 64 channels, and, once
// for each 64 channels, their values.
//
// features is laid out as in maps.wgsl, also after this file, as a storage file is. partials is
// [chunk of this batch][stride] f32: for each pair (a, b) of tiles of 64 channels, b from a on, the products
// [64 of a][64 of b], and behind them a value a channel. A thread makes 8 channels of a by 4 of b.

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
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;

// Positions that stand in workgroup memory at a time, and the distance of two quads there: odd, so that the quads that
// neighbouring threads read lie in other banks.
const AT_ONCE: u32 = 16u;
const PITCH: u32 = 17u;

var<workgroup> tile_a: array<vec4<f32>, 272>;
var<workgroup> tile_b: array<vec4<f32>, 272>;

fn load(quad: u32, y: u32, x: u32) -> vec4<f32> {
    if (x >= dispatch.width) {
        return vec4<f32>(0.0);
    }
    return feature(features[place_of(quad, dispatch.features_rows, y, x)]);
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

    let positions = chunk_at(chunk);
    let group_a = local / 16u;
    let quad_b = local % 16u;
    var sums: array<vec4<f32>, 8>;
    var values = vec4<f32>(0.0);
    for (var y = positions.top; y < positions.bottom; y += 1u) {
        for (var x = positions.left; x < positions.right; x += AT_ONCE) {
            for (var at = local; at < 256u; at += 128u) {
                let quad = at / AT_ONCE;
                let position = at % AT_ONCE;
                tile_a[quad * PITCH + position] = load(a * 16u + quad, y, x + position);
                tile_b[quad * PITCH + position] = load(b * 16u + quad, y, x + position);
            }
            workgroupBarrier();
            for (var position = 0u; position < AT_ONCE; position += 1u) {
                let lower = tile_a[group_a * 2u * PITCH + position];
                let upper = tile_a[(group_a * 2u + 1u) * PITCH + position];
                let other = tile_b[quad_b * PITCH + position];
                sums[0] += lower.x * other;
                sums[1] += lower.y * other;
                sums[2] += lower.z * other;
                sums[3] += lower.w * other;
                sums[4] += upper.x * other;
                sums[5] += upper.y * other;
                sums[6] += upper.z * other;
                sums[7] += upper.w * other;
                if (a == b) {
                    values += other;
                }
            }
            workgroupBarrier();
        }
    }
    for (var channel = 0u; channel < 8u; channel += 1u) {
        partials[out + (group_a * 8u + channel) * 16u + quad_b] = sums[channel];
    }
    if (a == b && group_a == 0u) {
        partials[chunk * (dispatch.stride / 4u) + dispatch.pairs * 1024u + b * 16u + quad_b] = values;
    }
}
