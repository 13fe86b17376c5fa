// What a matched distance gives to its layer's gradient: with w the derivative by it, and f, v and c as in cosines.wgsl,
//
//   w (c f / |f|^2 - v / |f|)
//
// It is added to what other taps have injected; where there are none (FIRST), it sets the gradient. cosines are those of the
// way forward, with the same features. A thread has 64 channels of one position; result is laid out as features are.
// matched.wgsl, maps.wgsl and a storage file come after this file.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    row_begin: u32,
    row_end: u32,
    width: u32,
    features_rows: u32,
    quads: u32,
    piece_begin: u32,
    first_entry: u32,
    entries: u32,
    result_rows: u32,
    // Tiles of 64 channels.
    tiles: u32,
    weight: f32,
}

override FIRST: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> offset: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> directions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> indices: array<u32>;
@group(0) @binding(5) var<storage, read> cosines: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<Gradient>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let found = find((id / dispatch.tiles) * 64u + local);
    if (!found.is_here) {
        return;
    }
    let inverse = cosines[found.place].x;
    let towards = -dispatch.weight * inverse;
    let along = -towards * cosines[found.place].y * inverse;
    let first_quad = (id % dispatch.tiles) * 16u;
    for (var quad = first_quad; quad < first_quad + 16u; quad += 1u) {
        let out = place_of(quad, dispatch.result_rows, found.y, found.x);
        var sum = vec4<f32>(0.0);
        if (!FIRST) {
            sum = gradient(result[out]);
        }
        sum = fma(directions[found.direction + quad], vec4<f32>(towards), sum);
        result[out] = stored_gradient(fma(value(found, quad), vec4<f32>(along), sum));
    }
}
