// Partial sums of a matched distance: over a chunk (chunks.wgsl, after this file), 1 less the cosine.
//
// cosines is as cosines.wgsl writes it; partials is [chunk of this batch] f32. A batch begins at first_chunk.

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
    piece_begin: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> cosines: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let positions = chunk_of(dispatch.first_chunk + id);
    let x = positions.left + local;
    var sum = 0.0;
    if (x < positions.right) {
        for (var y = positions.top; y < positions.bottom; y += 1u) {
            sum += 1.0 - cosines[(y - dispatch.piece_begin) * dispatch.width + x].y;
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (local < half) {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if (local == 0u) {
        partials[id] = sums[0];
    }
}
