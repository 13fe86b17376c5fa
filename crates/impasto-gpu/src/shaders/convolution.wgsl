// The product that both ways of a 3x3 convolution share; forward.wgsl and backward.wgsl go before it and say what a
// position of the patch holds (`find`, `load`) and what becomes of the sums (`finish`).
//
// A workgroup makes a tile of 2 WINDOWS_ACROSS x 2 WINDOWS_DOWN positions by 64 channels, a thread one 2x2 window of
// positions by 8 channels: 32 sums in registers. Windows lie at even rows and columns, so that a pooling's window is one
// thread's. Channels that go in are taken four (a quad) at a time:
//
//   patch_values    the tile with a frame of one position, one vec4 (a quad) a position; even columns of a row come
//                   before its odd ones, so that neighbouring windows read neighbouring banks
//   weight_values   [tap][channel of the quad][64 channels that come out], 16 vec4 a line
//
// weights is [tile of 64 that come out][quad that goes in][9 taps][4][64] f32, so that a workgroup's next piece is 576
// vec4 in a row. out[y, x, o] = sum over quads, then taps (ky, kx) in reading order, then the quad's channels i, of
// in[y + ky - 1, x + kx - 1, i] w[i, o, ky, kx]: each sum has one order, wherever its tile begins.

override WINDOWS_ACROSS: u32 = 4u;
override WINDOWS_DOWN: u32 = 4u;
// WINDOWS_ACROSS * WINDOWS_DOWN * 8
override THREADS: u32 = 128u;
// (2 WINDOWS_ACROSS + 2) * (2 WINDOWS_DOWN + 2), at most THREADS
override PATCH: u32 = 100u;

const PIECE: u32 = 576u;

var<workgroup> patch_values: array<vec4<f32>, PATCH>;
var<workgroup> weight_values: array<vec4<f32>, PIECE>;

// The sums of the window's four positions, channels 0..4 (a) and 4..8 (b) of the thread's eight.
var<private> a00: vec4<f32>;
var<private> a01: vec4<f32>;
var<private> a10: vec4<f32>;
var<private> a11: vec4<f32>;
var<private> b00: vec4<f32>;
var<private> b01: vec4<f32>;
var<private> b10: vec4<f32>;
var<private> b11: vec4<f32>;

// Adds one tap: `at` is its line for the first channel of the quad.
fn multiply(at: u32, v00: vec4<f32>, v01: vec4<f32>, v10: vec4<f32>, v11: vec4<f32>) {
    var a = weight_values[at];
    var b = weight_values[at + 1u];
    a00 += v00.x * a; b00 += v00.x * b; a01 += v01.x * a; b01 += v01.x * b;
    a10 += v10.x * a; b10 += v10.x * b; a11 += v11.x * a; b11 += v11.x * b;
    a = weight_values[at + 16u];
    b = weight_values[at + 17u];
    a00 += v00.y * a; b00 += v00.y * b; a01 += v01.y * a; b01 += v01.y * b;
    a10 += v10.y * a; b10 += v10.y * b; a11 += v11.y * a; b11 += v11.y * b;
    a = weight_values[at + 32u];
    b = weight_values[at + 33u];
    a00 += v00.z * a; b00 += v00.z * b; a01 += v01.z * a; b01 += v01.z * b;
    a10 += v10.z * a; b10 += v10.z * b; a11 += v11.z * a; b11 += v11.z * b;
    a = weight_values[at + 48u];
    b = weight_values[at + 49u];
    a00 += v00.w * a; b00 += v00.w * b; a01 += v01.w * a; b01 += v01.w * b;
    a10 += v10.w * a; b10 += v10.w * b; a11 += v11.w * a; b11 += v11.w * b;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let channel_tile = id % dispatch.channel_tiles;
    let tile = id / dispatch.channel_tiles;
    let tile_y = dispatch.row_begin + (tile / dispatch.tiles_across) * (2u * WINDOWS_DOWN);
    let tile_x = (tile % dispatch.tiles_across) * (2u * WINDOWS_ACROSS);

    // The position of the patch that this thread brings, once for each quad.
    let patch_width = 2u * WINDOWS_ACROSS + 2u;
    let half = WINDOWS_ACROSS + 1u;
    let row = local / patch_width;
    let column = local % patch_width;
    let place = row * patch_width + (column & 1u) * half + (column >> 1u);
    let source = find(i32(tile_y + row) - 1, i32(tile_x + column) - 1);

    let window = local % (WINDOWS_ACROSS * WINDOWS_DOWN);
    let group = local / (WINDOWS_ACROSS * WINDOWS_DOWN);
    let window_x = window % WINDOWS_ACROSS;
    let window_y = window / WINDOWS_ACROSS;

    var piece = channel_tile * dispatch.input_quads * PIECE;
    for (var quad = 0u; quad < dispatch.input_quads; quad += 1u) {
        if (local < PATCH) {
            patch_values[place] = load(source, quad);
        }
        for (var at = local; at < PIECE; at += THREADS) {
            weight_values[at] = weights[piece + at];
        }
        workgroupBarrier();
        for (var ky = 0u; ky < 3u; ky += 1u) {
            let upper = (2u * window_y + ky) * patch_width + window_x;
            let lower = upper + patch_width;
            let u0 = patch_values[upper];
            let u1 = patch_values[upper + half];
            let u2 = patch_values[upper + 1u];
            let u3 = patch_values[upper + half + 1u];
            let l0 = patch_values[lower];
            let l1 = patch_values[lower + half];
            let l2 = patch_values[lower + 1u];
            let l3 = patch_values[lower + half + 1u];
            let line = ky * 192u + group * 2u;
            multiply(line, u0, u1, l0, l1);
            multiply(line + 64u, u1, u2, l1, l2);
            multiply(line + 128u, u2, u3, l2, l3);
        }
        workgroupBarrier();
        piece += PIECE;
    }
    finish(tile_y + 2u * window_y, tile_x + 2u * window_x, channel_tile * 8u + group);
}
