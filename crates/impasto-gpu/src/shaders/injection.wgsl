// What a tap gives to its layer's gradient: m / M + (S + S^T) / M F for the derivatives m and S by its moments over M
// positions, and 2 w (F - P) for the derivative w by its distance. It sets the gradient.
//
// A workgroup makes 64 positions, counted along the rows from row_begin on, by 64 channels, a thread 4 positions by 8
// channels. features and result are laid out as in maps.wgsl, which comes after this file with a storage file; panel is
// [tile of 64 channels that come out][channel that goes in][64] f32, S + S^T over M; means is [channels] f32, m over M;
// targets is [channels / 4][target_rows][width], the map's rows from target_begin on, which hold row_begin to row_end.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    row_begin: u32,
    row_end: u32,
    width: u32,
    features_rows: u32,
    result_rows: u32,
    target_begin: u32,
    target_rows: u32,
    // Tiles of 64 channels that come out.
    tiles: u32,
    // Quads that go in; 0 where the loss does not depend on the second moment.
    quads: u32,
    // Quads of the layer.
    all_quads: u32,
    // 1 where the loss depends on the mean.
    has_mean: u32,
    // 1 where the loss depends on the distance, and 2 w.
    has_content: u32,
    twice_weight: f32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> panel: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> means: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> targets: array<Feature>;
@group(0) @binding(5) var<storage, read_write> result: array<Gradient>;

// Four quads of 64 positions, and their sixteen channels' lines of the panel.
var<workgroup> feature_values: array<array<vec4<f32>, 64>, 4>;
var<workgroup> panel_values: array<array<vec4<f32>, 16>, 16>;

// The sums of the thread's four positions, channels 0 to 3 (a) and 4 to 7 (b) of its eight.
var<private> a0: vec4<f32>;
var<private> a1: vec4<f32>;
var<private> a2: vec4<f32>;
var<private> a3: vec4<f32>;
var<private> b0: vec4<f32>;
var<private> b1: vec4<f32>;
var<private> b2: vec4<f32>;
var<private> b3: vec4<f32>;

// Adds one channel: its values at the four positions, and its line's two quads.
fn multiply(f0: f32, f1: f32, f2: f32, f3: f32, lower: vec4<f32>, upper: vec4<f32>) {
    a0 = fma(vec4<f32>(f0), lower, a0);
    b0 = fma(vec4<f32>(f0), upper, b0);
    a1 = fma(vec4<f32>(f1), lower, a1);
    b1 = fma(vec4<f32>(f1), upper, b1);
    a2 = fma(vec4<f32>(f2), lower, a2);
    b2 = fma(vec4<f32>(f2), upper, b2);
    a3 = fma(vec4<f32>(f3), lower, a3);
    b3 = fma(vec4<f32>(f3), upper, b3);
}

// Place of a position in a plane of a ring of `rows`.
fn place(plane: u32, rows: u32, position: u32) -> u32 {
    return place_of(plane, rows, dispatch.row_begin + position / dispatch.width, position % dispatch.width);
}

fn store(position: u32, tile: u32, quad: u32, sum: vec4<f32>) {
    let plane = tile * 16u + quad;
    var value = sum;
    if (dispatch.has_content == 1u) {
        let own = features[place(plane, dispatch.features_rows, position)];
        let first_row = plane * dispatch.target_rows + dispatch.row_begin - dispatch.target_begin;
        let wanted = targets[first_row * dispatch.width + position];
        value += dispatch.twice_weight * (feature(own) - feature(wanted));
    }
    result[place(plane, dispatch.result_rows, position)] = stored_gradient(value);
}

fn store_both(position: u32, positions: u32, tile: u32, quad: u32, a: vec4<f32>, b: vec4<f32>) {
    if (position < positions) {
        store(position, tile, quad, a);
        store(position, tile, quad + 1u, b);
    }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let tile = id % dispatch.tiles;
    let first_position = (id / dispatch.tiles) * 64u;
    let positions = (dispatch.row_end - dispatch.row_begin) * dispatch.width;
    let lane = local % 16u;
    let lower = (local / 16u) * 2u;
    let upper = lower + 1u;

    // This thread brings one position of two quads.
    let brought = min(first_position + local % 64u, positions - 1u);
    let brought_place = place(0u, dispatch.features_rows, brought);
    var line = tile * dispatch.all_quads * 64u;
    for (var quad = 0u; quad < dispatch.quads; quad += 4u) {
        let plane = (quad + local / 64u) * dispatch.features_rows * dispatch.width;
        let later_plane = plane + 2u * dispatch.features_rows * dispatch.width;
        feature_values[local / 64u][local % 64u] = feature(features[plane + brought_place]);
        feature_values[local / 64u + 2u][local % 64u] = feature(features[later_plane + brought_place]);
        panel_values[local / 16u][local % 16u] = panel[line + local];
        panel_values[local / 16u + 8u][local % 16u] = panel[line + local + 128u];
        workgroupBarrier();
        // Written out: a place that a compiler knows needs no check against the bounds.
        {
            let f0 = feature_values[0][lane];
            let f1 = feature_values[0][lane + 16u];
            let f2 = feature_values[0][lane + 32u];
            let f3 = feature_values[0][lane + 48u];
            multiply(f0.x, f1.x, f2.x, f3.x, panel_values[0][lower], panel_values[0][upper]);
            multiply(f0.y, f1.y, f2.y, f3.y, panel_values[1][lower], panel_values[1][upper]);
            multiply(f0.z, f1.z, f2.z, f3.z, panel_values[2][lower], panel_values[2][upper]);
            multiply(f0.w, f1.w, f2.w, f3.w, panel_values[3][lower], panel_values[3][upper]);
        }
        {
            let f0 = feature_values[1][lane];
            let f1 = feature_values[1][lane + 16u];
            let f2 = feature_values[1][lane + 32u];
            let f3 = feature_values[1][lane + 48u];
            multiply(f0.x, f1.x, f2.x, f3.x, panel_values[4][lower], panel_values[4][upper]);
            multiply(f0.y, f1.y, f2.y, f3.y, panel_values[5][lower], panel_values[5][upper]);
            multiply(f0.z, f1.z, f2.z, f3.z, panel_values[6][lower], panel_values[6][upper]);
            multiply(f0.w, f1.w, f2.w, f3.w, panel_values[7][lower], panel_values[7][upper]);
        }
        {
            let f0 = feature_values[2][lane];
            let f1 = feature_values[2][lane + 16u];
            let f2 = feature_values[2][lane + 32u];
            let f3 = feature_values[2][lane + 48u];
            multiply(f0.x, f1.x, f2.x, f3.x, panel_values[8][lower], panel_values[8][upper]);
            multiply(f0.y, f1.y, f2.y, f3.y, panel_values[9][lower], panel_values[9][upper]);
            multiply(f0.z, f1.z, f2.z, f3.z, panel_values[10][lower], panel_values[10][upper]);
            multiply(f0.w, f1.w, f2.w, f3.w, panel_values[11][lower], panel_values[11][upper]);
        }
        {
            let f0 = feature_values[3][lane];
            let f1 = feature_values[3][lane + 16u];
            let f2 = feature_values[3][lane + 32u];
            let f3 = feature_values[3][lane + 48u];
            multiply(f0.x, f1.x, f2.x, f3.x, panel_values[12][lower], panel_values[12][upper]);
            multiply(f0.y, f1.y, f2.y, f3.y, panel_values[13][lower], panel_values[13][upper]);
            multiply(f0.z, f1.z, f2.z, f3.z, panel_values[14][lower], panel_values[14][upper]);
            multiply(f0.w, f1.w, f2.w, f3.w, panel_values[15][lower], panel_values[15][upper]);
        }
        workgroupBarrier();
        line += 256u;
    }
    var mean_a = vec4<f32>(0.0);
    var mean_b = vec4<f32>(0.0);
    if (dispatch.has_mean == 1u) {
        mean_a = means[tile * 16u + lower];
        mean_b = means[tile * 16u + upper];
    }
    let position = first_position + lane;
    store_both(position, positions, tile, lower, a0 + mean_a, b0 + mean_b);
    store_both(position + 16u, positions, tile, lower, a1 + mean_a, b1 + mean_b);
    store_both(position + 32u, positions, tile, lower, a2 + mean_a, b2 + mean_b);
    store_both(position + 48u, positions, tile, lower, a3 + mean_a, b3 + mean_b);
}
