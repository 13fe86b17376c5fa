//! Hostile PyTorch files: pickles that call, zip archives that say two things, storages that lie.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::{Attack, SMALL, attack, f32_bytes, kernel, withstand};

/// One file of an archive, with what its two headers say.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    /// The name in its own header.
    own_name: Vec<u8>,
    /// What stands in the file.
    packed: Vec<u8>,
    flags: u16,
    method: u16,
    checksum: u32,
    /// What the directory says, and what its own header says.
    len: u32,
    own_len: u32,
}

fn entry(name: &str, data: &[u8]) -> Entry {
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
fn deflated(name: &str, data: &[u8]) -> Entry {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory");
    Entry { packed: encoder.finish().expect("memory"), method: 8, ..entry(name, data) }
}

/// An archive, and where its directory and end record stand.
struct Archive {
    bytes: Vec<u8>,
    directory: usize,
    end: usize,
}

fn archive(entries: &[Entry]) -> Archive {
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

fn text(value: &str) -> Vec<u8> {
    [b"X".as_slice(), &(value.len() as u32).to_le_bytes(), value.as_bytes()].concat()
}

fn whole(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

fn wholes(values: &[i64]) -> Vec<u8> {
    tuple(&values.iter().map(|&value| whole(value)).collect::<Vec<_>>())
}

/// A tensor as `torch.save` pickles it.
#[derive(Clone)]
struct Tensor {
    class: &'static str,
    key: String,
    storage_len: i64,
    offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
}

impl Tensor {
    fn pickled(&self) -> Vec<u8> {
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
fn tensors() -> Vec<(String, Tensor)> {
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

fn storages() -> Vec<Vec<u8>> {
    let of_layer = |layer: usize| [f32_bytes(&kernel(layer)), f32_bytes(&vec![0.5; SMALL[layer].outputs])];
    (0..3).flat_map(of_layer).collect()
}

/// `{name: tensor, ...}`
fn dictionary(items: &[(String, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(name, value)| [text(name), value.clone()].concat()).collect();
    [b"}(".to_vec(), items, b"u".to_vec()].concat()
}

fn program(body: &[u8]) -> Vec<u8> {
    [b"\x80\x02", body, b"."].concat()
}

fn state_dict(tensors: &[(String, Tensor)]) -> Vec<u8> {
    let items: Vec<_> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.pickled())).collect();
    program(&dictionary(&items))
}

fn entries(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<Entry> {
    let mut entries = vec![entry("net/data.pkl", pickle)];
    entries.extend(storages.iter().enumerate().map(|(key, data)| entry(&format!("net/data/{key}"), data)));
    entries
}

fn good() -> Archive {
    archive(&entries(&state_dict(&tensors()), &storages()))
}

/// The good archive with another pickle.
fn with_pickle(pickle: Vec<u8>) -> Vec<u8> {
    archive(&entries(&pickle, &storages())).bytes
}

/// The good archive with its first kernel bent.
fn with_first(bend: impl FnOnce(&mut Tensor)) -> Vec<u8> {
    let mut tensors = tensors();
    bend(&mut tensors[0].1);
    with_pickle(state_dict(&tensors))
}

/// The good archive with its entries bent.
fn with_entries(bend: impl FnOnce(&mut Vec<Entry>)) -> Vec<u8> {
    let mut entries = entries(&state_dict(&tensors()), &storages());
    bend(&mut entries);
    archive(&entries).bytes
}

/// The good archive with its end record's bytes from `at` on replaced.
fn with_end(at: usize, patch: &[u8]) -> Vec<u8> {
    let Archive { mut bytes, end, .. } = good();
    bytes[end + at..end + at + patch.len()].copy_from_slice(patch);
    bytes
}

/// A file of the older format.
fn legacy(magic: &[u8], dictionary: &[u8], keys: &[u8], lengths: [u64; 6]) -> Vec<u8> {
    let machine = program(&self::dictionary(&[("little_endian".to_owned(), b"\x88".to_vec())]));
    let mut bytes = [magic, &program(b"M\xe9\x03"), &machine, dictionary, keys].concat();
    for (storage, len) in storages().iter().zip(lengths) {
        bytes.extend(len.to_le_bytes());
        bytes.extend(storage);
    }
    bytes
}

const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Lengths of the small network's storages in elements.
const LENGTHS: [u64; 6] = [54, 2, 54, 3, 54, 2];

fn keys() -> Vec<u8> {
    let keys: Vec<u8> = (0..6).flat_map(|key| text(&key.to_string())).collect();
    program(&[b"](".to_vec(), keys, b"e".to_vec()].concat())
}

#[test]
fn hostile_files_end_in_a_sentence() {
    assert!(crate::read(&good().bytes).is_ok(), "the unbent archive is good");
    let unbent = legacy(MAGIC, &state_dict(&tensors()), &keys(), LENGTHS);
    assert!(crate::read(&unbent).is_ok(), "so is the unbent older file");
    let packed = with_entries(|entries| entries[1] = deflated("net/data/0", &storages()[0]));
    assert!(crate::read(&packed).is_ok(), "and the one with a deflated storage");
    let mut attacks = programs();
    attacks.extend(machines());
    attacks.extend(views());
    attacks.extend(archives());
    attacks.extend(directories());
    attacks.extend(older_files());
    withstand(attacks);
}

/// Pickles that would run something.
fn programs() -> Vec<Attack> {
    let call = |module: &str, name: &str| {
        with_pickle(program(&[global(module, name), tuple(&[text("echo hello")]), b"R".to_vec()].concat()))
    };
    let by_stack = [text("posix"), text("system"), b"\x93".to_vec(), tuple(&[text("true")]), b"R".to_vec()].concat();
    let hidden = {
        let mut items: Vec<_> = tensors().iter().map(|(name, tensor)| (name.clone(), tensor.pickled())).collect();
        items.push(("zz".to_owned(), [global("builtins", "eval"), tuple(&[text("1")]), b"R".to_vec()].concat()));
        with_pickle(program(&dictionary(&items)))
    };
    vec![
        attack("os.system", call("os", "system"), "asks Python to run \"os.system\""),
        attack("builtins.eval", call("builtins", "eval"), "asks Python to run"),
        attack("builtins.exec", call("builtins", "exec"), "asks Python to run"),
        attack("builtins.getattr", call("builtins", "getattr"), "asks Python to run"),
        attack("Python 2's builtins", call("__builtin__", "apply"), "asks Python to run"),
        attack("subprocess.Popen", call("subprocess", "Popen"), "asks Python to run"),
        attack("torch.hub.load", call("torch.hub", "load"), "asks Python to run"),
        attack("torch.load again", call("torch", "load"), "asks Python to run"),
        attack("numpy's reconstruct", call("numpy.core.multiarray", "_reconstruct"), "asks Python to run"),
        attack("a harmless name of another module", call("evil", "OrderedDict"), "asks Python to run"),
        attack(
            "a harmless module with dots behind",
            call("torch._utils", "_rebuild_tensor_v2.__globals__"),
            "asks Python to run",
        ),
        attack("a name with a line feed's escape", call("os", "sys\\ntem"), "asks Python to run"),
        attack("posix.system from the stack", with_pickle(program(&by_stack)), "asks Python to run \"posix.system\""),
        attack("a call behind good tensors", hidden, "asks Python to run \"builtins.eval\""),
        attack("a class by INST", with_pickle(program(b"(ios\nsystem\n")), "instruction 0x69"),
        attack(
            "a class by OBJ",
            with_pickle(program(&[b"(".to_vec(), global("collections", "OrderedDict"), b"o".to_vec()].concat())),
            "instruction 0x6f",
        ),
        attack("an extension", with_pickle(program(b"\x82\x01")), "instruction 0x82"),
        attack("an out-of-band buffer", with_pickle(program(b"\x97")), "instruction 0x97"),
        attack(
            "a call of a text",
            with_pickle(program(&[text("os.system"), b")R".to_vec()].concat())),
            "calls what is no function",
        ),
        attack(
            "a call of a call",
            with_pickle(program(&[global("collections", "OrderedDict"), b")R)R".to_vec()].concat())),
            "calls what is no function",
        ),
    ]
}

/// Pickles that break the machine that reads them.
fn machines() -> Vec<Attack> {
    let deep = |depth: usize| {
        let open: Vec<u8> = (0..depth).flat_map(|_| [b"}".to_vec(), text("a")].concat()).collect();
        with_pickle(program(&[open, b"}".to_vec(), b"s".repeat(depth)].concat()))
    };
    // d = {}; d["a"] = d, and the dictionary of tensors nowhere.
    let circle = program(&[b"}q\x00".to_vec(), text("a"), b"h\x00s".to_vec()].concat());
    // Each dictionary holds the one before twice.
    let doubling: Vec<u8> = (0..30_u8).fold(b"}q\x00".to_vec(), |before, level| {
        let twice = [text("a"), vec![b'h', level], text("b"), vec![b'h', level]].concat();
        [before, b"0}(".to_vec(), twice, vec![b'u', b'q', level + 1]].concat()
    });
    let many: Vec<_> = (0..2_000).map(|n| (format!("t{n}"), tensors()[1].1.pickled())).collect();
    let many = archive(&entries(&program(&dictionary(&many)), &storages())).bytes;
    vec![
        attack("no instruction", with_pickle(vec![]), "middle of its table"),
        attack("no end", with_pickle(b"\x80\x02}".to_vec()), "middle of its table"),
        attack("an end with nothing", with_pickle(b"\x80\x02.".to_vec()), "empty stack"),
        attack("a mark for a result", with_pickle(b"\x80\x02(.".to_vec()), "empty stack"),
        attack("an unknown instruction", with_pickle(program(b"\xf0")), "instruction 0xf0"),
        attack("a pop too many", with_pickle(program(b"00")), "empty stack"),
        attack("a mark that is missing", with_pickle(program(b"t")), "empty stack"),
        attack("a memo that was never set", with_pickle(program(b"h\x07")), "recalls what it never had"),
        attack("a memo place that is no number", with_pickle(program(b"gx\n")), "a number in its pickle"),
        attack("a text of 2^63 bytes", with_pickle(program(b"\x8d\0\0\0\0\0\0\0\x80a")), "middle of its table"),
        attack("a text of 4 GiB", with_pickle(program(b"X\xff\xff\xff\xffa")), "middle of its table"),
        attack("a number of 4 GiB", with_pickle(program(b"\x8b\xff\xff\xff\xff1")), "middle of its table"),
        attack("a text that is none", with_pickle(program(b"X\x02\0\0\0\xff\xfe")), "a text in its pickle"),
        attack("a number that is none", with_pickle(program(b"I12x\n")), "a number in its pickle"),
        attack("a line without an end", with_pickle(b"\x80\x02I12".to_vec()), "middle of its table"),
        attack(
            "a key without a value",
            with_pickle(program(&[b"}(".to_vec(), text("a"), b"u".to_vec()].concat())),
            "key without a value",
        ),
        attack(
            "items on a number",
            with_pickle(program(&[b"K\x01".to_vec(), text("a"), text("b"), b"s".to_vec()].concat())),
            "no dictionary",
        ),
        attack("members of a number", with_pickle(program(b"K\x01K\x02a")), "no list"),
        attack("members of themselves", with_pickle(program(b"]q\x00h\x00a")), "conv1_1.bias"),
        attack("a dictionary in itself", with_pickle(circle), "conv1_1.bias"),
        attack("2^30 dictionaries in 30", with_pickle(program(&doubling)), "conv1_1.bias"),
        attack("dictionaries 40 deep", deep(40), "nest deeper"),
        attack("dictionaries 20,000 deep", deep(20_000), "nest deeper"),
        attack("2,000 tensors", many, "1,000 tensors"),
        attack("a million values", with_pickle(program(&b"N".repeat(1_000_000))), "MiB of memory"),
        attack(
            "a million copies",
            with_pickle(program(&[b"N".to_vec(), b"2".repeat(1_000_000)].concat())),
            "MiB of memory",
        ),
        attack(
            "a million memo places",
            with_pickle(program(&[b"N".to_vec(), b"\x94".repeat(1_000_000)].concat())),
            "MiB of memory",
        ),
        attack(
            "a pickle of 2 MiB",
            with_pickle(program(&[b"N".to_vec(), b"2".repeat(2 << 20)].concat())),
            "longer than 1 MiB",
        ),
        attack("a number for a dictionary", with_pickle(program(b"K\x01")), "conv1_1.bias"),
    ]
}

/// Tensors that are no views of their storages.
fn views() -> Vec<Attack> {
    let mut storages = storages();
    storages[0][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let not_finite = archive(&entries(&state_dict(&tensors()), &storages)).bytes;
    let strange = |value: Vec<u8>| with_pickle(program(&dictionary(&[("conv1_1.bias".to_owned(), value)])));
    let rebuild = |arguments: &[Vec<u8>]| {
        strange([global("torch._utils", "_rebuild_tensor_v2"), tuple(arguments), b"R".to_vec()].concat())
    };
    let in_itself = [global("torch._utils", "_rebuild_parameter"), b"(K\x01t".to_vec(), b"R".to_vec()].concat();
    vec![
        attack("an offset beyond the storage", with_first(|t| t.offset = 1), "beyond its storage"),
        attack("an offset of 2^62", with_first(|t| t.offset = 1 << 62), "beyond its storage"),
        attack("a negative offset", with_first(|t| t.offset = -1), "not put together"),
        attack("a negative side", with_first(|t| t.size[0] = -2), "not put together"),
        attack("a negative stride", with_first(|t| t.stride[0] = -27), "not put together"),
        attack("a stride beyond the storage", with_first(|t| t.stride[0] = 28), "beyond its storage"),
        attack("a stride of 2^62", with_first(|t| t.stride[1] = 1 << 62), "beyond"),
        attack("strides that wrap", with_first(|t| t.stride = vec![i64::MAX; 4]), "beyond"),
        attack("fewer strides than sides", with_first(|t| t.stride = vec![9, 3, 1]), "not put together"),
        attack("100 sides", with_first(|t| (t.size, t.stride) = (vec![1; 100], vec![1; 100])), "not put together"),
        attack("a shape bomb", with_first(|t| (t.size, t.stride) = (vec![1 << 40; 4], vec![0; 4])), "where VGG-19 has"),
        attack("a kernel with its axes exchanged", with_first(|t| t.size = vec![3, 2, 3, 3]), "where VGG-19 has"),
        attack("a storage longer than its entry", with_first(|t| t.storage_len = 1 << 40), "not as long as announced"),
        attack("a storage shorter than its entry", with_first(|t| t.storage_len = 53), "beyond its storage"),
        attack("a storage of a negative length", with_first(|t| t.storage_len = -1), "not put together"),
        attack("a storage of another type", with_first(|t| t.class = "DoubleStorage"), "not as long as announced"),
        attack("a storage of whole numbers", with_first(|t| t.class = "IntStorage"), "whole numbers"),
        attack("a storage that is missing", with_first(|t| t.key = "9".into()), "the storage \"9\" is missing"),
        attack("a storage outside of its folder", with_first(|t| t.key = "../data.pkl".into()), "is missing"),
        attack("a storage called by 10,000 letters", with_first(|t| t.key = "a".repeat(10_000)), "is missing"),
        attack("not a number in a storage", not_finite, "not finite"),
        attack("a tensor of nothing", rebuild(&[]), "not put together"),
        attack("a tensor of numbers", rebuild(&[whole(1), whole(2), whole(3), whole(4)]), "not put together"),
        attack(
            "a tensor in place of a storage",
            rebuild(&[tensors()[0].1.pickled(), whole(0), wholes(&[2]), wholes(&[1])]),
            "not put together",
        ),
        attack("a parameter of a number", strange(in_itself), "conv1_1.bias"),
        attack("a storage of a torch.Size", with_first(|t| t.class = "Size"), "whole numbers"),
    ]
}

/// Archives whose entries lie.
fn archives() -> Vec<Attack> {
    let flagged = |flags: u16| with_entries(|entries| entries[1].flags = flags);
    let bomb = vec![0; 64 << 20];
    vec![
        attack("an encrypted entry", flagged(0x01), "encrypted"),
        attack("a patched entry", flagged(0x20), "encrypted"),
        attack("a strongly encrypted entry", flagged(0x40), "encrypted"),
        attack("a method that is not read", with_entries(|entries| entries[1].method = 12), "method 12"),
        attack("a stored entry of two lengths", with_entries(|e| e[1].len = 9), "two lengths"),
        attack("two names for one entry", with_entries(|e| e[1].own_name = b"net/data/x".to_vec()), "disagree"),
        attack("a longer name in its own header", with_entries(|e| e[1].own_name = vec![b'a'; 60_000]), "disagree"),
        attack("two lengths for one entry", with_entries(|e| e[1].own_len = 9), "disagree"),
        attack("a name twice", with_entries(|e| e[2] = e[1].clone()), "directory twice"),
        attack("a name that is no text", with_entries(|e| e[1].name = b"net/\xff\xff".to_vec()), "no text"),
        attack(
            "two tables of contents",
            with_entries(|e| e[1] = entry("other/data.pkl", b"N.")),
            "without one data.pkl",
        ),
        attack("no table of contents", with_entries(|e| drop(e.remove(0))), "without one data.pkl"),
        attack("a wrong checksum", with_entries(|e| e[1].checksum ^= 1), "length and checksum"),
        attack("a wrong checksum of the table", with_entries(|e| e[0].checksum ^= 1), "length and checksum"),
        attack(
            "a deflated table that is cut off",
            with_entries(|e| {
                e[0] = deflated("net/data.pkl", &state_dict(&tensors()));
                e[0].packed.truncate(50);
            }),
            "ends in the middle",
        ),
        attack(
            "a deflated table of garbage",
            with_entries(|e| {
                e[0] = deflated("net/data.pkl", &state_dict(&tensors()));
                e[0].packed.fill(0x55);
            }),
            "do not unpack",
        ),
        attack(
            "a deflated entry longer than it says",
            with_entries(|e| {
                e[1] = Entry { len: 216, own_len: 216, ..deflated("net/data/0", &bomb) };
            }),
            "length and checksum",
        ),
        attack(
            "a deflated table of 64 MiB",
            with_entries(|e| e[0] = deflated("net/data.pkl", &bomb)),
            "longer than 1 MiB",
        ),
        attack(
            "a deflated storage that says 4 GiB",
            with_entries(|e| {
                e[1] = Entry { len: u32::MAX - 1, own_len: u32::MAX - 1, ..deflated("net/data/0", &storages()[0]) };
            }),
            "not as long as announced",
        ),
    ]
}

/// Directories and end records that lie.
fn directories() -> Vec<Attack> {
    let good = good();
    let overlap = {
        // The second directory entry points to the first one's header, under the first one's name.
        let mut entries = entries(&state_dict(&tensors()), &storages());
        entries.truncate(2);
        entries[1] = Entry { name: b"net/data.pkl2".to_vec(), ..entries[0].clone() };
        let mut archive = archive(&entries);
        let second = archive.end - 13 - 4;
        archive.bytes[second..second + 4].fill(0);
        archive.bytes
    };
    let two_in_one = {
        // Entry 1 becomes as long as the rest of the archive, and so holds entry 2.
        let mut bytes = good.bytes.clone();
        let second = good.bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        let at = good.bytes[second + 4..].windows(4).position(|w| w == b"PK\x01\x02").unwrap() + second + 4;
        let long = (good.directory as u32 / 2).to_le_bytes();
        bytes[at + 20..at + 24].copy_from_slice(&long);
        bytes[at + 24..at + 28].copy_from_slice(&long);
        let header = u32::from_le_bytes(bytes[at + 42..at + 46].try_into().unwrap()) as usize;
        bytes[header + 18..header + 22].copy_from_slice(&long);
        bytes[header + 22..header + 26].copy_from_slice(&long);
        bytes
    };
    let with_locator = |offset: u64| {
        let (body, end) = good.bytes.split_at(good.end);
        let locator = [b"PK\x06\x07\0\0\0\0".as_slice(), &offset.to_le_bytes(), &1_u32.to_le_bytes()].concat();
        [body, &locator, end].concat()
    };
    let many = archive(&(0..1_100).map(|n| entry(&format!("net/{n}"), b"")).collect::<Vec<_>>()).bytes;
    vec![
        attack("no end record", good.bytes[..good.end].to_vec(), "missing or cut off"),
        attack("half an end record", good.bytes[..good.end + 11].to_vec(), "missing or cut off"),
        attack("bytes behind the end", [good.bytes.clone(), vec![0; 3]].concat(), "missing or cut off"),
        attack(
            "a second archive behind it",
            [good.bytes.clone(), good.bytes.clone()].concat(),
            "directory does not stand before",
        ),
        attack("a comment longer than the file", with_end(20, &[9, 0]), "missing or cut off"),
        attack("more entries than there are", with_end(8, &[9, 0, 9, 0]), "middle of its table"),
        attack("fewer entries than there are", with_end(8, &[3, 0, 3, 0]), "longer than its entries"),
        attack("parts on other disks", with_end(4, &[1, 0]), "missing or cut off"),
        attack("a directory beyond the file", with_end(16, &[0xff, 0xff, 0xff, 0x7f]), "does not stand before"),
        attack("a directory of 4 GiB", with_end(12, &[0xff, 0xff, 0xff, 0xff]), "does not stand before"),
        attack("a directory that starts late", with_end(12, &[1, 0, 0, 0]), "does not stand before"),
        attack("1,100 entries", many, "1,000 entries"),
        attack("two names for the same bytes", overlap, "disagree"),
        attack("an entry inside of another", two_in_one, "overlap"),
        attack("a locator that points to itself", with_locator(good.end as u64), "beyond itself"),
        attack("a locator that points beyond", with_locator(u64::MAX), "beyond itself"),
        attack("a locator that points to a pickle", with_locator(30), "64-bit zip end record"),
        attack("an end record alone", [good.bytes[good.end..].to_vec(), vec![0; 200]].concat(), "no weights file"),
        attack(
            "a directory for a local header",
            [b"PK\x03\x04".to_vec(), good.bytes[good.directory..].to_vec()].concat(),
            "does not stand before",
        ),
    ]
}

/// The format of before 1.6.
fn older_files() -> Vec<Attack> {
    let dictionary = state_dict(&tensors());
    let changed = |place: usize, len: u64| {
        let mut lengths = LENGTHS;
        lengths[place] = len;
        legacy(MAGIC, &dictionary, &keys(), lengths)
    };
    let good = legacy(MAGIC, &dictionary, &keys(), LENGTHS);
    let twice = program(&[b"](".to_vec(), text("0"), text("0"), b"e".to_vec()].concat());
    let unknown = program(&[b"](".to_vec(), text("77"), b"e".to_vec()].concat());
    let calls = program(&[global("os", "system"), tuple(&[text("true")]), b"R".to_vec()].concat());
    vec![
        attack(
            "another magic number",
            legacy(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x18.", &dictionary, &keys(), LENGTHS),
            "bare Python pickle",
        ),
        attack(
            "a bare pickle",
            program(&[b"\x8a\x0a0123456789".to_vec(), vec![b'N'; 200]].concat()),
            "bare Python pickle",
        ),
        attack("a call in the dictionary", legacy(MAGIC, &calls, &keys(), LENGTHS), "asks Python to run"),
        attack("a call in the keys", legacy(MAGIC, &dictionary, &calls, LENGTHS), "asks Python to run"),
        attack("a storage of 2^64 elements", changed(0, u64::MAX), "not as long as announced"),
        attack("a storage of no elements", changed(3, 0), "not as long as announced"),
        attack("storages that are cut off", good[..good.len() - 1].to_vec(), "cut off"),
        attack("no storages", good[..good.len() - 708].to_vec(), "cut off"),
        attack("a storage twice", legacy(MAGIC, &dictionary, &twice, LENGTHS), "not as long as announced"),
        attack("an unknown storage", legacy(MAGIC, &dictionary, &unknown, LENGTHS), "\"77\" is missing"),
        attack(
            "keys that are no list",
            legacy(MAGIC, &dictionary, &program(b"K\x01"), LENGTHS),
            "no list of its storages",
        ),
        attack("keys that are numbers", legacy(MAGIC, &dictionary, &program(b"](K\x01e"), LENGTHS), "something else"),
        attack("an empty list of keys", legacy(MAGIC, &dictionary, &program(b"]"), LENGTHS), "is missing"),
        attack(
            "a dictionary that does not end",
            [MAGIC, &program(b"M\xe9\x03"), &program(b"}"), &[b'N'; 300]].concat(),
            "middle of its table",
        ),
    ]
}
