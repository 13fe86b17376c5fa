//! Hostile safetensors files.

use crate::{Attack, SMALL, attack, f32_bytes, kernel, withstand_all};

/// A tensor of the header, with its bytes.
#[derive(Clone)]
struct Tensor {
    name: String,
    dtype: &'static str,
    shape: String,
    bytes: Vec<u8>,
}

/// The small network in impasto's names.
fn tensors() -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for (layer, shape) in SMALL.iter().enumerate() {
        let (name, inputs, outputs) = (shape.name(), shape.inputs, shape.outputs);
        let tensor = |part: &str, shape: String, values: &[f32]| Tensor {
            name: format!("{name}.{part}"),
            dtype: "F32",
            shape,
            bytes: f32_bytes(values),
        };
        tensors.push(tensor("weight", format!("[{outputs},{inputs},3,3]"), &kernel(layer)));
        tensors.push(tensor("bias", format!("[{outputs}]"), &vec![0.5; outputs]));
    }
    tensors
}

fn header(tensors: &[Tensor]) -> String {
    let mut at = 0;
    let entries: Vec<String> = tensors
        .iter()
        .map(|Tensor { name, dtype, shape, bytes }| {
            let from = at;
            at += bytes.len();
            format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{at}]}}"#)
        })
        .collect();
    format!("{{{}}}", entries.join(","))
}

pub fn file_of(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

fn file(tensors: &[Tensor]) -> Vec<u8> {
    let data: Vec<u8> = tensors.iter().flat_map(|tensor| tensor.bytes.clone()).collect();
    file_of(header(tensors).as_bytes(), &data)
}

/// The good file with its tensors bent.
fn bent(bend: impl FnOnce(&mut Vec<Tensor>)) -> Vec<u8> {
    let mut tensors = tensors();
    bend(&mut tensors);
    file(&tensors)
}

/// The good file with its header's text bent; the data stay.
fn rewritten(from: &str, to: &str) -> Vec<u8> {
    let tensors = tensors();
    let header = header(&tensors);
    assert!(header.contains(from), "{from} stands in the header");
    let data: Vec<u8> = tensors.iter().flat_map(|tensor| tensor.bytes.clone()).collect();
    file_of(header.replacen(from, to, 1).as_bytes(), &data)
}

/// The first layer as a codebook.
fn with_codebook(bend: impl FnOnce(&mut Tensor, &mut Tensor)) -> Vec<u8> {
    bent(|tensors| {
        let mut index =
            Tensor { name: "conv1_1.weight_index".into(), dtype: "U8", bytes: vec![7; 54], ..tensors[0].clone() };
        let mut codebook = Tensor {
            name: "conv1_1.codebook".into(),
            dtype: "F32",
            shape: "[256]".into(),
            bytes: f32_bytes(&[0.25; 256]),
        };
        bend(&mut index, &mut codebook);
        tensors.splice(0..1, [index, codebook]);
    })
}

fn set(tensor: &mut Tensor, place: usize, value: f32) {
    tensor.bytes[4 * place..4 * place + 4].copy_from_slice(&value.to_le_bytes());
}

fn with_length(len: u64) -> Vec<u8> {
    let mut bytes = file(&tensors());
    bytes[..8].copy_from_slice(&len.to_le_bytes());
    bytes
}

#[test]
fn hostile_files_end_in_a_sentence() {
    assert!(crate::read(&file(&tensors())).is_ok(), "the unbent file is good");
    assert!(crate::read(&with_codebook(|_, _| {})).is_ok(), "so is the one with a codebook");
    let mut attacks = headers();
    attacks.extend(contents());
    withstand_all(attacks, 50);
}

/// Headers that lie or are none.
fn headers() -> Vec<Attack> {
    let data = [0; 128];
    vec![
        attack("a header of 2^63 bytes", with_length(1 << 63), "no weights file"),
        attack("a header of all ones", with_length(u64::MAX), "no weights file"),
        attack("a header as long as the file", with_length(file(&tensors()).len() as u64), "ends before"),
        attack("a header of 4 GiB", with_length(u32::MAX.into()), "longer than 1 MiB"),
        attack(
            "a header of just over 1 MiB",
            file_of(&[b"{".as_slice(), &[b' '; 1 << 20]].concat(), &data),
            "longer than 1 MiB",
        ),
        attack("a header of no bytes", with_length(0), "header is wrong"),
        attack("a header of one byte", with_length(1), "header is wrong"),
        attack("a header that is cut off", with_length(100), "header is wrong"),
        attack("a header that takes in data", with_length(header(&tensors()).len() as u64 + 4), "header is wrong"),
        attack("no JSON", file_of(b"{hello}", &data), "header is wrong"),
        attack("no UTF-8", file_of(b"{\"\xff\xfe\":1}", &data), "header is wrong"),
        attack(
            "10,000 open brackets",
            file_of(&[b"{\"a\":".as_slice(), &[b'['; 10_000]].concat(), &data),
            "header is wrong",
        ),
        attack("10,000 open braces", file_of("{\"a\":".repeat(10_000).as_bytes(), &data), "header is wrong"),
        attack("no tensor at all", file_of(b"{}", &[]), "no weights file"),
        attack("no tensor, but data", file_of(b"{}", &data), "another length"),
        attack("metadata that is a list", rewritten("{", "{\"__metadata__\":[1,2],"), "header is wrong"),
        attack("metadata of numbers", rewritten("{", "{\"__metadata__\":{\"a\":1},"), "header is wrong"),
        attack("an unknown type", rewritten("F32", "F33"), "header is wrong"),
        attack("a type that is a number", rewritten("\"F32\"", "32"), "header is wrong"),
        attack("a negative side", rewritten("[2,3,3,3]", "[-2,3,3,3]"), "header is wrong"),
        attack("a side of 1.5", rewritten("[2,3,3,3]", "[1.5,3,3,3]"), "header is wrong"),
        attack("a side of 2^64", rewritten("[2,3,3,3]", "[18446744073709551616,3,3,3]"), "header is wrong"),
        attack("sides whose product wraps to 0", rewritten("[2,3,3,3]", "[4294967296,4294967296]"), "header is wrong"),
        attack("sides whose bytes wrap", rewritten("[2,3,3,3]", "[4611686018427387904,1]"), "header is wrong"),
        attack("a shape bomb", rewritten("[2,3,3,3]", "[1000000000,1000000000]"), "header is wrong"),
        attack("100,000 sides", rewritten("[2,3,3,3]", &format!("[{}1]", "1,".repeat(100_000))), "header is wrong"),
        attack("offsets the wrong way round", rewritten("[0,216]", "[216,0]"), "header is wrong"),
        attack("tensors that overlap", rewritten("[216,224]", "[208,216]"), "header is wrong"),
        attack("a hole between tensors", rewritten("[216,224]", "[220,228]"), "header is wrong"),
        attack("offsets beyond the file", rewritten("[0,216]", "[0,9223372036854775807]"), "header is wrong"),
        attack("three offsets", rewritten("[0,216]", "[0,216,216]"), "header is wrong"),
        attack("a tensor that is null", rewritten("{\"dtype\"", "null,\"x\":{\"dtype\""), "header is wrong"),
        attack(
            "half a byte a value",
            rewritten("\"F32\",\"shape\":[2,3,3,3]", "\"F4\",\"shape\":[3]"),
            "header is wrong",
        ),
    ]
}

/// Files whose header is in order and whose contents are not VGG-19.
fn contents() -> Vec<Attack> {
    let subnormal = f32::from_bits(1);
    vec![
        attack("data cut off", file(&tensors())[..1000].to_vec(), "another length"),
        attack("a second file behind it", [file(&tensors()), b"PK\x05\x06 a zip".to_vec()].concat(), "another length"),
        attack("a missing kernel", bent(|t| drop(t.remove(2))), "conv1_2.weight"),
        attack("a missing bias", bent(|t| drop(t.remove(5))), "conv2_1.bias"),
        attack("a name with a line feed", bent(|t| t[0].name = "conv1_1\\nweight".into()), "conv1_1.weight"),
        attack("a kernel with its axes exchanged", bent(|t| t[0].shape = "[3,2,3,3]".into()), "where VGG-19 has"),
        attack("a kernel of one side", bent(|t| t[0].shape = "[54]".into()), "where VGG-19 has"),
        attack("a bias of two sides", bent(|t| t[1].shape = "[1,2]".into()), "where VGG-19 has"),
        attack(
            "a kernel of no values",
            bent(|t| (t[0].shape, t[0].bytes) = ("[0,3,3,3]".into(), vec![])),
            "where VGG-19 has",
        ),
        attack("a kernel of whole numbers", bent(|t| t[0].dtype = "I32"), "I32 values"),
        attack("not a number in a kernel", bent(|t| set(&mut t[2], 5, f32::NAN)), "not finite"),
        attack("infinity in a kernel", bent(|t| set(&mut t[0], 53, f32::INFINITY)), "not finite"),
        attack("minus infinity in a bias", bent(|t| set(&mut t[3], 0, f32::NEG_INFINITY)), "not finite"),
        attack("a kernel of subnormals", bent(|t| t[0].bytes = f32_bytes(&[subnormal; 54])), "next to nothing"),
        attack(
            "infinity in half precision",
            bent(|t| (t[1].dtype, t[1].bytes) = ("F16", vec![0, 0x7c, 0, 0])),
            "not finite",
        ),
        attack(
            "infinity in bfloat16",
            bent(|t| (t[1].dtype, t[1].bytes) = ("BF16", vec![0x80, 0x7f, 0, 0])),
            "not finite",
        ),
        attack(
            "a double beyond f32",
            bent(|t| (t[1].dtype, t[1].bytes) = ("F64", [1e300_f64.to_le_bytes(); 2].concat())),
            "not finite",
        ),
        attack("not a number in a codebook", with_codebook(|_, codebook| set(codebook, 3, f32::NAN)), "not finite"),
        attack(
            "a codebook of 255 values",
            with_codebook(|_, c| (c.shape, c.bytes) = ("[255]".into(), vec![0; 1020])),
            "where VGG-19 has",
        ),
        attack("an index of signed bytes", with_codebook(|index, _| index.dtype = "I8"), "where VGG-19 has"),
        attack(
            "an index of another shape",
            with_codebook(|index, _| index.shape = "[3,2,3,3]".into()),
            "where VGG-19 has",
        ),
        attack(
            "an index without a codebook",
            with_codebook(|_, codebook| codebook.name = "conv1_1.code".into()),
            "conv1_1.codebook",
        ),
        attack(
            "2,000 tensors of nothing",
            bent(|t| {
                t.extend((0..2000).map(|n| Tensor {
                    name: format!("t{n}"),
                    dtype: "F32",
                    shape: "[0]".into(),
                    bytes: vec![],
                }))
            }),
            "1,000 tensors",
        ),
        attack("a name of 100,000 letters", bent(|t| t[0].name = "a".repeat(100_000)), "conv1_1.weight"),
    ]
}
