// Partial sums of a tap's distance: over a chunk (chunks.wgsl, after this file) and 64 channels, (F - P)^2; with an emphasis
// e, e (F - P)^2.
//
// features is laid out as in maps.wgsl, also after this file, as a storage file is; targets is
// [channels / 4][target_rows][width], the map's rows from target_begin on, which hold all that is observed; emphasis is
// [target_rows][width] f32, the same rows; partials is [chunk of this batch][tile of 64 channels] f32. A batch begins at
// first_chunk.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    row_begin: u32,
    first_chunk: u32,
    chunks_across: u32,
    height: u32,
    width: u32,
    features_rows: u32,
    tiles: u32,
    target_begin: u32,
    target_rows: u32,
}

override EMPHASIS: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read> targets: array<Feature>;
@group(0) @binding(3) var<storage, read> emphasis: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let tile = id % dispatch.tiles;
    let positions = chunk_of(dispatch.first_chunk + id / dispatch.tiles);
    let x = positions.left + local;

    var sum = 0.0;
    if (x < positions.right) {
        for (var y = positions.top; y < positions.bottom; y += 1u) {
            for (var quad = 0u; quad < 16u; quad += 1u) {
                let plane = tile * 16u + quad;
                let own = features[place_of(plane, dispatch.features_rows, y, x)];
                let wanted = targets[(plane * dispatch.target_rows + y - dispatch.target_begin) * dispatch.width + x];
                let difference = feature(own) - feature(wanted);
                var weighed = difference;
                if (EMPHASIS) {
                    weighed *= emphasis[(y - dispatch.target_begin) * dispatch.width + x];
                }
                sum += dot(weighed, difference);
            }
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (local < half) {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if (local == 0u) {
        partials[id] = sums[0];
    }
}
