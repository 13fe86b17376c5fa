// Partial sums of a matched tap's features: over a chunk (chunks.wgsl, after this file), the values of 64 channels, each with
// what rounding took from it (Knuth's two-sum): of positions that are all alike the mean is to be each of them, to the bit.
//
// features is laid out as in maps.wgsl, also after this file, as a storage file is. partials is
// [chunk of this batch][2][channels] f32: sums, then rests. A batch begins at first_chunk. A thread sums a quad along a row.

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
    tiles: u32,
    // 0, which compilers do not know.
    zero: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;

var<workgroup> sums: array<vec4<f32>, 64>;
var<workgroup> rests: array<vec4<f32>, 64>;

var<private> sum: vec4<f32>;
var<private> rest: vec4<f32>;

// As in accumulate.wgsl.
fn plain(value: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(value) ^ vec4<u32>(dispatch.zero));
}

fn add(term: vec4<f32>) {
    let next = plain(sum + term);
    let taken = plain(next - sum);
    rest += (sum - (next - taken)) + (term - taken);
    sum = next;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let tile = id % dispatch.tiles;
    let chunk = id / dispatch.tiles;
    let positions = chunk_of(dispatch.first_chunk + chunk);
    let quad = local / 4u;
    let y = positions.top + local % 4u;
    if (y < positions.bottom) {
        for (var x = positions.left; x < positions.right; x += 1u) {
            add(feature(features[place_of(tile * 16u + quad, dispatch.features_rows, y, x)]));
        }
    }
    sums[local] = sum;
    rests[local] = rest;
    workgroupBarrier();
    if (local % 4u == 0u) {
        for (var row = 1u; row < 4u; row += 1u) {
            add(sums[local + row]);
            rest += rests[local + row];
        }
        let channels = dispatch.tiles * 16u;
        let own = chunk * 2u * channels + tile * 16u + quad;
        partials[own] = sum;
        partials[own + channels] = rest;
    }
}
