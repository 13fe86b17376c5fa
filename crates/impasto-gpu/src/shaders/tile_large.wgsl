// What a workgroup of a convolution makes: 8 x 4 windows by 32 channels, by 256 threads, in 22 KiB of workgroup memory.

const WINDOWS_ACROSS: u32 = 8u;
const WINDOWS_DOWN: u32 = 4u;
// Where the quads of a point's windows change halves, so that the points of one subgroup read other banks: at each second
// point.
const TURNED: u32 = 1u;
const TURN: u32 = 4u;
