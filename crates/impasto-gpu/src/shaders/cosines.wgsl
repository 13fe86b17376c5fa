// How each position lies to the direction that it was matched to: with f its features (less their centre, where the distance is
// one of centred features) and v of length 1, 1 / |f| and the cosine f v / |f|. Where f is no longer than 1e-4 it has no
// direction: both are 0.
//
// cosines is [rows from piece_begin on][width] vec2. A thread has one position: a chain over its quads. matched.wgsl, maps.wgsl
// and a storage file come after this file.

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
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> offset: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> directions: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> indices: array<u32>;
@group(0) @binding(5) var<storage, read_write> cosines: array<vec2<f32>>;

const LEAST_NORM: f32 = 1e-4;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let found = find(id * 64u + local);
    if (!found.is_here) {
        return;
    }
    var products = vec4<f32>(0.0);
    var squares = vec4<f32>(0.0);
    for (var quad = 0u; quad < dispatch.quads; quad += 1u) {
        let own = value(found, quad);
        products = fma(own, directions[found.direction + quad], products);
        squares = fma(own, own, squares);
    }
    let product = (products.x + products.y) + (products.z + products.w);
    let norm = sqrt((squares.x + squares.y) + (squares.z + squares.w));
    var inverse = 1.0 / norm;
    // By the bits, which stand in the order of the values, behind all of which is what is no number: that goes on.
    if (bitcast<u32>(norm) <= bitcast<u32>(LEAST_NORM)) {
        inverse = 0.0;
    }
    cosines[found.place] = vec2<f32>(inverse, product * inverse);
}
