// Products of remembered vectors with two others, the vector and the newest change, over a segment of 1024 octets.
//
// remembered is [slot][octets], newest is [octets] and vector [octets][2], as in pairs.wgsl, after this file; partials is
// [pair, oldest first][segment] vec2: with the vector, and with the newest change. Pairs of a dispatch stand in neighbouring
// slots. A workgroup makes a segment of a pair: a thread has four octets, 256 apart, of each of which a lane takes two
// products; then the lanes are added, then the threads, in a tree. The host adds the segments, in f64.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    octets: u32,
    segments: u32,
    // Where the first pair of this dispatch stands, and its place among all pairs, the oldest being 0.
    first_slot: u32,
    first_place: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> remembered: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> vector: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> newest: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec2<f32>>;

var<workgroup> sums: array<vec2<f32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let pair = id / dispatch.segments;
    let segment = id % dispatch.segments;
    let own = (dispatch.first_slot + pair) * dispatch.octets;

    var with_vector = vec4<f32>(0.0);
    var with_newest = vec4<f32>(0.0);
    for (var row = 0u; row < 4u; row += 1u) {
        let octet = segment * 1024u + row * 256u + local;
        if (octet < dispatch.octets) {
            let values = remembered[own + octet];
            let change = newest[octet];
            let lower = vector[2u * octet];
            let upper = vector[2u * octet + 1u];
            with_vector = fma(even(values), vec4<f32>(lower.xz, upper.xz), with_vector);
            with_vector = fma(odd(values), vec4<f32>(lower.yw, upper.yw), with_vector);
            with_newest = fma(even(values), even(change), with_newest);
            with_newest = fma(odd(values), odd(change), with_newest);
        }
    }
    sums[local] = vec2<f32>(
        (with_vector.x + with_vector.y) + (with_vector.z + with_vector.w),
        (with_newest.x + with_newest.y) + (with_newest.z + with_newest.w),
    );
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (local < half) {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if (local == 0u) {
        partials[(dispatch.first_place + pair) * dispatch.segments + segment] = sums[0];
    }
}
