// The product that both ways of a 3x3 convolution share, by Winograd's F(2x2, 3x3) (Lavin and Gray, CVPR 2016); forward.wgsl
// and backward.wgsl go before it and say what a position of the patch holds (`find`, `load`) and what becomes of the sums
// (`finish`). tile_large.wgsl or tile_small.wgsl comes after it.
//
// A 2x2 window of positions is made of the 4x4 values around it, in 16 products a pair of channels in place of 36:
//
//   window = A^T [ (G g G^T) * (B^T d B) ] A,    d the 4x4 values, g the 3x3 weights, * point by point
//
//         | 1  0 -1  0 |         | 1    0    0  |
//   B^T = | 0  1  1  0 |     G = | 1/2  1/2 1/2 |     A^T = | 1  1  1  0 |
//         | 0 -1  1  0 |         | 1/2 -1/2 1/2 |           | 0  1 -1 -1 |
//         | 0  1  0 -1 |         | 0    0    1  |
//
// The point-by-point products, summed over the channels that go in, are 16 matrix products, one a point. A workgroup makes
// WINDOWS windows by 32 channels at all 16 points; a thread has one point, 8 windows and 8 channels: 64 sums in registers.
// Windows lie at even rows and columns, so that a pooling's window is one of them. Channels that go in are taken four (a
// quad) at a time:
//
//   patch_values    [stage] the windows with a frame of one position, one vec4 (a quad) a position; even columns of a row
//                   come before its odd ones, so that neighbouring windows read neighbouring banks
//   input_values    [stage][channel of the quad][point][windows], four windows a vec4: B^T d B
//   weights         [tile of 32 that come out][quad that goes in][4 channels][point][32] f32: G g G^T, by the host in f64
//
// Weights go from memory to registers: of a point's, only the threads of that point have a use. Everything has two stages:
// while a quad is multiplied, the next is transformed, the one after it is on its way, and one barrier a quad is enough:
//
//   quad q      multiply input_values[q % 2]    transform patch_values[(q + 1) % 2]    load q + 2 into patch_values[q % 2]
//
// Where points share a subgroup, some of them have the two halves of their windows exchanged (`turned`), so that they do
// not wait for the same banks.
//
// Each sum runs over the channels that go in, in their order, wherever its tile begins. Indices that a compiler knows stand
// last where they can: those that it does not know are checked against the bounds, once for all.

const WINDOWS: u32 = WINDOWS_ACROSS * WINDOWS_DOWN;
const THREADS: u32 = 8u * WINDOWS;
const PATCH_WIDTH: u32 = 2u * WINDOWS_ACROSS + 2u;
const PATCH: u32 = PATCH_WIDTH * (2u * WINDOWS_DOWN + 2u);
// Even columns of a row of the patch.
const EVEN: u32 = WINDOWS_ACROSS + 1u;
// Quads of windows, and those of all points.
const WINDOW_QUADS: u32 = WINDOWS / 4u;
const POINT_QUADS: u32 = 16u * WINDOW_QUADS;
// Octets and quads of the channels that a workgroup makes.
const OCTETS: u32 = 4u;
const CHANNEL_QUADS: u32 = 8u;
// Threads of a point: four quads of channels, each with the one 16 channels further on, by half of the quads of windows.
const POINT_THREADS: u32 = WINDOWS / 2u;
// Vectors of weights of a quad: four channels, 16 points, 32 channels that come out.
const PIECE: u32 = 512u;

var<workgroup> patch_values: array<array<vec4<f32>, PATCH>, 2>;
var<workgroup> input_values: array<array<array<vec4<f32>, POINT_QUADS>, 4>, 2>;

// A thread's sums: of its windows 0 to 7, the first quad of channels (s) and the second (t).
var<private> s0: vec4<f32>;
var<private> s1: vec4<f32>;
var<private> s2: vec4<f32>;
var<private> s3: vec4<f32>;
var<private> s4: vec4<f32>;
var<private> s5: vec4<f32>;
var<private> s6: vec4<f32>;
var<private> s7: vec4<f32>;
var<private> t0: vec4<f32>;
var<private> t1: vec4<f32>;
var<private> t2: vec4<f32>;
var<private> t3: vec4<f32>;
var<private> t4: vec4<f32>;
var<private> t5: vec4<f32>;
var<private> t6: vec4<f32>;
var<private> t7: vec4<f32>;

// What `finish` takes: a window's four positions, channels 0 to 3 (a) and 4 to 7 (b) of an octet.
var<private> a00: vec4<f32>;
var<private> a01: vec4<f32>;
var<private> a10: vec4<f32>;
var<private> a11: vec4<f32>;
var<private> b00: vec4<f32>;
var<private> b01: vec4<f32>;
var<private> b10: vec4<f32>;
var<private> b11: vec4<f32>;

// Adds one channel's products: two quads of channels that come out by two quads of windows.
fn multiply(c: vec4<f32>, d: vec4<f32>, v: vec4<f32>, w: vec4<f32>) {
    s0 = fma(v.xxxx, c, s0);
    t0 = fma(v.xxxx, d, t0);
    s1 = fma(v.yyyy, c, s1);
    t1 = fma(v.yyyy, d, t1);
    s2 = fma(v.zzzz, c, s2);
    t2 = fma(v.zzzz, d, t2);
    s3 = fma(v.wwww, c, s3);
    t3 = fma(v.wwww, d, t3);
    s4 = fma(w.xxxx, c, s4);
    t4 = fma(w.xxxx, d, t4);
    s5 = fma(w.yyyy, c, s5);
    t5 = fma(w.yyyy, d, t5);
    s6 = fma(w.zzzz, c, s6);
    t6 = fma(w.zzzz, d, t6);
    s7 = fma(w.wwww, c, s7);
    t7 = fma(w.wwww, d, t7);
}

// What the quads of a point's windows are exchanged by.
fn turned(point: u32) -> u32 {
    return (point & TURNED) * TURN;
}

// Sets four windows' place of a point to one window's value, all four channels.
fn store_input(stage: u32, point: u32, window: u32, value: vec4<f32>) {
    let place = point * WINDOW_QUADS + ((window / 4u) ^ turned(point));
    let lane = window % 4u;
    input_values[stage][0][place][lane] = value.x;
    input_values[stage][1][place][lane] = value.y;
    input_values[stage][2][place][lane] = value.z;
    input_values[stage][3][place][lane] = value.w;
}

// One line of four points of B^T d B for one window.
fn transform(stage: u32, line: u32, window: u32) {
    // The line of B^T: rows 0, 1, 2 and 1 of d, and rows 2, 2, 1 and 3 added or taken off.
    let row = (0x1210u >> (line * 4u)) & 3u;
    let other = (0x3122u >> (line * 4u)) & 3u;
    let sign = vec4<f32>(select(-1.0, 1.0, line == 1u));
    let corner = 2u * (window / WINDOWS_ACROSS) * PATCH_WIDTH + window % WINDOWS_ACROSS;
    let first = corner + row * PATCH_WIDTH;
    let second = corner + other * PATCH_WIDTH;
    let d0 = fma(sign, patch_values[stage][second], patch_values[stage][first]);
    let d1 = fma(sign, patch_values[stage][second + EVEN], patch_values[stage][first + EVEN]);
    let d2 = fma(sign, patch_values[stage][second + 1u], patch_values[stage][first + 1u]);
    let d3 = fma(sign, patch_values[stage][second + EVEN + 1u], patch_values[stage][first + EVEN + 1u]);
    store_input(stage, line * 4u, window, d0 - d2);
    store_input(stage, line * 4u + 1u, window, d1 + d2);
    store_input(stage, line * 4u + 2u, window, d2 - d1);
    store_input(stage, line * 4u + 3u, window, d1 - d3);
}

// Where one point's sums of one window wait for those of the other points: [8 points][WINDOW_QUADS windows][32 channels],
// points 0 to 7 in the first stage of input_values and 8 to 15 in the second.
fn place_of_sums(point: u32, window: u32, quad: u32) -> u32 {
    let turn = ((window >> 1u) & 1u) * 4u;
    return ((point % 8u) * WINDOW_QUADS + window) * CHANNEL_QUADS + (quad ^ turn);
}

fn hand_over(point: u32, window: u32, group: u32, s: vec4<f32>, t: vec4<f32>) {
    let stage = point / 8u;
    let first = place_of_sums(point, window, group);
    let second = place_of_sums(point, window, group + 4u);
    input_values[stage][first / POINT_QUADS][first % POINT_QUADS] = s;
    input_values[stage][second / POINT_QUADS][second % POINT_QUADS] = t;
}

// One channel's sums at a point.
fn take(point: u32, window: u32, channel: u32) -> f32 {
    let place = place_of_sums(point, window, channel / 4u);
    return input_values[point / 8u][place / POINT_QUADS][place % POINT_QUADS][channel % 4u];
}

// One channel's sums at four points, from that one on.
fn take_line(point: u32, window: u32, channel: u32) -> vec4<f32> {
    return vec4<f32>(
        take(point, window, channel),
        take(point + 1u, window, channel),
        take(point + 2u, window, channel),
        take(point + 3u, window, channel),
    );
}

// A window's four positions in reading order, one channel: A^T [...] A.
fn window_of_points(window: u32, channel: u32) -> vec4<f32> {
    let m0 = take_line(0u, window, channel);
    let m1 = take_line(4u, window, channel);
    let m2 = take_line(8u, window, channel);
    let m3 = take_line(12u, window, channel);
    let upper = m0 + m1 + m2;
    let lower = m1 - m2 - m3;
    return vec4<f32>(
        upper.x + upper.y + upper.z,
        upper.y - upper.z - upper.w,
        lower.x + lower.y + lower.z,
        lower.y - lower.z - lower.w,
    );
}

// All points' sums of a quarter of the windows change hands: each thread gives two windows by eight channels at its
// point, and takes one window of one channel.
fn exchange(local: u32, windows: u32, s: array<vec4<f32>, 2>, t: array<vec4<f32>, 2>) -> vec4<f32> {
    let point = local / POINT_THREADS;
    let group = local % 4u;
    workgroupBarrier();
    hand_over(point, windows, group, s[0], t[0]);
    hand_over(point, windows + 1u, group, s[1], t[1]);
    workgroupBarrier();
    return window_of_points(local / 32u, local % 32u);
}

// The window of a tile that a thread takes in one of four exchanges.
fn window_taken(exchange: u32, local: u32) -> u32 {
    let taken = local / 32u;
    return (exchange / 2u) * (WINDOWS / 2u) + (taken / 2u) * 4u + (exchange % 2u) * 2u + taken % 2u;
}

// Where a window's quad of channels at the first of two positions in a row waits for `finish`; the second position's is
// half of all further on. The upper row is in the first stage of input_values, the lower one in the second.
fn place_of_window_sums(window: u32, quad: u32) -> u32 {
    return quad * WINDOWS + (window ^ quad);
}

fn set_window(window: u32, channel: u32, values: vec4<f32>) {
    let left = place_of_window_sums(window, channel / 4u);
    let right = left + CHANNEL_QUADS * WINDOWS;
    let lane = channel % 4u;
    input_values[0][left / POINT_QUADS][left % POINT_QUADS][lane] = values.x;
    input_values[0][right / POINT_QUADS][right % POINT_QUADS][lane] = values.y;
    input_values[1][left / POINT_QUADS][left % POINT_QUADS][lane] = values.z;
    input_values[1][right / POINT_QUADS][right % POINT_QUADS][lane] = values.w;
}

fn get_window(window: u32, octet: u32) {
    let a_left = place_of_window_sums(window, octet * 2u);
    let a_right = a_left + CHANNEL_QUADS * WINDOWS;
    let b_left = place_of_window_sums(window, octet * 2u + 1u);
    let b_right = b_left + CHANNEL_QUADS * WINDOWS;
    a00 = input_values[0][a_left / POINT_QUADS][a_left % POINT_QUADS];
    a01 = input_values[0][a_right / POINT_QUADS][a_right % POINT_QUADS];
    a10 = input_values[1][a_left / POINT_QUADS][a_left % POINT_QUADS];
    a11 = input_values[1][a_right / POINT_QUADS][a_right % POINT_QUADS];
    b00 = input_values[0][b_left / POINT_QUADS][b_left % POINT_QUADS];
    b01 = input_values[0][b_right / POINT_QUADS][b_right % POINT_QUADS];
    b10 = input_values[1][b_left / POINT_QUADS][b_left % POINT_QUADS];
    b11 = input_values[1][b_right / POINT_QUADS][b_right % POINT_QUADS];
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
    let row = local / PATCH_WIDTH;
    let column = local % PATCH_WIDTH;
    let place = row * PATCH_WIDTH + (column & 1u) * EVEN + (column >> 1u);
    let source = find(i32(tile_y + row) - 1, i32(tile_x + column) - 1);

    let point = local / POINT_THREADS;
    let group = local % 4u;
    let windows = (local % POINT_THREADS) / 4u;
    let v = point * WINDOW_QUADS + (windows ^ turned(point));
    let w = point * WINDOW_QUADS + ((windows + WINDOW_QUADS / 2u) ^ turned(point));

    var at = channel_tile * dispatch.input_quads * PIECE + point * CHANNEL_QUADS + group;
    let quads = dispatch.input_quads;
    if (local < PATCH) {
        patch_values[0][place] = load(source, 0u);
        patch_values[1][place] = load(source, min(1u, quads - 1u));
    }
    workgroupBarrier();
    if (local < 4u * WINDOWS) {
        transform(0u, local / WINDOWS, local % WINDOWS);
    }
    workgroupBarrier();
    for (var quad = 0u; quad < quads; quad += 1u) {
        let stage = quad & 1u;
        // Of the quad's four channels, to this thread's first quad of channels that come out (c) and to its second (d).
        let c0 = weights[at];
        let d0 = weights[at + 4u];
        let c1 = weights[at + 128u];
        let d1 = weights[at + 132u];
        let c2 = weights[at + 256u];
        let d2 = weights[at + 260u];
        let c3 = weights[at + 384u];
        let d3 = weights[at + 388u];
        at += PIECE;
        var patch_value = vec4<f32>(0.0);
        if (quad + 2u < quads && local < PATCH) {
            patch_value = load(source, quad + 2u);
        }
        // Half of the threads are enough; the halves take turns.
        if (quad + 1u < quads && local / (4u * WINDOWS) == stage) {
            transform(1u - stage, (local / WINDOWS) % 4u, local % WINDOWS);
        }
        multiply(c0, d0, input_values[stage][0][v], input_values[stage][0][w]);
        multiply(c1, d1, input_values[stage][1][v], input_values[stage][1][w]);
        multiply(c2, d2, input_values[stage][2][v], input_values[stage][2][w]);
        multiply(c3, d3, input_values[stage][3][v], input_values[stage][3][w]);
        if (quad + 2u < quads && local < PATCH) {
            patch_values[stage][place] = patch_value;
        }
        workgroupBarrier();
    }

    let given = windows * 2u;
    let taken0 = exchange(local, given, array(s0, s1), array(t0, t1));
    let taken1 = exchange(local, given, array(s2, s3), array(t2, t3));
    let taken2 = exchange(local, given, array(s4, s5), array(t4, t5));
    let taken3 = exchange(local, given, array(s6, s7), array(t6, t7));
    workgroupBarrier();
    let channel = local % 32u;
    set_window(window_taken(0u, local), channel, taken0);
    set_window(window_taken(1u, local), channel, taken1);
    set_window(window_taken(2u, local), channel, taken2);
    set_window(window_taken(3u, local), channel, taken3);
    workgroupBarrier();
    if (local < OCTETS * WINDOWS) {
        let window = local % WINDOWS;
        let octet = local / WINDOWS;
        get_window(window, octet);
        let y = tile_y + 2u * (window / WINDOWS_ACROSS);
        let x = tile_x + 2u * (window % WINDOWS_ACROSS);
        finish(y, x, channel_tile * OCTETS + octet);
    }
}
