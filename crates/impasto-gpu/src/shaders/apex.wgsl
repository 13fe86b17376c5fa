// The pyramid's small levels, down and up again, in one workgroup for each plane: they stay in its memory, where a dispatch
// for each of them would take longer than its sums.
//
// levels is as in levels.wgsl, of which this reads one level, [3][height][width], and changes it to what weigh.wgsl makes of
// it and of those below it. They are `below`, [height][width] each, one behind the other; sums are those of halve.wgsl and
// weigh.wgsl.

struct Dispatch {
    first: u32,
    end: u32,
    dispatch_width: u32,
    // The level, and how many there are below it.
    width: u32,
    height: u32,
    offset: u32,
    count: u32,
    padding: u32,
    // Of the level and of up to seven below it.
    first_weights: vec4<f32>,
    other_weights: vec4<f32>,
}

@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read_write> levels: array<f32>;

var<workgroup> below: array<f32, 1408>;

fn weight(level: u32) -> f32 {
    if (level < 4u) {
        return dispatch.first_weights[level];
    }
    return dispatch.other_weights[level - 4u];
}

fn width_of(level: u32) -> u32 {
    return (dispatch.width + (1u << level) - 1u) >> level;
}

fn height_of(level: u32) -> u32 {
    return (dispatch.height + (1u << level) - 1u) >> level;
}

// Where a level of this plane begins: in levels for the first, in below for the others.
fn start_of(level: u32, plane: u32) -> u32 {
    if (level == 0u) {
        return dispatch.offset + plane * dispatch.width * dispatch.height;
    }
    var start = 0u;
    for (var above = 1u; above < level; above += 1u) {
        start += width_of(above) * height_of(above);
    }
    return start;
}

fn value(level: u32, start: u32, y: i32, x: i32) -> f32 {
    let width = width_of(level);
    if (y < 0 || y >= i32(height_of(level)) || x < 0 || x >= i32(width)) {
        return 0.0;
    }
    let place = start + u32(y) * width + u32(x);
    if (level == 0u) {
        return levels[place];
    }
    return below[place];
}

fn halve(fine: u32, plane: u32, local: u32) {
    let fine_start = start_of(fine, plane);
    let coarse_start = start_of(fine + 1u, plane);
    let width = width_of(fine + 1u);
    let count = width * height_of(fine + 1u);
    for (var place = local; place < count; place += 256u) {
        let top = 2 * i32(place / width) - 1;
        let left = 2 * i32(place % width) - 1;
        var columns = vec4<f32>(0.0);
        for (var row = 0; row < 4; row += 1) {
            let tap = select(0.125, 0.375, row == 1 || row == 2);
            columns += tap * vec4<f32>(
                value(fine, fine_start, top + row, left),
                value(fine, fine_start, top + row, left + 1),
                value(fine, fine_start, top + row, left + 2),
                value(fine, fine_start, top + row, left + 3),
            );
        }
        below[coarse_start + place] = 2.0 * (0.125 * (columns.x + columns.w) + 0.375 * (columns.y + columns.z));
    }
}

fn weigh(fine: u32, plane: u32, local: u32) {
    let fine_start = start_of(fine, plane);
    let coarse = fine + 1u;
    let coarse_start = start_of(coarse, plane);
    let width = width_of(fine);
    let count = width * height_of(fine);
    // The coarsest level has no weight of its own yet.
    let coarse_weight = select(1.0, weight(coarse), coarse == dispatch.count);
    for (var place = local; place < count; place += 256u) {
        let y = i32(place / width);
        let x = i32(place % width);
        let other_y = y / 2 + select(-1, 1, y % 2 == 1);
        let other_x = x / 2 + select(-1, 1, x % 2 == 1);
        let own = 0.375 * value(coarse, coarse_start, y / 2, x / 2) + 0.125 * value(coarse, coarse_start, other_y, x / 2);
        let other =
            0.375 * value(coarse, coarse_start, y / 2, other_x) + 0.125 * value(coarse, coarse_start, other_y, other_x);
        let from_below = 2.0 * coarse_weight * (0.375 * own + 0.125 * other);
        let weighed = weight(fine) * value(fine, fine_start, y, x) + from_below;
        if (fine == 0u) {
            levels[fine_start + place] = weighed;
        } else {
            below[fine_start + place] = weighed;
        }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let plane = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    if (plane >= dispatch.end) {
        return;
    }
    for (var fine = 0u; fine < dispatch.count; fine += 1u) {
        halve(fine, plane, local);
        workgroupBarrier();
    }
    for (var fine = dispatch.count; fine > 0u; fine -= 1u) {
        weigh(fine - 1u, plane, local);
        workgroupBarrier();
    }
}
