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

var<private> total: vec2<f32>;

fn add(term: f32) {
    let sum = rounded(total.x + term);
    let taken = rounded(sum - total.x);
    total.y += (total.x - (sum - taken)) + (term - taken);
    total.x = sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let element = id * 64u + local;
    if (id >= dispatch.end || element >= dispatch.elements) {
        return;
    }
    total = totals[element];
    var at = element;
    var left = dispatch.chunks;
    // Eight are asked for before the first is waited for.
    while (left >= 8u) {
        let t0 = partials[at];
        let t1 = partials[at + dispatch.stride];
        let t2 = partials[at + 2u * dispatch.stride];
        let t3 = partials[at + 3u * dispatch.stride];
        let t4 = partials[at + 4u * dispatch.stride];
        let t5 = partials[at + 5u * dispatch.stride];
        let t6 = partials[at + 6u * dispatch.stride];
        let t7 = partials[at + 7u * dispatch.stride];
        add(t0);
        add(t1);
        add(t2);
        add(t3);
        add(t4);
        add(t5);
        add(t6);
        add(t7);
        at += 8u * dispatch.stride;
        left -= 8u;
    }
    while (left > 0u) {
        add(partials[at]);
        at += dispatch.stride;
        left -= 1u;
    }
    totals[element] = total;
}
