// The features at the positions of a layer that are sampled for a bank: of `height` rows down_count spread evenly, each in the
// middle of its share, and so of the columns.
//
// features is laid out as in maps.wgsl, which comes after this file with a storage file; samples is
// [sampled row][sampled column][channels] f32. A thread brings one position of the sampled rows from first_sampled on.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    height: u32,
    width: u32,
    features_rows: u32,
    quads: u32,
    down_count: u32,
    across_count: u32,
    first_sampled: u32,
    end_sampled: u32,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
@group(0) @binding(2) var<storage, read_write> samples: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let place = dispatch.first_sampled * dispatch.across_count + id * 64u + local;
    if (id >= dispatch.end || place >= dispatch.end_sampled * dispatch.across_count) {
        return;
    }
    let y = (2u * (place / dispatch.across_count) + 1u) * dispatch.height / (2u * dispatch.down_count);
    let x = (2u * (place % dispatch.across_count) + 1u) * dispatch.width / (2u * dispatch.across_count);
    for (var quad = 0u; quad < dispatch.quads; quad += 1u) {
        samples[place * dispatch.quads + quad] = feature(features[place_of(quad, dispatch.features_rows, y, x)]);
    }
}
