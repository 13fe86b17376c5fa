// The product of centred features with a bank, and the largest of each position's scores: an argmax fused into it, so that no
// score leaves the workgroup but the best.
//
//   score[position][entry] = sum over channels of (F - m)[position][channel] u[channel][entry]     u: centred, of length 1
//
// |F - m| is the same for all entries of a position, so the largest score has the largest cosine. A score is one chain over
// the channels in their order, whatever lies beside it: equal entries have equal scores, and of equal ones the first counts.
//
// A workgroup makes 64 positions, counted along the rows from row_begin on, by a segment of 512 entries, 64 at a time
// (products.wgsl, after this file). features is laid out as in maps.wgsl, also after this file, as a storage file is; centre
// is [channels] f32, m; bank is [64 entries of this piece][channel][64] f32, u, with zeros behind the last; candidates is
// [segment][position of this batch] vec2: the bits of the best score, and its entry.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    row_begin: u32,
    row_end: u32,
    width: u32,
    features_rows: u32,
    // Quads of the layer.
    quads: u32,
    // The batch: its first position, and how many times 64 there are.
    first_position: u32,
    tiles: u32,
    // The first segment of this piece of the bank.
    first_segment: u32,
    // Entries of the whole bank.
    entries: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> centre: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bank: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> candidates: array<vec2<u32>>;

// Below every score.
const NONE: f32 = -3.4e38;

// The best of each eighth of the entries at each position.
var<workgroup> scores: array<array<f32, 64>, 8>;
var<workgroup> chosen: array<array<u32, 64>, 8>;

// The best so far of the thread's four positions.
var<private> best: vec4<f32>;
var<private> best_entries: vec4<u32>;

fn consider(entry: u32, own: vec4<f32>) {
    if (entry < dispatch.entries) {
        let is_better = own > best;
        best = select(best, own, is_better);
        best_entries = select(best_entries, vec4<u32>(entry), is_better);
    }
}

// The thread's eight entries, in their order.
fn consider_all(entry: u32) {
    consider(entry, vec4<f32>(a0.x, a1.x, a2.x, a3.x));
    consider(entry + 1u, vec4<f32>(a0.y, a1.y, a2.y, a3.y));
    consider(entry + 2u, vec4<f32>(a0.z, a1.z, a2.z, a3.z));
    consider(entry + 3u, vec4<f32>(a0.w, a1.w, a2.w, a3.w));
    consider(entry + 4u, vec4<f32>(b0.x, b1.x, b2.x, b3.x));
    consider(entry + 5u, vec4<f32>(b0.y, b1.y, b2.y, b3.y));
    consider(entry + 6u, vec4<f32>(b0.z, b1.z, b2.z, b3.z));
    consider(entry + 7u, vec4<f32>(b0.w, b1.w, b2.w, b3.w));
}

fn start() {
    a0 = vec4<f32>(0.0);
    a1 = vec4<f32>(0.0);
    a2 = vec4<f32>(0.0);
    a3 = vec4<f32>(0.0);
    b0 = vec4<f32>(0.0);
    b1 = vec4<f32>(0.0);
    b2 = vec4<f32>(0.0);
    b3 = vec4<f32>(0.0);
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let segment = id / dispatch.tiles;
    let tile = id % dispatch.tiles;
    let positions = (dispatch.row_end - dispatch.row_begin) * dispatch.width;
    let lane = local % 16u;
    let group = local / 16u;
    let lower = group * 2u;
    let upper = lower + 1u;

    // This thread brings one position of two quads.
    let brought = min(dispatch.first_position + tile * 64u + local % 64u, positions - 1u);
    let row = dispatch.row_begin + brought / dispatch.width;
    let brought_place = place_of(0u, dispatch.features_rows, row, brought % dispatch.width);
    let quad_plane = dispatch.features_rows * dispatch.width;
    best = vec4<f32>(NONE);
    best_entries = vec4<u32>(0u);
    for (var part = 0u; part < 8u; part += 1u) {
        let entry = (dispatch.first_segment + segment) * 512u + part * 64u;
        if (entry >= dispatch.entries) {
            break;
        }
        start();
        var line = (segment * 8u + part) * dispatch.quads * 64u;
        for (var quad = 0u; quad < dispatch.quads; quad += 4u) {
            let earlier = quad + local / 64u;
            let later = earlier + 2u;
            feature_values[local / 64u][local % 64u] =
                feature(features[earlier * quad_plane + brought_place]) - centre[earlier];
            feature_values[local / 64u + 2u][local % 64u] =
                feature(features[later * quad_plane + brought_place]) - centre[later];
            panel_values[local / 16u][local % 16u] = bank[line + local];
            panel_values[local / 16u + 8u][local % 16u] = bank[line + local + 128u];
            workgroupBarrier();
            multiply_all(lane, lower, upper);
            workgroupBarrier();
            line += 256u;
        }
        consider_all(entry + group * 8u);
    }
    scores[group][lane] = best.x;
    scores[group][lane + 16u] = best.y;
    scores[group][lane + 32u] = best.z;
    scores[group][lane + 48u] = best.w;
    chosen[group][lane] = best_entries.x;
    chosen[group][lane + 16u] = best_entries.y;
    chosen[group][lane + 32u] = best_entries.z;
    chosen[group][lane + 48u] = best_entries.w;
    workgroupBarrier();
    if (local < 64u) {
        var score = scores[0][local];
        var entry = chosen[0][local];
        for (var other = 1u; other < 8u; other += 1u) {
            let others_score = scores[other][local];
            let others_entry = chosen[other][local];
            if (others_score > score || (others_score == score && others_entry < entry)) {
                score = others_score;
                entry = others_entry;
            }
        }
        let out = (dispatch.first_segment + segment) * dispatch.tiles * 64u + tile * 64u + local;
        candidates[out] = vec2<u32>(bitcast<u32>(score), entry);
    }
}
