//! Products of bfloat16 in tile registers: Intel's AMX, as its tests and Linux let a program use them.
//!
//! A register holds sixteen rows of 64 bytes. One instruction multiplies a tile of sixteen rows of thirty-two bfloat16 by one
//! of sixteen pairs of rows, and adds the 16 x 16 products to a third of f32:
//!
//! ```text
//!   sums[row][output] += sum over pairs k of  inputs[row][k].0 * weights[k][output].0 + inputs[row][k].1 * weights[k][output].1
//!
//!                      tmm6    tmm7    weights of 2 x 16 outputs
//!   inputs of    tmm4  tmm0    tmm1    sums of 16 rows x 32 outputs
//!   2 x 16 rows  tmm5  tmm2    tmm3    sums of the next 16
//! ```
//!
//! so four loads serve four products. Values in two parts (`panels.rs`) take three products: ten loads for twelve. A row's
//! sums do not depend on the rows beside it: each instruction adds up its own sixteen pairs and then adds that to the sum,
//! chunk after chunk of thirty-two inputs. Subnormal numbers count as zero.
//!
//! The registers have to be laid out before they are used ([`TileRegisters`]); and since a program that never uses them
//! need not have the room to save 8 KiB more at each interrupt, Linux wants to be asked once a process ([`permission`]).

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::marker::PhantomData;
use std::sync::OnceLock;

use super::isa::{LANES, Lanes};
use super::panels::GROUP_BLOCKS;
use super::tiles::{TileOperands, TilePlace};

/// Lines of a tile.
const TILE_LINES: usize = LANES;
/// Bytes from a tile's row to the next, where tiles lie by themselves.
const ROW_BYTES: usize = size_of::<Lanes>();

/// Proof that the processor has tiles with bfloat16 products, and that the system lets this process use them.
#[derive(Clone, Copy)]
pub struct Permission(());

/// The proof, where it is so; the system is asked once.
pub fn permission() -> Option<Permission> {
    static IS_PERMITTED: OnceLock<bool> = OnceLock::new();
    IS_PERMITTED.get_or_init(|| has_bf16_tiles() && is_allowed_by_the_system()).then_some(Permission(()))
}

/// What the processor says of itself: leaf 7's bits for tiles and for their bfloat16 products.
fn has_bf16_tiles() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    #[allow(unused_unsafe, reason = "became safe in a later Rust than the oldest that builds this")]
    // SAFETY: every processor that this runs on has the instruction: it has SSE2.
    let (highest, features) = unsafe { (__cpuid(0).eax, __cpuid_count(7, 0).edx) };
    highest >= 7 && features & AMX_BF16 != 0 && features & AMX_TILE != 0
}

#[cfg(target_os = "linux")]
fn is_allowed_by_the_system() -> bool {
    /// Asks for the right to use a part of the processor's state.
    const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
    /// The registers themselves.
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: this call reads and writes no memory of the process; a system that does not know it says so.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn is_allowed_by_the_system() -> bool {
    false
}

/// What `ldtilecfg` reads: palette 1, whose registers are as many rows high and bytes wide as is said for each.
#[repr(C, align(64))]
struct Layout {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Eight registers of sixteen rows of 64 bytes.
static WHOLE_TILES: Layout = {
    let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
    let mut register = 0;
    while register < 8 {
        row_bytes[register] = ROW_BYTES as u16;
        rows[register] = TILE_LINES as u8;
        register += 1;
    }
    Layout { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

/// Proof that this thread's tile registers are laid out as [`WHOLE_TILES`]; they are let go when it is dropped, so that the
/// system need not save them. It cannot leave its thread.
struct TileRegisters(PhantomData<*const ()>);

impl TileRegisters {
    /// Lays the registers out.
    fn new(_permission: Permission) -> TileRegisters {
        // SAFETY: the permission says that there are such registers. The layout is 64 bytes of palette 1, all within its
        // limits of 16 rows and 64 bytes. No compiled code uses these registers but the blocks of this file.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE_TILES, options(nostack, readonly, preserves_flags)) };
        TileRegisters(PhantomData)
    }
}

impl Drop for TileRegisters {
    fn drop(&mut self) {
        // SAFETY: `new` has laid them out on this thread.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}

/// See [`super::isa::Isa::tile_products`].
pub fn tile_products(permission: Permission, operands: TileOperands<'_>, places: impl Iterator<Item = TilePlace>) {
    let TileOperands { inputs, weights, sums, row_groups, chunks, parts, row_stride, vector_stride } = operands;
    assert!((1..=2).contains(&parts), "there are kernels for one part and for two");
    // So that no product of them wraps, here and in the kernels.
    let counts = [row_groups, chunks, row_stride, vector_stride];
    assert!(counts.iter().all(|&count| count < 1 << 24), "more than any operand has: {counts:?}");
    if chunks == 0 || row_groups == 0 {
        return;
    }
    let registers = TileRegisters::new(permission);
    let group_len = chunks * parts * TILE_LINES;
    for place in places {
        // What the kernels reach, checked once a place: the last row's last vector of sums is the end of it.
        let inputs = &inputs[place.inputs..][..row_groups * group_len];
        let weights = &weights[place.weights..][..GROUP_BLOCKS * group_len];
        let sums_len = (row_groups * TILE_LINES - 1) * row_stride + (GROUP_BLOCKS - 1) * vector_stride + 1;
        let sums = &mut sums[place.sums..][..sums_len];
        let first_sum = |group: usize| group * TILE_LINES * row_stride;
        let shape = Shape { chunks, parts, row_stride, vector_stride };
        for pair in 0..row_groups / 2 {
            let [upper, lower] = [2 * pair, 2 * pair + 1];
            let inputs = [upper, lower].map(|group| &inputs[group * group_len..][..group_len]);
            for column in [0, 2] {
                let weights = &weights[column * TILE_LINES..];
                let sums = &mut sums[first_sum(upper) + column * vector_stride..];
                two_by_two(&registers, shape, inputs, weights, sums);
            }
        }
        if row_groups % 2 == 1 {
            let group = row_groups - 1;
            one_by_four(&registers, shape, &inputs[group * group_len..], weights, &mut sums[first_sum(group)..]);
        }
    }
}

/// What all kernels of a product have in common; as in [`TileOperands`].
#[derive(Clone, Copy)]
struct Shape {
    chunks: usize,
    parts: usize,
    row_stride: usize,
    vector_stride: usize,
}

/// Has a tile that lies some bytes behind a pointer brought into the first-level cache: those of the next chunk, or behind the
/// last what stands there, as a prefetch reads nothing and may point anywhere.
macro_rules! fetch {
    ($place:literal) => {
        concat!(
            ".irp line, 0, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960\n",
            "prefetcht0 [",
            $place,
            " + \\line]\n",
            ".endr"
        )
    };
}

/// The assembler of a kernel: four sums from zero, the products of all chunks, and the sums stored. `$pointers` are what the
/// products read, each with the bytes that a chunk takes it further.
macro_rules! kernel {
    ($shape:ident, $sums:expr, [$($pointer:ident = $start:expr, $bytes:literal);*], [$($products:expr),*]) => {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            "2:",
            $($products,)*
            $(concat!("add {", stringify!($pointer), "}, ", $bytes),)*
            "dec {chunks}",
            "jnz 2b",
            "tilestored [{sum0} + {stride}], tmm0",
            "tilestored [{sum1} + {stride}], tmm1",
            "tilestored [{sum2} + {stride}], tmm2",
            "tilestored [{sum3} + {stride}], tmm3",
            $($pointer = inout(reg) $start => _,)*
            chunks = inout(reg) $shape.chunks => _,
            row = in(reg) ROW_BYTES,
            sum0 = in(reg) $sums[0],
            sum1 = in(reg) $sums[1],
            sum2 = in(reg) $sums[2],
            sum3 = in(reg) $sums[3],
            stride = in(reg) $shape.row_stride * ROW_BYTES,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

/// Two groups of sixteen rows, `[chunks][parts][16 rows]` each, by the first two vectors of `weights`,
/// `[chunks][parts][GROUP_BLOCKS][16 words]`.
#[inline]
fn two_by_two(_registers: &TileRegisters, shape: Shape, inputs: [&[Lanes]; 2], weights: &[Lanes], sums: &mut [Lanes]) {
    let Shape { chunks, parts, row_stride, vector_stride } = shape;
    let lines = chunks * parts * TILE_LINES;
    assert!(chunks > 0 && parts > 0 && inputs.iter().all(|inputs| inputs.len() >= lines));
    assert!(weights.len() >= GROUP_BLOCKS * (lines - TILE_LINES) + 2 * TILE_LINES);
    let places = [0, vector_stride, TILE_LINES * row_stride, TILE_LINES * row_stride + vector_stride];
    assert!(sums.len() > places[3] + (TILE_LINES - 1) * row_stride);
    let ([upper, lower], weights) = (inputs.map(<[Lanes]>::as_ptr), weights.as_ptr());
    // SAFETY: the token says that eight registers of 16 x 64 bytes are laid out on this thread. For each part of each chunk
    // sixteen lines of either input are read and two times sixteen of the weights, all inside the slices (asserted above), as is
    // the last of the lines stored in each of sixteen rows from each of `places` on. A prefetch reads nothing. Tile registers
    // hold nothing for anyone else, see `TileRegisters`.
    unsafe {
        let sums = places.map(|place| sums.as_mut_ptr().add(place));
        if parts == 1 {
            kernel!(
                shape, sums, [upper = upper, "1024"; lower = lower, "1024"; weights = weights, "4096"],
                [
                    "tileloadd tmm4, [{upper} + {row}]",
                    "tileloadd tmm6, [{weights} + {row}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    fetch!("{weights} + 4096"),
                    "tileloadd tmm7, [{weights} + {row} + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    fetch!("{weights} + 5120"),
                    "tileloadd tmm5, [{lower} + {row}]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    fetch!("{upper} + 1024"),
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    fetch!("{lower} + 1024")
                ]
            );
        } else {
            // First part of the inputs by second of the weights, by first; then second by first.
            kernel!(
                shape, sums, [upper = upper, "2048"; lower = lower, "2048"; weights = weights, "8192"],
                [
                    "tileloadd tmm4, [{upper} + {row}]",
                    "tileloadd tmm6, [{weights} + {row} + 4096]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    fetch!("{weights} + 12288"),
                    "tileloadd tmm7, [{weights} + {row} + 5120]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    fetch!("{weights} + 13312"),
                    "tileloadd tmm5, [{lower} + {row}]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    fetch!("{upper} + 2048"),
                    "tileloadd tmm6, [{weights} + {row}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{weights} + {row} + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    fetch!("{lower} + 2048"),
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    fetch!("{weights} + 8192"),
                    "tileloadd tmm4, [{upper} + {row} + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    fetch!("{weights} + 9216"),
                    "tileloadd tmm5, [{lower} + {row} + 1024]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    fetch!("{upper} + 3072"),
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    fetch!("{lower} + 3072")
                ]
            );
        }
    }
}

/// One group of sixteen rows by all four vectors: where no second group is left. Operands as in [`two_by_two`].
#[inline]
fn one_by_four(_registers: &TileRegisters, shape: Shape, inputs: &[Lanes], weights: &[Lanes], sums: &mut [Lanes]) {
    let Shape { chunks, parts, row_stride, vector_stride } = shape;
    let lines = chunks * parts * TILE_LINES;
    assert!(chunks > 0 && parts > 0 && inputs.len() >= lines && weights.len() >= GROUP_BLOCKS * lines);
    let places = [0, vector_stride, 2 * vector_stride, 3 * vector_stride];
    assert!(sums.len() > places[3] + (TILE_LINES - 1) * row_stride);
    let (inputs, weights) = (inputs.as_ptr(), weights.as_ptr());
    // SAFETY: as in `two_by_two`, with one input and four times sixteen lines of weights for each part of each chunk.
    unsafe {
        let sums = places.map(|place| sums.as_mut_ptr().add(place));
        if parts == 1 {
            kernel!(
                shape, sums, [inputs = inputs, "1024"; weights = weights, "4096"],
                [
                    "tileloadd tmm4, [{inputs} + {row}]",
                    "tileloadd tmm5, [{weights} + {row}]",
                    "tdpbf16ps tmm0, tmm4, tmm5",
                    "tileloadd tmm6, [{weights} + {row} + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm6",
                    "tileloadd tmm7, [{weights} + {row} + 2048]",
                    "tdpbf16ps tmm2, tmm4, tmm7",
                    "tileloadd tmm5, [{weights} + {row} + 3072]",
                    "tdpbf16ps tmm3, tmm4, tmm5"
                ]
            );
        } else {
            // In the other kernel's order, so that a row's sums are the same bits in both.
            kernel!(
                shape, sums, [inputs = inputs, "2048"; weights = weights, "8192"],
                [
                    "tileloadd tmm4, [{inputs} + {row}]",
                    "tileloadd tmm5, [{weights} + {row} + 4096]",
                    "tdpbf16ps tmm0, tmm4, tmm5",
                    "tileloadd tmm6, [{weights} + {row} + 5120]",
                    "tdpbf16ps tmm1, tmm4, tmm6",
                    "tileloadd tmm7, [{weights} + {row} + 6144]",
                    "tdpbf16ps tmm2, tmm4, tmm7",
                    "tileloadd tmm5, [{weights} + {row} + 7168]",
                    "tdpbf16ps tmm3, tmm4, tmm5",
                    "tileloadd tmm6, [{weights} + {row}]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{weights} + {row} + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{weights} + {row} + 2048]",
                    "tdpbf16ps tmm2, tmm4, tmm5",
                    "tileloadd tmm6, [{weights} + {row} + 3072]",
                    "tdpbf16ps tmm3, tmm4, tmm6",
                    "tileloadd tmm4, [{inputs} + {row} + 1024]",
                    "tileloadd tmm7, [{weights} + {row}]",
                    "tdpbf16ps tmm0, tmm4, tmm7",
                    "tileloadd tmm5, [{weights} + {row} + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm5",
                    "tileloadd tmm6, [{weights} + {row} + 2048]",
                    "tdpbf16ps tmm2, tmm4, tmm6",
                    "tileloadd tmm7, [{weights} + {row} + 3072]",
                    "tdpbf16ps tmm3, tmm4, tmm7"
                ]
            );
        }
    }
}
