// Adds a batch of partial sums to a tap's totals, chunk by chunk in the order of the map, each sum with what rounding took
// from it kept beside it (Knuth's two-sum).
//
// partials is [chunks][stride] f32, totals is [elements] vec2 of a sum and its rest. A thread has one element.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    elements: u32,
    chunks: u32,
    stride: u32,
    // 0, which compilers do not know.
    zero: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> totals: array<vec2<f32>>;

// The value as something that a compiler cannot see through: by the rules of algebra, which some drivers' compilers go by,
// rounding takes nothing.
fn rounded(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ dispatch.zero);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let element = id * 64u + local;
    if (id >= dispatch.end || element >= dispatch.elements) {
        return;
    }
    var total = totals[element];
    for (var chunk = 0u; chunk < dispatch.chunks; chunk += 1u) {
        let term = partials[chunk * dispatch.stride + element];
        let sum = rounded(total.x + term);
        let taken = rounded(sum - total.x);
        total.y += (total.x - (sum - taken)) + (term - taken);
        total.x = sum;
    }
    totals[element] = total;
}
