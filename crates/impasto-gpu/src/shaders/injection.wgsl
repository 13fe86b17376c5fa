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
var<workgroup> feature_values: array<vec4<f32>, 256>;
var<workgroup> panel_values: array<vec4<f32>, 256>;

var<private> a: array<vec4<f32>, 4>;
var<private> b: array<vec4<f32>, 4>;

fn multiply(line: u32, f0: f32, f1: f32, f2: f32, f3: f32) {
    let lower = panel_values[line];
    let upper = panel_values[line + 1u];
    a[0] += f0 * lower;
    b[0] += f0 * upper;
    a[1] += f1 * lower;
    b[1] += f1 * upper;
    a[2] += f2 * lower;
    b[2] += f2 * upper;
    a[3] += f3 * lower;
    b[3] += f3 * upper;
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
    let group = local / 16u;

    // This thread brings one position of two quads.
    let brought = min(first_position + local % 64u, positions - 1u);
    let brought_place = place(0u, dispatch.features_rows, brought);
    var line = tile * dispatch.all_quads * 64u;
    for (var quad = 0u; quad < dispatch.quads; quad += 4u) {
        for (var at = local; at < 256u; at += 128u) {
            let plane = (quad + at / 64u) * dispatch.features_rows * dispatch.width;
            feature_values[at] = feature(features[plane + brought_place]);
            panel_values[at] = panel[line + at];
        }
        workgroupBarrier();
        for (var of_four = 0u; of_four < 4u; of_four += 1u) {
            let f0 = feature_values[of_four * 64u + lane];
            let f1 = feature_values[of_four * 64u + lane + 16u];
            let f2 = feature_values[of_four * 64u + lane + 32u];
            let f3 = feature_values[of_four * 64u + lane + 48u];
            let first_line = of_four * 64u + group * 2u;
            multiply(first_line, f0.x, f1.x, f2.x, f3.x);
            multiply(first_line + 16u, f0.y, f1.y, f2.y, f3.y);
            multiply(first_line + 32u, f0.z, f1.z, f2.z, f3.z);
            multiply(first_line + 48u, f0.w, f1.w, f2.w, f3.w);
        }
        workgroupBarrier();
        line += 256u;
    }
    var mean_a = vec4<f32>(0.0);
    var mean_b = vec4<f32>(0.0);
    if (dispatch.has_mean == 1u) {
        mean_a = means[tile * 16u + group * 2u];
        mean_b = means[tile * 16u + group * 2u + 1u];
    }
    for (var of_four = 0u; of_four < 4u; of_four += 1u) {
        let position = first_position + lane + of_four * 16u;
        if (position < positions) {
            store(position, tile, group * 2u, a[of_four] + mean_a);
            store(position, tile, group * 2u + 1u, b[of_four] + mean_b);
        }
    }
}
