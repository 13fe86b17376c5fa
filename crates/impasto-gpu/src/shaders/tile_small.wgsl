// What a workgroup of a convolution makes on a small map, or where workgroup memory is short: 4 x 4 windows by 32 channels,
// by 128 threads, in 12 KiB of workgroup memory.

const WINDOWS_ACROSS: u32 = 4u;
const WINDOWS_DOWN: u32 = 4u;
// As in tile_large.wgsl: at each second pair of points.
const TURNED: u32 = 2u;
const TURN: u32 = 1u;
