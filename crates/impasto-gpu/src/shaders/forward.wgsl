// A 3x3 convolution with its bias and ReLU, the signs that the way back needs, and the pooling that follows.
// convolution.wgsl, maps.wgsl, nan.wgsl and a storage file come after this file.
//
// Layouts as in maps.wgsl. A sign's bit is set where the value is positive. Routes, for max pooling, have the pooled map's
// rows as their ring, and a bit set only for the first position of the window that holds its largest value, where that is
// positive. conv1_1 reads the picture as it is, [3][rows][width] f32, its rows a ring, and takes the mean from it; its
// fourth channel is 0.
// Signs, winners and means are those of the values before they are stored.

struct Dispatch {
    // Of all workgroups of this operation, those in first..end run now, in lines of dispatch_width.
    first: u32,
    end: u32,
    dispatch_width: u32,
    // Tiles of 64 channels that come out.
    channel_tiles: u32,
    tiles_across: u32,
    // Rows of the map that are made: row_begin is even, row_end is even or the map's height.
    row_begin: u32,
    row_end: u32,
    height: u32,
    width: u32,
    input_quads: u32,
    // Rows of each ring.
    input_rows: u32,
    features_rows: u32,
    signs_rows: u32,
    pooled_rows: u32,
    routes_rows: u32,
}

// Whether the picture is read in place of the map below (conv1_1 alone), and whether its edge is repeated beyond it, in
// place of zeros.
override READS_PICTURE: bool = false;
override REPLICATE: bool = false;
// What is taken from the picture's channels.
override MEAN_RED: f32 = 0.0;
override MEAN_GREEN: f32 = 0.0;
override MEAN_BLUE: f32 = 0.0;
override WRITES_FEATURES: bool = true;
override WRITES_SIGNS: bool = false;
// 0: no pooling follows; 1: the mean of a window; 2: its largest value.
override POOLING: u32 = 0u;
override WRITES_ROUTES: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> input: array<Feature>;
@group(0) @binding(4) var<storage, read_write> features: array<Feature>;
@group(0) @binding(5) var<storage, read_write> signs: array<u32>;
@group(0) @binding(6) var<storage, read_write> pooled: array<Feature>;
@group(0) @binding(7) var<storage, read_write> routes: array<u32>;
@group(0) @binding(8) var<storage, read> picture: array<f32>;

struct Source {
    inside: bool,
    // Place in the first quad's plane.
    place: u32,
}

fn find(y: i32, x: i32) -> Source {
    let height = i32(dispatch.height);
    let width = i32(dispatch.width);
    let inside = y >= 0 && y < height && x >= 0 && x < width;
    let near_y = u32(clamp(y, 0, height - 1));
    let near_x = u32(clamp(x, 0, width - 1));
    return Source(inside || REPLICATE, place_of(0u, dispatch.input_rows, near_y, near_x));
}

fn load(source: Source, quad: u32) -> vec4<f32> {
    if (!source.inside) {
        return vec4<f32>(0.0);
    }
    let plane = dispatch.input_rows * dispatch.width;
    if (READS_PICTURE) {
        let red = picture[source.place] - MEAN_RED;
        let green = picture[source.place + plane] - MEAN_GREEN;
        let blue = picture[source.place + 2u * plane] - MEAN_BLUE;
        return vec4<f32>(red, green, blue, 0.0);
    }
    return feature(input[quad * plane + source.place]);
}

// What is no number stays none: max would turn it into 0, and a picture that went astray would look like a good one.
fn relu(value: vec4<f32>) -> vec4<f32> {
    return select(max(value, vec4<f32>(0.0)), value, is_nan(value));
}

// The larger; what is no number wins.
fn larger(first: vec4<f32>, second: vec4<f32>) -> vec4<f32> {
    return select(select(max(first, second), second, is_nan(second)), first, is_nan(first));
}

// A bit for each positive value.
fn positive(value: vec4<f32>) -> u32 {
    let bits = select(vec4<u32>(0u), vec4<u32>(1u, 2u, 4u, 8u), value > vec4<f32>(0.0));
    return bits.x | bits.y | bits.z | bits.w;
}

// The values of one quad, where they are in bounds; -1 elsewhere.
struct Window {
    v00: vec4<f32>,
    v01: vec4<f32>,
    v10: vec4<f32>,
    v11: vec4<f32>,
}

fn window_signs(window: Window) -> u32 {
    return positive(window.v00) | (positive(window.v01) << 8u) | (positive(window.v10) << 16u) | (positive(window.v11) << 24u);
}

fn largest(window: Window) -> vec4<f32> {
    return larger(larger(window.v00, window.v01), larger(window.v10, window.v11));
}

// The window with everything set to -1 but the first of its largest values in reading order.
fn winner(window: Window) -> Window {
    let top = largest(window);
    let none = vec4<f32>(-1.0);
    let is00 = window.v00 == top;
    let is01 = (window.v01 == top) & !is00;
    let is10 = (window.v10 == top) & !(is00 | is01);
    let is11 = !(is00 | is01 | is10);
    return Window(select(none, top, is00), select(none, top, is01), select(none, top, is10), select(none, top, is11));
}

// The mean of the values in bounds, of which there are 1, 2 or 4.
fn mean(window: Window, right: bool, below: bool) -> vec4<f32> {
    var sum = window.v00;
    if (right) {
        sum += window.v01;
    }
    if (below) {
        sum += window.v10;
    }
    if (right && below) {
        sum += window.v11;
    }
    return sum * (select(1.0, 0.5, right) * select(1.0, 0.5, below));
}

fn store_features(quad: u32, y: u32, x: u32, window: Window, right: bool, below: bool) {
    let upper = place_of(quad, dispatch.features_rows, y, x);
    features[upper] = stored_feature(window.v00);
    if (right) {
        features[upper + 1u] = stored_feature(window.v01);
    }
    if (below) {
        let lower = place_of(quad, dispatch.features_rows, y + 1u, x);
        features[lower] = stored_feature(window.v10);
        if (right) {
            features[lower + 1u] = stored_feature(window.v11);
        }
    }
}

fn store_pooled(quad: u32, y: u32, x: u32, window: Window, right: bool, below: bool) {
    var value = largest(window);
    if (POOLING == 1u) {
        value = mean(window, right, below);
    }
    pooled[place_of_window(quad, dispatch.pooled_rows, y, x)] = stored_feature(value);
}

// Takes the window at (y, x), channels 8 `octet` on.
fn finish(y: u32, x: u32, octet: u32) {
    if (y >= dispatch.row_end || x >= dispatch.width) {
        return;
    }
    let right = x + 1u < dispatch.width;
    let below = y + 1u < dispatch.height;
    let none = vec4<f32>(-1.0);
    let first = bias[octet * 2u];
    let second = bias[octet * 2u + 1u];
    let lower = Window(
        relu(a00 + first),
        select(none, relu(a01 + first), right),
        select(none, relu(a10 + first), below),
        select(none, relu(a11 + first), right && below),
    );
    let upper = Window(
        relu(b00 + second),
        select(none, relu(b01 + second), right),
        select(none, relu(b10 + second), below),
        select(none, relu(b11 + second), right && below),
    );
    let quad = octet * 2u;
    if (WRITES_FEATURES) {
        store_features(quad, y, x, lower, right, below);
        store_features(quad + 1u, y, x, upper, right, below);
    }
    if (WRITES_SIGNS) {
        let word = place_of_window(octet, dispatch.signs_rows, y, x);
        signs[word] = window_signs(lower) | (window_signs(upper) << 4u);
    }
    if (POOLING != 0u) {
        store_pooled(quad, y, x, lower, right, below);
        store_pooled(quad + 1u, y, x, upper, right, below);
    }
    if (WRITES_ROUTES) {
        let word = place_of_window(octet, dispatch.routes_rows, y, x);
        routes[word] = window_signs(winner(lower)) | (window_signs(winner(upper)) << 4u);
    }
}
