// The way back through conv1_1: from the gradient at its 64 channels to that at the pixels. A thread makes one pixel.
//
// own is conv1_1's gradient, in the layout of maps.wgsl, which comes after this file with a storage file. signs is as in
// forward.wgsl, weights is [16 quads][9 taps][3 colours] vec4 over a quad's channels, and pixels is
// [3][row_end - row_begin][width] f32.
//
// Where the picture's edge was repeated beyond it, an edge pixel has the gradients of those positions too: it gathers
// from all positions of the frame that hold its value.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    row_begin: u32,
    row_end: u32,
    height: u32,
    width: u32,
    gradient_rows: u32,
    signs_rows: u32,
}

// Whether the gradient is still to be masked (where conv1_1 is the deepest tap).
override SIGNED: bool = false;
override REPLICATE: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> own: array<Gradient>;
@group(0) @binding(3) var<storage, read> signs: array<u32>;
@group(0) @binding(4) var<storage, read_write> pixels: array<f32>;

fn masked(quad: u32, y: u32, x: u32) -> vec4<f32> {
    let value = gradient(own[place_of(quad, dispatch.gradient_rows, y, x)]);
    if (!SIGNED) {
        return value;
    }
    let word = signs[place_of_window(quad / 2u, dispatch.signs_rows, y, x)];
    return keep(word >> (first_bit(y, x) + (quad & 1u) * 4u), value);
}

// The gradient at a position of the picture's frame: -1 and the height or width are beyond the edge.
fn at_frame(y: i32, x: i32) -> vec3<f32> {
    var sum = vec3<f32>(0.0);
    for (var tap = 0u; tap < 9u; tap += 1u) {
        let from_y = y + 1 - i32(tap / 3u);
        let from_x = x + 1 - i32(tap % 3u);
        if (from_y >= 0 && from_y < i32(dispatch.height) && from_x >= 0 && from_x < i32(dispatch.width)) {
            for (var quad = 0u; quad < 16u; quad += 1u) {
                let value = masked(quad, u32(from_y), u32(from_x));
                let line = (quad * 9u + tap) * 3u;
                sum += vec3<f32>(dot(value, weights[line]), dot(value, weights[line + 1u]), dot(value, weights[line + 2u]));
            }
        }
    }
    return sum;
}

@compute @workgroup_size(16, 4)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let across = (dispatch.width + 15u) / 16u;
    let y = dispatch.row_begin + (id / across) * 4u + local.y;
    let x = (id % across) * 16u + local.x;
    if (id >= dispatch.end || y >= dispatch.row_end || x >= dispatch.width) {
        return;
    }
    var top = i32(y);
    var bottom = top;
    var left = i32(x);
    var right = left;
    if (REPLICATE) {
        top -= select(0, 1, y == 0u);
        bottom += select(0, 1, y + 1u == dispatch.height);
        left -= select(0, 1, x == 0u);
        right += select(0, 1, x + 1u == dispatch.width);
    }
    var sum = vec3<f32>(0.0);
    for (var frame_y = top; frame_y <= bottom; frame_y += 1) {
        for (var frame_x = left; frame_x <= right; frame_x += 1) {
            sum += at_frame(frame_y, frame_x);
        }
    }
    let plane = (dispatch.row_end - dispatch.row_begin) * dispatch.width;
    let place = (y - dispatch.row_begin) * dispatch.width + x;
    pixels[place] = sum.x;
    pixels[plane + place] = sum.y;
    pixels[2u * plane + place] = sum.z;
}
