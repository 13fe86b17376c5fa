// A level of the pyramid on the way up: its own values, weighed, and those of the level below it brought to its size.
//
// levels.wgsl, after this file, has the buffers. A thread makes one value of the fine level:
//
//   R (fine_weight R fine(y, x) + coarse_weight sum over the two coarse rows and columns at (y, x) of 2 t_r t_c coarse)
//
// (y, x) lies in the filter of its own coarse value (y / 2, x / 2), at 3/8, and of one beside it, at 1/8: the one before
// it where the place is even, and the one behind it where it is odd. R is root where the fine level is the vector, else 1.

fn coarse(plane: u32, y: i32, x: i32) -> f32 {
    if (y < 0 || y >= i32(dispatch.coarse_height) || x < 0 || x >= i32(dispatch.coarse_width)) {
        return 0.0;
    }
    let row = plane * dispatch.coarse_height + u32(y);
    return levels[dispatch.coarse_offset + row * dispatch.coarse_width + u32(x)];
}

@compute @workgroup_size(32, 8)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let across = (dispatch.fine_width + 31u) / 32u;
    let down = (dispatch.fine_height + 7u) / 8u;
    let plane = id / (across * down);
    let y = (id / across) % down * 8u + local.y;
    let x = id % across * 32u + local.x;
    if (id >= dispatch.end || y >= dispatch.fine_height || x >= dispatch.fine_width) {
        return;
    }
    let own_y = i32(y / 2u);
    let own_x = i32(x / 2u);
    let other_y = own_y + select(-1, 1, y % 2u == 1u);
    let other_x = own_x + select(-1, 1, x % 2u == 1u);
    let own = 0.375 * coarse(plane, own_y, own_x) + 0.125 * coarse(plane, other_y, own_x);
    let other = 0.375 * coarse(plane, own_y, other_x) + 0.125 * coarse(plane, other_y, other_x);
    let below = 2.0 * dispatch.coarse_weight * (0.375 * own + 0.125 * other);

    let place = y * dispatch.fine_width + x;
    let at = plane * dispatch.fine_height * dispatch.fine_width + place;
    if (!FROM_VECTOR) {
        let own_place = dispatch.fine_offset + at;
        levels[own_place] = dispatch.fine_weight * levels[own_place] + below;
        return;
    }
    var factor = 1.0;
    if (dispatch.has_root != 0u) {
        factor = root[place];
    }
    vector[at] = factor * (dispatch.fine_weight * (factor * vector[at]) + below);
}
