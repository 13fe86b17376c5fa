//! Hostile PyTorch files: pickles that call, zip archives that say two things, storages that lie.

pub mod build;
mod containers;

use build::*;
use containers::{archives, directories, older_files};

use crate::{Attack, attack, withstand_all};

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
    withstand_all(attacks, 100);
}

/// All tensors in one deflated storage, behind so much else that to unpack it once for each would be more than may be
/// unpacked of a whole file; in the order of the dictionary, in reverse, and one of them twice over.
#[test]
fn a_deflated_storage_is_unpacked_once() {
    const BEFORE_BYTES: usize = 200 << 20;
    for overlap in [false, true] {
        let (mut storage, mut tensors) = (vec![0; BEFORE_BYTES], tensors());
        let parts: Vec<_> = tensors.iter_mut().zip(storages()).collect();
        for ((_, tensor), values) in parts.into_iter().rev() {
            tensor.key = "0".to_owned();
            tensor.offset = (storage.len() / 4) as i64;
            storage.extend(values);
        }
        if overlap {
            // The third layer's bias is the first layer's: as PyTorch saves weights that are tied.
            tensors[5].1.offset = tensors[1].1.offset;
        }
        tensors.iter_mut().for_each(|(_, tensor)| tensor.storage_len = (storage.len() / 4) as i64);
        let entries = [entry("net/data.pkl", &state_dict(&tensors)), deflated("net/data/0", &storage)];
        let (file, fault) = crate::read_within_limits(&archive(&entries).bytes);
        let file = file.unwrap();
        assert_eq!(fault, None);
        for (layer, convolution) in file.convolutions.iter().enumerate() {
            assert_eq!(convolution.kernel(), crate::kernel(layer), "layer {layer}");
            assert!(convolution.bias.iter().all(|&bias| bias == 0.5), "layer {layer}");
        }
    }
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
        // Found by the fuzz target weights_pth_legacy: a screen full of escapes.
        attack("a module of 60 control characters", call(&"\x17".repeat(60), "x"), "asks Python to run"),
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
        attack("a storage called by 10,000 letters", with_first(|t| t.key = "a".repeat(10_000)), "not put together"),
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
