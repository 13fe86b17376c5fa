//! Hostile MATLAB files.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::{Attack, SMALL, attack, f32_bytes, kernel, withstand_all};

pub const INT8: u32 = 1;
pub const UINT8: u32 = 2;
pub const INT32: u32 = 5;
const UINT32: u32 = 6;
pub const SINGLE: u32 = 7;
const DOUBLE: u32 = 9;
const INT64: u32 = 12;
pub const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

pub const CELL: u32 = 1;
pub const STRUCT: u32 = 2;
pub const CHAR: u32 = 4;
const SPARSE: u32 = 5;
pub const CLASS_SINGLE: u32 = 7;

/// An element: type, length, data, padding to 8 bytes.
pub fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

pub fn i32_bytes(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A matrix whose parts behind the name are given.
pub fn matrix(class: u32, sides: &[i32], name: &str, body: &[u8]) -> Vec<u8> {
    let flags = element(UINT32, &[class.to_le_bytes(), [0; 4]].concat());
    let parts = [flags, element(INT32, &i32_bytes(sides)), element(INT8, name.as_bytes()), body.to_vec()];
    element(MATRIX, &parts.concat())
}

pub fn numbers(sides: &[i32], values: &[f32]) -> Vec<u8> {
    matrix(CLASS_SINGLE, sides, "", &element(SINGLE, &f32_bytes(values)))
}

pub fn text(value: &str) -> Vec<u8> {
    matrix(CHAR, &[1, value.len() as i32], "", &element(UINT8, value.as_bytes()))
}

pub fn cells(name: &str, cells: &[Vec<u8>]) -> Vec<u8> {
    matrix(CELL, &[1, cells.len() as i32], name, &cells.concat())
}

/// The field names of a struct, 16 bytes each.
pub fn field_names(names: &[&str]) -> Vec<u8> {
    let padded = names.iter().flat_map(|name| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(16, 0);
        bytes
    });
    [element(INT32, &i32_bytes(&[16])), element(INT8, &padded.collect::<Vec<u8>>())].concat()
}

pub fn structure(name: &str, fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<u8> = fields.iter().flat_map(|(_, value)| value.clone()).collect();
    matrix(STRUCT, &[1, 1], name, &[field_names(&names), values].concat())
}

/// A layer's kernel in MATLAB's order.
fn kernel_matrix(layer: usize) -> Vec<u8> {
    let shape = SMALL[layer];
    let ours = kernel(layer);
    let filters = ours.chunks(9).flat_map(|f| [f[0], f[3], f[6], f[1], f[4], f[7], f[2], f[5], f[8]]);
    numbers(&[3, 3, shape.inputs as i32, shape.outputs as i32], &filters.collect::<Vec<f32>>())
}

fn bias_matrix(layer: usize) -> Vec<u8> {
    numbers(&[1, SMALL[layer].outputs as i32], &vec![0.5; SMALL[layer].outputs])
}

fn layer_of(layer: usize, kernel: Vec<u8>, bias: Vec<u8>) -> Vec<u8> {
    structure("", &[("weights", cells("", &[kernel, bias])), ("name", text(&SMALL[layer].name()))])
}

fn layers() -> Vec<Vec<u8>> {
    (0..3).map(|layer| layer_of(layer, kernel_matrix(layer), bias_matrix(layer))).collect()
}

pub fn file(variables: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file, made by hand".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    bytes.extend(variables.concat());
    bytes
}

fn good() -> Vec<u8> {
    file(&[cells("layers", &layers())])
}

/// The good file with its first layer replaced.
fn with_first(layer: Vec<u8>) -> Vec<u8> {
    let mut layers = layers();
    layers[0] = layer;
    file(&[cells("layers", &layers)])
}

fn with_kernel(kernel: Vec<u8>) -> Vec<u8> {
    with_first(layer_of(0, kernel, bias_matrix(0)))
}

/// A kernel's matrix whose parts behind the name are given.
fn kernel_of(body: &[u8]) -> Vec<u8> {
    matrix(CLASS_SINGLE, &[3, 3, 3, 2], "", body)
}

pub fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A compressed variable: not padded.
pub fn compressed(stream: &[u8]) -> Vec<u8> {
    [&COMPRESSED.to_le_bytes(), &(stream.len() as u32).to_le_bytes(), stream].concat()
}

fn patched(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

#[test]
fn hostile_files_end_in_a_sentence() {
    assert!(crate::read(&good()).is_ok(), "the unbent file is good");
    let whole = file(&[compressed(&packed(&cells("layers", &layers())))]);
    assert!(crate::read(&whole).is_ok(), "so is the compressed one");
    let mut attacks = containers();
    attacks.extend(structures());
    attacks.extend(values());
    attacks.extend(compression());
    withstand_all(attacks, 50);
}

/// Variables, cells and structs that lie about their lengths.
fn containers() -> Vec<Attack> {
    let nested = |depth: usize| (0..depth).fold(text("deep"), |inner, _| cells("", &[inner]));
    let mut nine_sides = vec![1; 9];
    nine_sides[8] = 3;
    vec![
        attack("no variable", file(&[]), "\"layers\""),
        attack("a header of another version", patched(good(), 124, &[0, 9]), "no weights file"),
        attack("MATLAB 7.3", patched(good(), 124, &[0, 2]), "7.3"),
        attack("the other byte order", patched(good(), 124, b"\x01\x00MI"), "longer than the file"),
        attack("a variable of 4 GiB", patched(good(), 132, &[0xff; 4]), "longer than the file"),
        attack("a variable of an unknown type", patched(good(), 128, &[99, 0, 0, 0]), "type 99"),
        attack("a head that is cut off", [good(), vec![14, 0, 0]].concat(), "ends before"),
        attack("a variable of one byte", file(&[vec![14, 0, 0, 0, 1, 0, 0, 0, 0]]), "ends in the middle"),
        attack("no flags", file(&[element(MATRIX, &element(INT32, &i32_bytes(&[1])))]), "no flags"),
        attack("cells 40 deep", file(&[cells("layers", &[nested(40)])]), "nest deeper"),
        attack("cells 30,000 deep", file(&[deep_cells(30_000)]), "nest deeper"),
        attack("2^31 cells", file(&[matrix(CELL, &[1, i32::MAX], "layers", &layers().concat())]), "ends"),
        attack("2^62 cells", file(&[matrix(CELL, &[i32::MAX, i32::MAX], "layers", &layers().concat())]), "ends"),
        attack(
            "cells whose product wraps",
            file(&[matrix(CELL, &[i32::MAX; 8], "layers", &[])]),
            "beyond what any file",
        ),
        attack("a negative number of cells", file(&[matrix(CELL, &[-1, -1], "layers", &layers().concat())]), "ends"),
        attack("nine sides", file(&[matrix(CELL, &nine_sides, "layers", &[])]), "more than 8"),
        attack(
            "a cell that is text",
            file(&[matrix(CELL, &[1, 1], "layers", &element(UINT8, b"text"))]),
            "was expected",
        ),
        attack(
            "a cell longer than its array",
            patched(good(), 128 + 8 + 16 + 16 + 16 + 4, &[0xf0, 0xff, 0xff, 0x0f]),
            "longer than what it stands in",
        ),
        attack(
            "a short element of 5 bytes",
            file(&[element(MATRIX, &[6, 0, 5, 0, 1, 2, 3, 4, 5, 0, 0, 0])]),
            "short MATLAB element",
        ),
    ]
}

/// Cells in cells, built from the inside without copying more than is needed.
fn deep_cells(depth: usize) -> Vec<u8> {
    // Each level has 48 bytes of head before its one cell.
    let mut bytes = Vec::new();
    for level in (0..depth).rev() {
        let inside = (level * 48 + 40) as u32;
        bytes.extend(MATRIX.to_le_bytes());
        bytes.extend(inside.to_le_bytes());
        bytes.extend(element(UINT32, &[CELL.to_le_bytes(), [0; 4]].concat()));
        bytes.extend(element(INT32, &i32_bytes(&[1, 1])));
        bytes.extend(element(INT8, b""));
    }
    bytes
}

/// Structs and names.
fn structures() -> Vec<Attack> {
    let no_fields = |sides: &[i32]| {
        matrix(STRUCT, sides, "layers", &[element(INT32, &i32_bytes(&[16])), element(INT8, b"")].concat())
    };
    let fields_of = |name_len: i32, names: usize| {
        let names = element(INT8, &vec![b'a'; names]);
        file(&[matrix(STRUCT, &[1, 1], "layers", &[element(INT32, &i32_bytes(&[name_len])), names].concat())])
    };
    let mut twice = layers();
    twice[1] = twice[0].clone();
    vec![
        attack("2^62 structs without fields", file(&[no_fields(&[i32::MAX, i32::MAX])]), "no cell array"),
        attack("field names of no bytes", fields_of(0, 64), "no cell array"),
        attack("a million fields", fields_of(1, 1_000_000), "too many fields"),
        attack("a field name of 100,000 bytes", fields_of(100_000, 100_000), "too many fields, or too long"),
        attack("a negative field name", fields_of(-16, 64), "too long names"),
        attack(
            "layers that are text",
            file(&[matrix(CHAR, &[1, 2], "layers", &element(UINT8, b"hi"))]),
            "no cell array",
        ),
        attack("layers that are empty", file(&[matrix(CELL, &[0, 0], "layers", &[])]), "\"conv1_1\""),
        attack("layers that are texts", file(&[cells("layers", &[text("conv1_1"), text("conv1_2")])]), "\"conv1_1\""),
        attack("layers twice", file(&[cells("layers", &layers()), cells("layers", &layers())]), "twice"),
        attack("a layer twice", file(&[cells("layers", &twice)]), "two layers are called"),
        attack("a layer without a name", with_first(structure("", &[("weights", cells("", &[]))])), "\"conv1_1\""),
        attack(
            "a name that is a number",
            with_first(structure("", &[("name", numbers(&[1, 3], &[1.0; 3]))])),
            "\"conv1_1\"",
        ),
        attack("a layer without weights", with_first(structure("", &[("name", text("conv1_1"))])), "kernel"),
        attack(
            "weights of one cell",
            with_first(structure("", &[("weights", cells("", &[kernel_matrix(0)])), ("name", text("conv1_1"))])),
            "bias",
        ),
        attack(
            "a field twice",
            file(&[structure("net", &[("layers", cells("", &layers())), ("layers", cells("", &[]))])]),
            "twice",
        ),
    ]
}

/// Numbers that are no weights.
fn values() -> Vec<Attack> {
    let mut infinite = kernel(0);
    infinite[9] = f32::INFINITY;
    let doubles: Vec<u8> = [1e300_f64; 54].iter().flat_map(|value| value.to_le_bytes()).collect();
    let complex = matrix(CLASS_SINGLE | 0x800, &[3, 3, 3, 2], "", &element(SINGLE, &f32_bytes(&kernel(0))));
    let mean = |sides: &[i32], values: &[f32]| {
        let normalization = structure("", &[("averageImage", numbers(sides, values))]);
        file(&[cells("layers", &layers()), structure("meta", &[("normalization", normalization)])])
    };
    vec![
        attack(
            "a kernel shorter than its sides",
            with_kernel(kernel_of(&element(SINGLE, &[0; 100]))),
            "not as long as its dimensions",
        ),
        attack(
            "a kernel longer than its sides",
            with_kernel(kernel_of(&element(SINGLE, &[0; 4000]))),
            "not as long as its dimensions",
        ),
        attack("a kernel without numbers", with_kernel(kernel_of(&[])), "longer than what it stands in"),
        attack("a kernel of 64-bit numbers", with_kernel(kernel_of(&element(INT64, &[0; 54 * 8]))), "type 12"),
        attack("a kernel of matrices", with_kernel(kernel_of(&element(MATRIX, &[0; 54 * 8]))), "type 14"),
        attack("a complex kernel", with_kernel(complex), "complex"),
        attack(
            "a sparse kernel",
            with_kernel(matrix(SPARSE, &[3, 3, 3, 2], "", &element(INT32, &[0; 8]))),
            "where VGG-19 has",
        ),
        attack("a kernel with its axes exchanged", with_kernel(numbers(&[3, 3, 2, 3], &[1.0; 54])), "where VGG-19 has"),
        attack("a kernel of one side", with_kernel(numbers(&[54, 1], &[1.0; 54])), "where VGG-19 has"),
        attack(
            "a bias of another length",
            with_first(layer_of(0, kernel_matrix(0), numbers(&[1, 3], &[0.0; 3]))),
            "where VGG-19 has",
        ),
        attack("infinity in a kernel", with_kernel(numbers(&[3, 3, 3, 2], &infinite)), "not finite"),
        attack("doubles beyond f32", with_kernel(kernel_of(&element(DOUBLE, &doubles))), "not finite"),
        attack("a kernel of subnormals", with_kernel(numbers(&[3, 3, 3, 2], &[1e-40; 54])), "next to nothing"),
        attack(
            "not a number in a bias",
            with_first(layer_of(0, kernel_matrix(0), numbers(&[1, 2], &[f32::NAN, 0.0]))),
            "not finite",
        ),
        attack("a mean that is not a number", mean(&[1, 1, 3], &[f32::NAN, 1.0, 1.0]), "not finite"),
        attack("a mean of 1e9", mean(&[1, 1, 3], &[1e9, 1.0, 1.0]), "mean colour"),
        attack("a negative mean", mean(&[1, 1, 3], &[-1.0, 1.0, 1.0]), "mean colour"),
        attack("a mean of no pixels", mean(&[0, 0, 3], &[]), "averageImage"),
        attack(
            "a mean image shorter than its sides",
            mean(&[1024, 1024, 3], &[1.0; 3]),
            "not as long as its dimensions",
        ),
    ]
}

/// Streams that break off, lie or blow up.
fn compression() -> Vec<Attack> {
    let layers = cells("layers", &layers());
    let stream = packed(&layers);
    let bad_sum = patched(stream.clone(), stream.len() - 4, &[1, 2, 3, 4]);
    // A mean image of 3 MiB that packs to 3 KiB and takes 12 MiB as f32; twenty of them pass 64 MiB.
    let image = matrix(CLASS_SINGLE, &[1024, 1024, 3], "", &element(UINT8, &vec![7; 3 << 20]));
    let images = compressed(&packed(&cells("images", &vec![image; 20])));
    // A skipped array of 1.5 GiB, of which the file has next to nothing.
    let mut claim = matrix(CLASS_SINGLE, &[1, 1], "fc6", &[]);
    claim[4..8].copy_from_slice(&(3_u32 << 29).to_le_bytes());
    // Skipped arrays of 16 MiB each, of zeros: 1.25 GiB in all.
    let zeros = matrix(CLASS_SINGLE, &[1, 4 << 20], "fc7", &element(SINGLE, &vec![0; 16 << 20]));
    let zeros = compressed(&packed(&zeros));
    vec![
        attack("a stream that breaks off", file(&[compressed(&stream[..stream.len() / 2])]), "ends in the middle"),
        attack("a stream of nothing", file(&[compressed(&[])]), "ends in the middle"),
        attack("a stream of garbage", file(&[compressed(&[0x55; 64])]), "do not unpack"),
        attack("a stream with a wrong checksum", file(&[compressed(&bad_sum)]), "do not unpack"),
        attack(
            "a stream longer than its matrix",
            file(&[compressed(&packed(&[layers.clone(), vec![0; 1 << 20]].concat()))]),
            "unpacks to more",
        ),
        attack("a stream in a stream", file(&[compressed(&packed(&compressed(&stream)))]), "was expected"),
        attack("a claim of 1.5 GiB", file(&[compressed(&packed(&claim))]), "1 GiB"),
        attack("20 images of 12 MiB in 60 KiB", file(&[images]), "MiB of memory"),
        attack("zeros of 1.25 GiB in 1.3 MiB", file(&vec![zeros; 80]), "1 GiB"),
    ]
}
