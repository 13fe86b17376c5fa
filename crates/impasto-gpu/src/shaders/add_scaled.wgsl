// Multiplies the vector by a scale, and adds remembered vectors, each times its factor, the oldest first.
//
// remembered is [slot][octets] and vector [octets][2], as in pairs.wgsl, after this file; factors is [pair, oldest first].
// Pairs of a dispatch stand in neighbouring slots. A thread has one octet of the vector, for all of them: it is read and
// written once.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    octets: u32,
    // Where the first pair of this dispatch stands, and its place among all pairs, the oldest being 0.
    first_slot: u32,
    first_place: u32,
    pairs: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> remembered: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read_write> vector: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let octet = id * 256u + local;
    if (id >= dispatch.end || octet >= dispatch.octets) {
        return;
    }
    let lower = vector[2u * octet];
    let upper = vector[2u * octet + 1u];
    var of_even = dispatch.scale * vec4<f32>(lower.xz, upper.xz);
    var of_odd = dispatch.scale * vec4<f32>(lower.yw, upper.yw);
    var at = dispatch.first_slot * dispatch.octets + octet;
    for (var pair = 0u; pair < dispatch.pairs; pair += 1u) {
        let factor = vec4<f32>(factors[dispatch.first_place + pair]);
        let values = remembered[at];
        of_even = fma(factor, even(values), of_even);
        of_odd = fma(factor, odd(values), of_odd);
        at += dispatch.octets;
    }
    vector[2u * octet] = vec4<f32>(of_even.x, of_odd.x, of_even.y, of_odd.y);
    vector[2u * octet + 1u] = vec4<f32>(of_even.z, of_odd.z, of_even.w, of_odd.w);
}
