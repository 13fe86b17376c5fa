// The way back through a 3x3 convolution, from the gradient at its output to that at the map it read: the same product
// with rotated weights, the two kinds of channels exchanged. convolution.wgsl, maps.wgsl and a storage file come after this
// file.
//
// The gradient that goes in is made up as it is read. Where a convolution follows, what that wrote is masked already;
// a pooling's gradient is spread over its window, by shares or to the winner, and the ReLU's signs mask it; what
// a tap has injected at the layer itself is added and masked too. What comes out is added to what a tap has injected at
// the map below (ACCUMULATE), and masked by that map's signs where it is a convolution's (MASKED).
//
// Layouts as in maps.wgsl; signs and routes as in forward.wgsl.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    channel_tiles: u32,
    tiles_across: u32,
    row_begin: u32,
    row_end: u32,
    height: u32,
    width: u32,
    // Of the gradient that goes in.
    input_quads: u32,
    own_rows: u32,
    pooled_rows: u32,
    signs_rows: u32,
    routes_rows: u32,
    result_rows: u32,
    mask_rows: u32,
}

// Whether the layer has a gradient of its own: from a convolution that follows, or injected.
override OWN: bool = true;
// Whether that one is still to be masked.
override SIGNED: bool = false;
// 0: no pooling follows; 1: it took the mean of a window; 2: its largest value.
override POOLING: u32 = 0u;
override ACCUMULATE: bool = false;
override MASKED: bool = true;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> own: array<Gradient>;
@group(0) @binding(3) var<storage, read> pooled: array<Gradient>;
@group(0) @binding(4) var<storage, read> signs: array<u32>;
@group(0) @binding(5) var<storage, read> routes: array<u32>;
@group(0) @binding(6) var<storage, read_write> result: array<Gradient>;
@group(0) @binding(7) var<storage, read> mask: array<u32>;

struct Source {
    inside: bool,
    // Places in the first plane of each map.
    own: u32,
    pooled: u32,
    signs: u32,
    routes: u32,
    // The position's first bit in a word of signs or routes.
    bit: u32,
    // What the position takes of a window's gradient.
    share: f32,
}

fn find(y: i32, x: i32) -> Source {
    let inside = y >= 0 && y < i32(dispatch.height) && x >= 0 && x < i32(dispatch.width);
    let row = u32(clamp(y, 0, i32(dispatch.height) - 1));
    let column = u32(clamp(x, 0, i32(dispatch.width) - 1));
    let right = (column | 1u) < dispatch.width;
    let below = (row | 1u) < dispatch.height;
    return Source(
        inside,
        place_of(0u, dispatch.own_rows, row, column),
        place_of_window(0u, dispatch.pooled_rows, row, column),
        place_of_window(0u, dispatch.signs_rows, row, column),
        place_of_window(0u, dispatch.routes_rows, row, column),
        first_bit(row, column),
        select(1.0, 0.5, right) * select(1.0, 0.5, below),
    );
}

fn load(source: Source, quad: u32) -> vec4<f32> {
    if (!source.inside) {
        return vec4<f32>(0.0);
    }
    let windows_across = (dispatch.width + 1u) / 2u;
    let bit = source.bit + (quad & 1u) * 4u;
    var value = vec4<f32>(0.0);
    if (OWN) {
        value = gradient(own[quad * dispatch.own_rows * dispatch.width + source.own]);
    }
    if (POOLING == 1u) {
        value += source.share * gradient(pooled[quad * dispatch.pooled_rows * windows_across + source.pooled]);
    }
    if (SIGNED) {
        value = keep(signs[(quad / 2u) * dispatch.signs_rows * windows_across + source.signs] >> bit, value);
    }
    if (POOLING == 2u) {
        let routed = gradient(pooled[quad * dispatch.pooled_rows * windows_across + source.pooled]);
        value += keep(routes[(quad / 2u) * dispatch.routes_rows * windows_across + source.routes] >> bit, routed);
    }
    return value;
}

fn store(place: u32, bits: u32, sum: vec4<f32>) {
    var value = sum;
    if (ACCUMULATE) {
        value += gradient(result[place]);
    }
    if (MASKED) {
        value = keep(bits, value);
    }
    result[place] = stored_gradient(value);
}

fn finish(y: u32, x: u32, octet: u32) {
    if (y >= dispatch.row_end || x >= dispatch.width) {
        return;
    }
    let right = x + 1u < dispatch.width;
    let below = y + 1u < dispatch.height;
    var bits = 0u;
    if (MASKED) {
        bits = mask[place_of_window(octet, dispatch.mask_rows, y, x)];
    }
    let plane = dispatch.result_rows * dispatch.width;
    let upper = place_of(octet * 2u, dispatch.result_rows, y, x);
    store(upper, bits, a00);
    store(upper + plane, bits >> 4u, b00);
    if (right) {
        store(upper + 1u, bits >> 8u, a01);
        store(upper + plane + 1u, bits >> 12u, b01);
    }
    if (below) {
        let lower = place_of(octet * 2u, dispatch.result_rows, y + 1u, x);
        store(lower, bits >> 16u, a10);
        store(lower + plane, bits >> 20u, b10);
        if (right) {
            store(lower + 1u, bits >> 24u, a11);
            store(lower + plane + 1u, bits >> 28u, b11);
        }
    }
}
