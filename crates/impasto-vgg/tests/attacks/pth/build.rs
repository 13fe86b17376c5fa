//! PyTorch files made by hand: a pickle's instructions, tensors, storages, and the archives around them.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::{SMALL, f32_bytes, kernel};

/// One file of an archive, with what its two headers say.
#[derive(Clone)]
pub struct Entry {
    pub name: Vec<u8>,
    /// The name in its own header.
    pub own_name: Vec<u8>,
    /// What stands in the file.
    pub packed: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub checksum: u32,
    /// What the directory says, and what its own header says.
    pub len: u32,
    pub own_len: u32,
}

pub fn entry(name: &str, data: &[u8]) -> Entry {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    let len = data.len() as u32;
    Entry {
        name: name.into(),
        own_name: name.into(),
        packed: data.to_vec(),
        flags: 0,
        method: 0,
        checksum: crc.sum(),
        len,
        own_len: len,
    }
}

/// An entry whose contents are deflated.
pub fn deflated(name: &str, data: &[u8]) -> Entry {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory");
    Entry { packed: encoder.finish().expect("memory"), method: 8, ..entry(name, data) }
}

/// An archive, and where its directory and end record stand.
pub struct Archive {
    pub bytes: Vec<u8>,
    pub directory: usize,
    pub end: usize,
}

pub fn archive(entries: &[Entry]) -> Archive {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = bytes.len() as u32;
        let middle = |len: u32| {
            let numbers = [entry.checksum, entry.packed.len() as u32, len];
            let halves = [entry.flags, entry.method, 0, 0].map(u16::to_le_bytes).concat();
            [halves, numbers.map(u32::to_le_bytes).concat()].concat()
        };
        bytes.extend(b"PK\x03\x04\x14\x00");
        bytes.extend(middle(entry.own_len));
        bytes.extend((entry.own_name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(&entry.own_name);
        bytes.extend(&entry.packed);
        directory.extend(b"PK\x01\x02\x14\x00\x14\x00");
        directory.extend(middle(entry.len));
        directory.extend((entry.name.len() as u16).to_le_bytes());
        directory.extend([0; 12]);
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = bytes.len();
    bytes.extend(&directory);
    let end = bytes.len();
    let count = (entries.len() as u16).to_le_bytes();
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend((start as u32).to_le_bytes());
    bytes.extend([0, 0]);
    Archive { bytes, directory: start, end }
}

// The few pickle instructions that a state dict is made of.

pub fn text(value: &str) -> Vec<u8> {
    [b"X".as_slice(), &(value.len() as u32).to_le_bytes(), value.as_bytes()].concat()
}

pub fn whole(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn wholes(values: &[i64]) -> Vec<u8> {
    tuple(&values.iter().map(|&value| whole(value)).collect::<Vec<_>>())
}

/// A tensor as `torch.save` pickles it.
#[derive(Clone)]
pub struct Tensor {
    pub class: &'static str,
    pub key: String,
    pub storage_len: i64,
    pub offset: i64,
    pub size: Vec<i64>,
    pub stride: Vec<i64>,
}

impl Tensor {
    pub fn pickled(&self) -> Vec<u8> {
        let storage =
            [text("storage"), global("torch", self.class), text(&self.key), text("cpu"), whole(self.storage_len)];
        let storage = [tuple(&storage), b"Q".to_vec()].concat();
        let hooks = [global("collections", "OrderedDict"), b")R".to_vec()].concat();
        let arguments =
            [storage, whole(self.offset), wholes(&self.size), wholes(&self.stride), b"\x89".to_vec(), hooks];
        [global("torch._utils", "_rebuild_tensor_v2"), tuple(&arguments), b"R".to_vec()].concat()
    }
}

/// The small network as names and tensors; storage KEY has the values of tensor KEY.
pub fn tensors() -> Vec<(String, Tensor)> {
    let mut tensors = Vec::new();
    for shape in SMALL {
        let (inputs, outputs) = (shape.inputs as i64, shape.outputs as i64);
        let mut add = |part: &str, size: Vec<i64>, stride: Vec<i64>| {
            let (key, storage_len) = (tensors.len().to_string(), size.iter().product());
            let tensor = Tensor { class: "FloatStorage", key, storage_len, offset: 0, size, stride };
            tensors.push((format!("{}.{part}", shape.name()), tensor));
        };
        add("weight", vec![outputs, inputs, 3, 3], vec![inputs * 9, 9, 3, 1]);
        add("bias", vec![outputs], vec![1]);
    }
    tensors
}

pub fn storages() -> Vec<Vec<u8>> {
    let of_layer = |layer: usize| [f32_bytes(&kernel(layer)), f32_bytes(&vec![0.5; SMALL[layer].outputs])];
    (0..3).flat_map(of_layer).collect()
}

/// `{name: tensor, ...}`
pub fn dictionary(items: &[(String, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(name, value)| [text(name), value.clone()].concat()).collect();
    [b"}(".to_vec(), items, b"u".to_vec()].concat()
}

pub fn program(body: &[u8]) -> Vec<u8> {
    [b"\x80\x02", body, b"."].concat()
}

pub fn state_dict(tensors: &[(String, Tensor)]) -> Vec<u8> {
    let items: Vec<_> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.pickled())).collect();
    program(&dictionary(&items))
}

pub fn entries(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<Entry> {
    let mut entries = vec![entry("net/data.pkl", pickle)];
    entries.extend(storages.iter().enumerate().map(|(key, data)| entry(&format!("net/data/{key}"), data)));
    entries
}

pub fn good() -> Archive {
    archive(&entries(&state_dict(&tensors()), &storages()))
}

/// The good archive with another pickle.
pub fn with_pickle(pickle: Vec<u8>) -> Vec<u8> {
    archive(&entries(&pickle, &storages())).bytes
}

/// The good archive with its first kernel bent.
pub fn with_first(bend: impl FnOnce(&mut Tensor)) -> Vec<u8> {
    let mut tensors = tensors();
    bend(&mut tensors[0].1);
    with_pickle(state_dict(&tensors))
}

/// The good archive with its entries bent.
pub fn with_entries(bend: impl FnOnce(&mut Vec<Entry>)) -> Vec<u8> {
    let mut entries = entries(&state_dict(&tensors()), &storages());
    bend(&mut entries);
    archive(&entries).bytes
}

/// The good archive with its end record's bytes from `at` on replaced.
pub fn with_end(at: usize, patch: &[u8]) -> Vec<u8> {
    let Archive { mut bytes, end, .. } = good();
    bytes[end + at..end + at + patch.len()].copy_from_slice(patch);
    bytes
}

/// A file of the older format.
pub fn legacy(magic: &[u8], dictionary: &[u8], keys: &[u8], lengths: [u64; 6]) -> Vec<u8> {
    let machine = program(&self::dictionary(&[("little_endian".to_owned(), b"\x88".to_vec())]));
    let mut bytes = [magic, &program(b"M\xe9\x03"), &machine, dictionary, keys].concat();
    for (storage, len) in storages().iter().zip(lengths) {
        bytes.extend(len.to_le_bytes());
        bytes.extend(storage);
    }
    bytes
}

pub const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Lengths of the small network's storages in elements.
pub const LENGTHS: [u64; 6] = [54, 2, 54, 3, 54, 2];

pub fn keys() -> Vec<u8> {
    let keys: Vec<u8> = (0..6).flat_map(|key| text(&key.to_string())).collect();
    program(&[b"](".to_vec(), keys, b"e".to_vec()].concat())
}
