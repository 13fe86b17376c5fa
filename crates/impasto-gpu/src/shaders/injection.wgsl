// What a tap gives to its layer's gradient: m / M + (S + S^T) / M F for the derivatives m and S by its moments over M
// positions, and 2 w (F - P) for the derivative w by its distance. It sets the gradient.
//
// With regions (GUIDED) there is an m and an S for each, M is the sum of its guide t, and the first two terms are the sum over
// regions of t m / M + (S + S^T) / M t F: one chain of products over all channels of all regions, t F taking the place of F
// as it is brought. A region that sees none of a workgroup's positions is passed over. With an emphasis e (EMPHASIS) the last
// term is 2 w e (F - P).
//
// A workgroup makes 64 positions, counted along the rows from row_begin on, by 64 channels, a thread 4 positions by 8
// channels (products.wgsl). features and result are laid out as in maps.wgsl; both come after this file with a storage file; panel is
// [region][tile of 64 channels that come out][channel that goes in][64] f32, S + S^T over M; means is [region][channels] f32,
// m over M; targets is [channels / 4][target_rows][width], the map's rows from target_begin on, which hold row_begin to
// row_end; guides is [region][target_rows][width] and emphasis [target_rows][width] f32, the same rows.

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
    // At most 256.
    regions: u32,
}

override GUIDED: bool = false;
override EMPHASIS: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> panel: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> means: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> targets: array<Feature>;
@group(0) @binding(5) var<storage, read> guides: array<f32>;
@group(0) @binding(6) var<storage, read> emphasis: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<Gradient>;

// A bit for each region: whether it sees any of the workgroup's positions.
var<workgroup> seeing: array<atomic<u32>, 8>;
var<workgroup> seen_by: array<u32, 8>;

// A position's values as a region counts them: nothing of what it does not see.
fn guided(value: vec4<f32>, guide: f32) -> vec4<f32> {
    if (!GUIDED) {
        return value;
    }
    return select(vec4<f32>(0.0), guide * value, guide > 0.0);
}

// Place of a position in a plane of a ring of `rows`.
fn place(plane: u32, rows: u32, position: u32) -> u32 {
    return place_of(plane, rows, dispatch.row_begin + position / dispatch.width, position % dispatch.width);
}

// A position in what stands in pieces of rows, of which planes have target_rows.
fn piece_place(plane: u32, position: u32) -> u32 {
    return (plane * dispatch.target_rows + dispatch.row_begin - dispatch.target_begin) * dispatch.width + position;
}

// Finds out which regions see any of 64 positions.
fn look(first_position: u32, positions: u32, local: u32) {
    if (local < 8u) {
        atomicStore(&seeing[local], 0u);
    }
    workgroupBarrier();
    let position = min(first_position + local % 64u, positions - 1u);
    for (var region = local / 64u; region < dispatch.regions; region += 2u) {
        if (guides[piece_place(region, position)] > 0.0) {
            atomicOr(&seeing[region / 32u], 1u << (region % 32u));
        }
    }
    workgroupBarrier();
    if (local < 8u) {
        seen_by[local] = atomicLoad(&seeing[local]);
    }
}

// Adds the means of a region at the thread's four positions.
fn add_means(region: u32, tile: u32, quad: u32, position: u32, positions: u32) {
    let lower = means[(region * dispatch.tiles + tile) * 16u + quad];
    let upper = means[(region * dispatch.tiles + tile) * 16u + quad + 1u];
    let t0 = guides[piece_place(region, min(position, positions - 1u))];
    let t1 = guides[piece_place(region, min(position + 16u, positions - 1u))];
    let t2 = guides[piece_place(region, min(position + 32u, positions - 1u))];
    let t3 = guides[piece_place(region, min(position + 48u, positions - 1u))];
    multiply(t0, t1, t2, t3, lower, upper);
}

fn store(position: u32, tile: u32, quad: u32, sum: vec4<f32>) {
    let plane = tile * 16u + quad;
    var value = sum;
    if (dispatch.has_content == 1u) {
        let own = features[place(plane, dispatch.features_rows, position)];
        let wanted = targets[piece_place(plane, position)];
        var weight = dispatch.twice_weight;
        if (EMPHASIS) {
            weight *= emphasis[piece_place(0u, position)];
        }
        value += weight * (feature(own) - feature(wanted));
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
    if (GUIDED) {
        look(first_position, positions, local);
    }
    let regions = select(1u, dispatch.regions, GUIDED);
    for (var region = 0u; region < regions; region += 1u) {
        var guide = 1.0;
        if (GUIDED) {
            let word = workgroupUniformLoad(&seen_by[region / 32u]);
            if (((word >> (region % 32u)) & 1u) == 0u) {
                continue;
            }
            guide = guides[piece_place(region, brought)];
        }
        var line = (region * dispatch.tiles + tile) * dispatch.all_quads * 64u;
        for (var quad = 0u; quad < dispatch.quads; quad += 4u) {
            let plane = (quad + local / 64u) * dispatch.features_rows * dispatch.width;
            let later_plane = plane + 2u * dispatch.features_rows * dispatch.width;
            feature_values[local / 64u][local % 64u] = guided(feature(features[plane + brought_place]), guide);
            feature_values[local / 64u + 2u][local % 64u] = guided(feature(features[later_plane + brought_place]), guide);
            panel_values[local / 16u][local % 16u] = panel[line + local];
            panel_values[local / 16u + 8u][local % 16u] = panel[line + local + 128u];
            workgroupBarrier();
            multiply_all(lane, lower, upper);
            workgroupBarrier();
            line += 256u;
        }
    }
    let position = first_position + lane;
    var mean_a = vec4<f32>(0.0);
    var mean_b = vec4<f32>(0.0);
    if (dispatch.has_mean == 1u) {
        if (GUIDED) {
            for (var region = 0u; region < regions; region += 1u) {
                if (((seen_by[region / 32u] >> (region % 32u)) & 1u) == 1u) {
                    add_means(region, tile, lower, position, positions);
                }
            }
        } else {
            mean_a = means[tile * 16u + lower];
            mean_b = means[tile * 16u + upper];
        }
    }
    store_both(position, positions, tile, lower, a0 + mean_a, b0 + mean_b);
    store_both(position + 16u, positions, tile, lower, a1 + mean_a, b1 + mean_b);
    store_both(position + 32u, positions, tile, lower, a2 + mean_a, b2 + mean_b);
    store_both(position + 48u, positions, tile, lower, a3 + mean_a, b3 + mean_b);
}
