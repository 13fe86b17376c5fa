// Of each position's candidates, one a segment of the bank (search.wgsl), the entry with the largest score, and of equal ones
// the first. A thread has one position.
//
// candidates is [segment][stride] vec2: the bits of a score, and its entry; indices is [position] u32.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    // Positions of this batch, and where the first of them stands among the indices.
    positions: u32,
    first_place: u32,
    stride: u32,
    segments: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> candidates: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let position = id * 64u + local;
    if (id >= dispatch.end || position >= dispatch.positions) {
        return;
    }
    var best = candidates[position];
    for (var segment = 1u; segment < dispatch.segments; segment += 1u) {
        let candidate = candidates[segment * dispatch.stride + position];
        if (bitcast<f32>(candidate.x) > bitcast<f32>(best.x)) {
            best = candidate;
        }
    }
    indices[dispatch.first_place + position] = best.y;
}
