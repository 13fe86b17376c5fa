// A level of the pyramid over a history's vector: the level above it, both sides halved by twice the filter (1 3 3 1) / 8.
//
// levels.wgsl, after this file, has the buffers. A thread makes one value of the coarse level, of 4 by 4 of the fine one:
//
//   sum over r, c in 0..4 of 2 t_r t_c fine(2y - 1 + r, 2x - 1 + c)      t = (1 3 3 1) / 8; zeros are beyond the edge

fn fine(plane: u32, y: i32, x: i32) -> f32 {
    if (y < 0 || y >= i32(dispatch.fine_height) || x < 0 || x >= i32(dispatch.fine_width)) {
        return 0.0;
    }
    let place = u32(y) * dispatch.fine_width + u32(x);
    let at = plane * dispatch.fine_height * dispatch.fine_width + place;
    if (!FROM_VECTOR) {
        return levels[dispatch.fine_offset + at];
    }
    if (dispatch.has_root == 0u) {
        return vector[at];
    }
    return vector[at] * root[place];
}

@compute @workgroup_size(32, 8)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let id = dispatch.first + workgroup.x + workgroup.y * dispatch.dispatch_width;
    let across = (dispatch.coarse_width + 31u) / 32u;
    let down = (dispatch.coarse_height + 7u) / 8u;
    let plane = id / (across * down);
    let y = (id / across) % down * 8u + local.y;
    let x = id % across * 32u + local.x;
    if (id >= dispatch.end || y >= dispatch.coarse_height || x >= dispatch.coarse_width) {
        return;
    }
    var columns = vec4<f32>(0.0);
    for (var row = 0; row < 4; row += 1) {
        let tap = select(0.125, 0.375, row == 1 || row == 2);
        let from_y = 2 * i32(y) - 1 + row;
        let from_x = 2 * i32(x) - 1;
        columns += tap * vec4<f32>(
            fine(plane, from_y, from_x),
            fine(plane, from_y, from_x + 1),
            fine(plane, from_y, from_x + 2),
            fine(plane, from_y, from_x + 3),
        );
    }
    let sum = 2.0 * (0.125 * (columns.x + columns.w) + 0.375 * (columns.y + columns.z));
    levels[dispatch.coarse_offset + (plane * dispatch.coarse_height + y) * dispatch.coarse_width + x] = sum;
}
