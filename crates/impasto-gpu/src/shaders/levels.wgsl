// A pyramid over a history's vector; halve.wgsl and weigh.wgsl go before it.
//
// vector is [3][height][width], the picture's own level, and levels holds those below it, [3][height][width] each, one
// behind the other; root is [height][width].

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    fine_width: u32,
    fine_height: u32,
    fine_offset: u32,
    // 0 where there is no level below.
    coarse_width: u32,
    coarse_height: u32,
    coarse_offset: u32,
    // Whether the vector is multiplied by root, place by place.
    has_root: u32,
    // On the way up.
    fine_weight: f32,
    coarse_weight: f32,
}

// Whether the fine level is the vector.
override FROM_VECTOR: bool = false;

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read_write> vector: array<f32>;
@group(0) @binding(2) var<storage, read_write> levels: array<f32>;
@group(0) @binding(3) var<storage, read> root: array<f32>;
