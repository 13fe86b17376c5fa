//! Hostile HDF5 files: those of h5py, bent at one place each. Places are found by their signatures and messages, so the
//! attacks stay where they belong when the files are made again.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use impasto_vgg::formats::read_network;

use crate::{Attack, SMALL, attack, withstand_all};

fn library_file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/weights").join(name)).expect(name)
}

/// A file and a place in it.
struct At {
    bytes: Vec<u8>,
    place: usize,
}

/// The `nth` place of `pattern` in the file called `name`.
fn find(name: &str, pattern: &[u8], nth: usize) -> At {
    let bytes = library_file(name);
    let mut places = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(pattern));
    let place = places.nth(nth).unwrap_or_else(|| panic!("{name} has {pattern:02x?}"));
    At { bytes, place }
}

impl At {
    /// The file with `patch` at `offset` from the place.
    fn patched(mut self, offset: usize, patch: &[u8]) -> Vec<u8> {
        let at = self.place + offset;
        self.bytes[at..at + patch.len()].copy_from_slice(patch);
        self.bytes
    }

    fn number(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.bytes[self.place + offset..][..8].try_into().expect("8 bytes"))
    }
}

/// The file of contiguous tensors in old groups, patched behind the `nth` place of `pattern`.
fn old(pattern: &[u8], nth: usize, offset: usize, patch: &[u8]) -> Vec<u8> {
    find("contiguous.h5", pattern, nth).patched(offset, patch)
}

/// The file of chunks under a B-tree, likewise.
fn chunked(pattern: &[u8], nth: usize, offset: usize, patch: &[u8]) -> Vec<u8> {
    find("chunked_gzip.h5", pattern, nth).patched(offset, patch)
}

/// The file of the newest forms with 63 links, likewise.
fn linked(pattern: &[u8], nth: usize, offset: usize, patch: &[u8]) -> Vec<u8> {
    find("latest_many_links.h5", pattern, nth).patched(offset, patch)
}

/// The file of the newest forms with tables of chunks, likewise.
fn tabled(pattern: &[u8], nth: usize, offset: usize, patch: &[u8]) -> Vec<u8> {
    find("latest_gzip.h5", pattern, nth).patched(offset, patch)
}

const SUPERBLOCK: &[u8] = b"\x89HDF";
const NOWHERE: &[u8] = &[0xff; 8];
const FAR: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0x10];

/// Bodies of messages of the first kernel, `[3, 3, 3, 2]` in f32.
const SHAPE: &[u8] = &[1, 4, 1, 0, 0, 0, 0, 0, 3, 0];
const FLOAT: &[u8] = &[0x11, 0x20, 0x1f, 0, 4, 0, 0, 0, 0, 0, 32, 0];
const CONTIGUOUS: &[u8] = &[3, 1];
const CHUNKED: &[u8] = &[3, 2, 5];
const FILTERS: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 0];

#[test]
fn hostile_files_end_in_a_sentence() {
    let mut attacks = superblocks();
    attacks.extend(groups());
    attacks.extend(objects());
    attacks.extend(datasets());
    attacks.extend(chunks());
    attacks.extend(new_groups());
    attacks.extend(new_chunks());
    withstand_all(attacks, 100);
}

/// A file may hold more than weights, and in ways that are not read: it matters only where it is asked for.
#[test]
fn what_nobody_asks_for_may_be_unreadable() {
    // The third convolution's kernel, in a file that is read for its first two, and for all three.
    let files = [
        attack("a shape of another version", old(SHAPE, 2, 0, &[9]), "unknown version"),
        attack("255 sides", old(SHAPE, 2, 1, &[255]), "more than 8 sides"),
        attack("a layout of another version", old(CONTIGUOUS, 4, 0, &[77]), "version 77"),
        attack("a layout of another class", old(CONTIGUOUS, 4, 1, &[9]), "made of others"),
        attack("an unknown filter", chunked(FILTERS, 4, 8, &[0x00, 0x7d]), "filter 32000"),
        attack("255 filters", chunked(FILTERS, 4, 1, &[255]), "more than 32 filters"),
        attack("chunks of fewer sides", chunked(CHUNKED, 2, 2, &[4]), "other sides"),
    ];
    for Attack { name, bytes, .. } in &files {
        let two = read_network(&mut Cursor::new(bytes), &SMALL[..2]);
        assert_eq!(two.map(|file| file.convolutions.len()), Ok(2), "{name}");
    }
    withstand_all(files.into(), 7);
}

fn superblocks() -> Vec<Attack> {
    let good = library_file("contiguous.h5");
    // The root's symbol table entry: its name's offset, then its object's address.
    let root = |address: u64| old(SUPERBLOCK, 0, 64, &address.to_le_bytes());
    vec![
        attack("the signature alone", good[..8].to_vec(), "no weights file"),
        attack("a broken signature", old(SUPERBLOCK, 0, 6, b"\0"), "no weights file"),
        attack("a version of the future", old(SUPERBLOCK, 0, 8, &[9]), "version 9 of HDF5"),
        attack("addresses of 4 bytes", old(SUPERBLOCK, 0, 13, &[4]), "addresses"),
        attack("addresses of 255 bytes", old(SUPERBLOCK, 0, 13, &[255]), "addresses"),
        attack("lengths of 2 bytes", old(SUPERBLOCK, 0, 14, &[2]), "addresses"),
        attack("a base in the middle", old(SUPERBLOCK, 0, 24, &[1]), "addresses"),
        attack("a root beyond the file", root(1 << 40), "ends before"),
        attack("a root nowhere", root(u64::MAX), "beyond what any file"),
        attack("a root that is the superblock", root(0), "no header"),
        attack("a root that is a tree", root(find("contiguous.h5", b"TREE", 0).place as u64), "no header"),
        attack("a file cut behind its superblock", good[..200].to_vec(), "ends"),
    ]
}

fn groups() -> Vec<Attack> {
    let tree = find("contiguous.h5", b"TREE", 0);
    let itself = (tree.place as u64).to_le_bytes();
    // A tree of level 1 whose child is itself; and one whose 4,000 children all are.
    let circle = {
        let bytes = tree.patched(5, &[1]);
        At { bytes, place: find("contiguous.h5", b"TREE", 0).place }.patched(32, &itself)
    };
    let symbols = find("contiguous.h5", b"SNOD", 0);
    let root = find("contiguous.h5", SUPERBLOCK, 0).number(64).to_le_bytes();
    let back = symbols.patched(16, &root);
    vec![
        attack("a tree that is none", old(b"TREE", 0, 0, b"TREX"), "no \"TREE"),
        attack("a tree of chunks for a group", old(b"TREE", 0, 4, &[1]), "no \"TREE"),
        attack("a tree of level 200", old(b"TREE", 0, 5, &[200]), "levels do not fall"),
        attack("a tree of level 1 above symbols", old(b"TREE", 0, 5, &[1]), "no \"TREE"),
        attack("a tree of 65,535 children", old(b"TREE", 0, 6, &[0xff, 0xff]), "ends before"),
        attack("a tree of more children than the file has", old(b"TREE", 0, 6, &[0x00, 0x10]), "ends before"),
        attack("a tree that holds itself", circle, "levels do not fall"),
        attack("a child nowhere", old(b"TREE", 0, 32, NOWHERE), "beyond what any file"),
        attack("a child beyond the file", old(b"TREE", 0, 32, FAR), "ends before"),
        attack("symbols that are none", old(b"SNOD", 0, 0, b"SNOX"), "no \"SNOD"),
        attack("65,535 symbols", old(b"SNOD", 0, 6, &[0xff, 0xff]), "longer than 1 MiB"),
        attack("more symbols than the file has", old(b"SNOD", 0, 6, &[0x00, 0x10]), "ends before"),
        attack("a name beyond its heap", old(b"SNOD", 0, 8, &[0xff, 0xff]), "a name in an HDF5 group"),
        attack("a name at 2^64 - 1", old(b"SNOD", 0, 8, NOWHERE), "a name in an HDF5 group"),
        attack("a group that holds its root", back, "\"block1_conv1\""),
        attack("a symbol nowhere", old(b"SNOD", 0, 16, NOWHERE), "beyond what any file"),
        attack("a heap that is none", old(b"HEAP", 0, 0, b"HEAX"), "no \"HEAP"),
        attack("a heap of 2^60 bytes", old(b"HEAP", 0, 8, FAR), "longer than 1 MiB"),
        attack("a heap of no bytes", old(b"HEAP", 0, 8, &[0; 8]), "a name in an HDF5 group"),
        attack("a heap beyond the file", old(b"HEAP", 0, 24, FAR), "ends before"),
        attack(
            "a name that does not end",
            {
                let heap = find("contiguous.h5", b"HEAP", 0);
                let data = heap.number(24) as usize;
                let len = heap.number(8) as usize;
                At { bytes: heap.bytes, place: data }.patched(0, &vec![b'a'; len])
            },
            "a name in an HDF5 group",
        ),
        attack("a name that is no text", old(b"block1_conv1\0", 0, 0, &[0xff, 0xfe]), "a name in an HDF5 group"),
        attack("a layer under another name", renamed(b"block1_conv1", b"block9_conv1"), "\"block1_conv1\""),
    ]
}

/// The old file with every `from` replaced by `to`, which is as long.
fn renamed(from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = library_file("contiguous.h5");
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

/// Object headers.
fn objects() -> Vec<Attack> {
    let root = find("contiguous.h5", SUPERBLOCK, 0).number(64) as usize;
    let header =
        |offset: usize, patch: &[u8]| At { bytes: library_file("contiguous.h5"), place: root }.patched(offset, patch);
    // The root's first message says where its header goes on: address and length.
    let goes_on = |address: u64, len: u64| header(24, &[address.to_le_bytes(), len.to_le_bytes()].concat());
    vec![
        attack("a header of another version", header(0, &[7]), "no header"),
        attack("a header of 4 GiB", header(8, &[0xff; 4]), "longer than 1 MiB"),
        attack("a header of 64 KiB", header(8, &[0, 0, 1, 0]), "ends before"),
        attack("a header of no bytes", header(8, &[0; 4]), "\"block1_conv1\""),
        attack("a message longer than its header", header(18, &[0xf0, 0xff]), "middle of its table"),
        attack("a header that goes on in itself", goes_on(root as u64 + 16, 24), "more than 32 times"),
        attack("a header that goes on nowhere", goes_on(u64::MAX, 16), "beyond what any file"),
        attack("a header that goes on for 2^60 bytes", goes_on(root as u64, 1 << 60), "longer than 1 MiB"),
        attack("a shared message", old(SHAPE, 0, 0, &[]).tap(|bytes, at| bytes[at - 4] = 2, SHAPE), "shared"),
    ]
}

/// Lets a closure change a file at the first place of a pattern.
trait Tap {
    fn tap(self, change: impl FnOnce(&mut Vec<u8>, usize), pattern: &[u8]) -> Self;
}

impl Tap for Vec<u8> {
    fn tap(mut self, change: impl FnOnce(&mut Vec<u8>, usize), pattern: &[u8]) -> Self {
        let at = (0..self.len()).find(|&at| self[at..].starts_with(pattern)).expect("the pattern");
        change(&mut self, at);
        self
    }
}

fn datasets() -> Vec<Attack> {
    let kernel = find("contiguous.h5", CONTIGUOUS, 0).number(2) as usize;
    let value = |bits: [u8; 4]| At { bytes: library_file("contiguous.h5"), place: kernel }.patched(8, &bits);
    vec![
        attack("a shape of another version", old(SHAPE, 0, 0, &[9]), "unknown version"),
        attack("255 sides", old(SHAPE, 0, 1, &[255]), "more than 8 sides"),
        attack("no side", old(SHAPE, 0, 1, &[0]), "\"block1_conv1\""),
        attack("a side of 2^63", old(SHAPE, 0, 15, &[0x80]), "where VGG-19 has"),
        attack("sides whose product wraps", old(SHAPE, 0, 8, &[0xff; 32]), "where VGG-19 has"),
        attack("a kernel with its axes exchanged", old(SHAPE, 0, 24, &[2, 0, 0, 0, 0, 0, 0, 0, 3]), "where VGG-19 has"),
        attack("whole numbers", old(FLOAT, 0, 0, &[0x10]), "other numbers than floating-point"),
        attack("an unknown class", old(FLOAT, 0, 0, &[0x1f]), "other numbers than floating-point"),
        attack("numbers of 3 bytes", old(FLOAT, 0, 4, &[3]), "other numbers than floating-point"),
        attack("numbers of 4 GiB", old(FLOAT, 0, 4, &[0xff; 4]), "other numbers than floating-point"),
        attack("a mantissa somewhere else", old(FLOAT, 0, 14, &[3]), "other numbers than floating-point"),
        attack("another bias", old(FLOAT, 0, 16, &[3]), "other numbers than floating-point"),
        attack("a layout of another version", old(CONTIGUOUS, 0, 0, &[77]), "version 77"),
        attack("a layout of another class", old(CONTIGUOUS, 0, 1, &[9]), "made of others"),
        attack("numbers nowhere", old(CONTIGUOUS, 0, 2, NOWHERE), "not as long as its shape"),
        attack("numbers beyond the file", old(CONTIGUOUS, 0, 2, FAR), "ends before"),
        attack("numbers that are cut off", old(CONTIGUOUS, 0, 2, &[0xc0, 0x3b, 0, 0, 0, 0, 0, 0]), "ends before"),
        attack("more numbers than the shape has", old(CONTIGUOUS, 0, 10, FAR), "not as long as its shape"),
        attack("fewer numbers than the shape has", old(CONTIGUOUS, 0, 10, &[8]), "not as long as its shape"),
        attack("compact numbers that are not there", old(CONTIGUOUS, 0, 1, &[0, 0xd8, 0]), "middle of its table"),
        attack("not a number", value([0, 0, 0xc0, 0x7f]), "not finite"),
        attack("minus infinity", value([0, 0, 0x80, 0xff]), "not finite"),
        attack(
            "subnormals",
            {
                let zeros = [1, 0, 0, 0].repeat(54);
                At { bytes: library_file("contiguous.h5"), place: kernel }.patched(0, &zeros)
            },
            "next to nothing",
        ),
    ]
}

/// Chunks under a B-tree of version 1.
fn chunks() -> Vec<Attack> {
    let tree = find("chunked_gzip.h5", CHUNKED, 0).number(3) as usize;
    // The tree's first key: length, filters left out, corner of 4 and a zero; then the address. Keys are 48 bytes.
    let key = |offset: usize, patch: &[u8]| {
        At { bytes: library_file("chunked_gzip.h5"), place: tree + 24 }.patched(offset, patch)
    };
    let first = At { bytes: library_file("chunked_gzip.h5"), place: tree + 24 };
    let data = first.number(48) as usize;
    let corner = first.bytes[tree + 24 + 8..tree + 24 + 40].to_vec();
    let packed = |patch: &[u8]| At { bytes: library_file("chunked_gzip.h5"), place: data }.patched(0, patch);
    let itself = {
        let bytes = At { bytes: library_file("chunked_gzip.h5"), place: tree }.patched(5, &[1]);
        At { bytes, place: tree }.patched(24 + 48, &(tree as u64).to_le_bytes())
    };
    vec![
        attack("chunks of fewer sides", chunked(CHUNKED, 0, 2, &[4]), "other sides"),
        attack("chunks of 255 sides", chunked(CHUNKED, 0, 2, &[255]), "other sides"),
        attack("chunks of no width", chunked(CHUNKED, 0, 11, &[0]), "other sides"),
        attack("chunks of 2^32 - 1", chunked(CHUNKED, 0, 11, &[0xff; 16]), "beyond what any file"),
        attack("chunks of 16 GiB", chunked(CHUNKED, 0, 11, &[0, 0, 0, 0x10]), "more chunks than fit"),
        attack("an index nowhere", chunked(CHUNKED, 0, 3, NOWHERE), "beyond what any file"),
        attack("an index that is a superblock", chunked(CHUNKED, 0, 3, &[0; 8]), "no \"TREE"),
        attack("an index that holds itself", itself, "levels do not fall"),
        attack(
            "an index of level 255",
            At { bytes: library_file("chunked_gzip.h5"), place: tree }.patched(5, &[255]),
            "levels do not fall",
        ),
        attack(
            "an index of no chunks",
            At { bytes: library_file("chunked_gzip.h5"), place: tree }.patched(6, &[0, 0]),
            "not each of its chunks",
        ),
        attack(
            "more chunks than fit",
            At { bytes: library_file("chunked_gzip.h5"), place: tree }.patched(6, &[20, 0]),
            "more chunks than fit",
        ),
        attack("a chunk off the grid", key(8, &[1]), "not each of its chunks"),
        attack("a chunk beyond its dataset", key(8, &[4]), "not each of its chunks"),
        attack("a chunk at 2^64 - 1", key(8, NOWHERE), "not each of its chunks"),
        attack("a chunk twice", key(56 + 8, &corner), "not each of its chunks"),
        attack("a chunk of 4 GiB", key(0, &[0xff; 4]), "ends before"),
        attack("a chunk of one byte", key(0, &[1, 0, 0, 0]), "ends in the middle"),
        attack("a chunk nowhere", key(48, NOWHERE), "beyond what any file"),
        attack("a chunk that left its filters out", key(4, &[0xff]), "middle of a tensor"),
        attack("a chunk of garbage", packed(&[0x55; 8]), "do not unpack"),
        attack("an unknown filter", chunked(FILTERS, 0, 8, &[0x00, 0x7d]), "filter 32000"),
        attack("255 filters", chunked(FILTERS, 0, 1, &[255]), "more than 32 filters"),
        attack("filters of 16,000 numbers", chunked(FILTERS, 0, 14, &[0x80, 0x3e]), "middle of its table"),
        attack("a shuffle of no bytes", chunked(FILTERS, 0, 24, &[0; 4]), "whole elements"),
        attack("a shuffle of 4 GiB", chunked(FILTERS, 0, 24, &[0xff; 4]), "whole elements"),
    ]
}

/// Link messages, fractal heaps and B-trees of version 2.
fn new_groups() -> Vec<Attack> {
    vec![
        attack("a header that is none", linked(b"OHDR", 0, 0, b"OHDX"), "no header"),
        attack("a header of version 3", linked(b"OHDR", 0, 4, &[3]), "no header"),
        attack(
            "a link of another version",
            find("latest.h5", b"\x01\x00\x0cblock1_conv1", 0).patched(0, &[9]),
            "unknown version",
        ),
        attack(
            "a link longer than its message",
            find("latest.h5", b"\x01\x00\x0cblock1_conv1", 0).patched(2, &[250]),
            "middle of its table",
        ),
        attack(
            "a link to the root",
            {
                let link = find("latest.h5", b"\x01\x00\x0cblock1_conv1", 0);
                link.patched(15, &[48, 0, 0, 0, 0, 0, 0, 0])
            },
            "\"block1_conv1\"",
        ),
        attack("a heap that is none", linked(b"FRHP", 0, 0, b"FRHX"), "no \"FRHP"),
        attack("a heap with filters", linked(b"FRHP", 0, 7, &[1]), "unusual heap"),
        attack("a heap of 65,535 columns", linked(b"FRHP", 0, 110, &[0xff, 0xff]), "unusual heap"),
        attack("a heap of 65,535 rows", linked(b"FRHP", 0, 140, &[0xff, 0xff]), "unusual heap"),
        attack("a heap whose root is nowhere", linked(b"FRHP", 0, 132, NOWHERE), "beyond what any file"),
        attack(
            "a heap of blocks of 2^63",
            linked(b"FRHP", 0, 112, &[0, 0, 0, 0, 0, 0, 0, 0x80]),
            "beyond what any file",
        ),
        attack("a heap of blocks of no bytes", linked(b"FRHP", 0, 112, &[0; 8]), "outside of its heap"),
        attack("a table of blocks that is none", linked(b"FHIB", 0, 0, b"FHIX"), "no \"FHIB"),
        attack("a block nowhere", linked(b"FHIB", 0, 17, NOWHERE), "outside of its heap"),
        attack("an index that is none", linked(b"BTHD", 0, 0, b"BTHX"), "no \"BTHD"),
        attack("an index of another kind", linked(b"BTHD", 0, 5, &[8]), "no \"BTHD"),
        attack("records of another length", linked(b"BTHD", 0, 10, &[200]), "another length"),
        attack("an index 100 deep", linked(b"BTHD", 0, 12, &[100]), "thousands of links"),
        attack("an index whose leaves are its root", linked(b"BTHD", 0, 12, &[0]), "no \"BTLF"),
        attack("65,535 records", linked(b"BTHD", 0, 24, &[0xff, 0xff]), "ends before"),
        attack("a leaf that is none", linked(b"BTLF", 0, 0, b"BTLX"), "no \"BTLF"),
        attack("a place in the heap beyond it", linked(b"BTLF", 0, 6 + 5, &[0xff; 4]), "outside of its heap"),
        attack("a huge object", linked(b"BTLF", 0, 6 + 4, &[0x10]), "very long names"),
    ]
}

/// Tables of chunks, versions 4 and 5 of the layout message.
fn new_chunks() -> Vec<Attack> {
    vec![
        attack("a table that is none", tabled(b"FAHD", 0, 0, b"FAHX"), "no \"FAHD"),
        attack("a table of unfiltered chunks", tabled(b"FAHD", 0, 5, &[0]), "another length"),
        attack("entries of no bytes", tabled(b"FAHD", 0, 6, &[0]), "another length"),
        attack("entries of 255 bytes", tabled(b"FAHD", 0, 6, &[255]), "thousands of chunks"),
        attack("a table in pages", tabled(b"FAHD", 0, 7, &[0]), "thousands of chunks"),
        attack("a table of 2^60 entries", tabled(b"FAHD", 0, 8, FAR), "another length"),
        attack("a table without a block", tabled(b"FAHD", 0, 16, NOWHERE), "thousands of chunks"),
        attack("a block that is none", tabled(b"FADB", 0, 0, b"FADX"), "no \"FADB"),
        attack("a chunk nowhere", tabled(b"FADB", 0, 14, NOWHERE), "beyond what any file"),
        attack("a chunk beyond the file", tabled(b"FADB", 0, 14, FAR), "ends before"),
    ]
}
