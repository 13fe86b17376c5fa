// Partial sums of a tap's distance: over a chunk of positions, as in moments.wgsl, and 64 channels, (F - P)^2.
//
// features is [channels / 4][rows][width] vec4, its rows a ring; targets is [quads][height][width] vec4 of the channels
// from first_tile on, 64 to a tile; partials is [chunk of this batch][stride] f32.

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
    // Of the tiles of 64 channels, those from first_tile on, of which there are tiles.
    first_tile: u32,
    tiles: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> targets: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (id >= dispatch.end) {
        return;
    }
    let chunk = id / dispatch.tiles;
    let tile = id % dispatch.tiles;
    let place = dispatch.first_chunk + chunk;
    let top = dispatch.row_begin + (place / dispatch.chunks_across) * 4u;
    let bottom = min(top + 4u, dispatch.height);
    let x = (place % dispatch.chunks_across) * 64u + local;

    var sum = 0.0;
    if (x < dispatch.width) {
        for (var y = top; y < bottom; y += 1u) {
            for (var quad = 0u; quad < 16u; quad += 1u) {
                let plane = (dispatch.first_tile + tile) * 16u + quad;
                let feature = features[(plane * dispatch.features_rows + y % dispatch.features_rows) * dispatch.width + x];
                let wanted = targets[((tile * 16u + quad) * dispatch.height + y) * dispatch.width + x];
                let difference = feature - wanted;
                sum += dot(difference, difference);
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
        partials[chunk * dispatch.stride + dispatch.first_tile + tile] = sums[0];
    }
}
