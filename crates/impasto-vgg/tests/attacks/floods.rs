//! Files of very many very small things. Each costs a few bytes to write, or none where it is compressed or pointed to
//! twice, and far more to hold: what is charged for it must be what it takes.

use crate::mat;
use crate::pth::build::{dictionary, program, text, with_pickle};
use crate::{Attack, attack, safetensors, withstand_all};

#[test]
fn floods_of_small_things_stay_within_the_budget() {
    let mut attacks = matlab();
    attacks.extend(pickles());
    attacks.extend(headers());
    attacks.extend(groups());
    withstand_all(attacks, 20);
}

fn matlab() -> Vec<Attack> {
    let packed = |variable: Vec<u8>| mat::file(&[mat::compressed(&mat::packed(&variable))]);
    let cells = |cell: Vec<u8>, count: usize| packed(mat::cells("layers", &vec![cell; count]));
    let empty = mat::element(mat::MATRIX, &[]);
    // Characters beyond ASCII take two bytes each in memory.
    let long_text = mat::matrix(mat::CHAR, &[1, 256], "", &mat::element(mat::UINT8, &[0xe9; 256]));
    let long_name = mat::matrix(mat::CHAR, &[1, 1], &"n".repeat(250), &mat::element(mat::UINT8, b"x"));
    let bias = mat::numbers(&[1, 2], &[1.0; 2]);
    let fields: Vec<String> = (0..1_000).map(|place| format!("field{place}")).collect();
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let wide = {
        let body = [mat::field_names(&names), vec![empty.clone(); 300 * 1_000].concat()].concat();
        packed(mat::matrix(mat::STRUCT, &[1, 300], "layers", &body))
    };
    let no_elements = {
        let body = mat::field_names(&names);
        mat::matrix(mat::STRUCT, &[1, 0], "", &body)
    };
    vec![
        attack("600,000 empty cells", cells(empty.clone(), 600_000), "MiB of memory"),
        attack("400,000 long texts", cells(long_text, 400_000), "MiB of memory"),
        attack("400,000 short texts with long names", cells(long_name, 400_000), "MiB of memory"),
        attack("600,000 biases", cells(bias, 600_000), "MiB of memory"),
        attack("300 structs of 1,000 fields", wide, "MiB of memory"),
        attack("10,000 structs of no element with 1,000 field names", cells(no_elements, 10_000), "MiB of memory"),
        attack("600,000 variables", mat::file(&vec![empty; 600_000]), "MiB of memory"),
    ]
}

fn pickles() -> Vec<Attack> {
    let million = |instruction: &[u8]| {
        let count = 1_000_000 / instruction.len();
        with_pickle(program(&instruction.repeat(count)))
    };
    let put = |slot: u8| vec![b'q', slot];
    let get = |slot: u8| vec![b'h', slot];
    let tensor = crate::pth::build::tensors()[0].1.pickled();
    // One long key, under which a hundred thousand dictionaries of fifty thousand items would be looked through.
    let items = [
        b"}(".to_vec(),
        text("a"),
        put(9),
        b"N".to_vec(),
        [get(9), b"N".to_vec()].concat().repeat(50_000),
        b"u".to_vec(),
    ]
    .concat();
    let again = [get(2), get(1)].concat().repeat(100_000);
    let looks =
        [items, put(1), b"0".to_vec(), text(&"k".repeat(300)), put(2), b"0}(".to_vec(), again, b"u".to_vec()].concat();
    // One tensor and one key of half a megabyte, a thousand times.
    let shared = |key: String, tensor: Vec<u8>| {
        let head = [tensor, put(1), b"0".to_vec(), text(&key), put(2), b"0".to_vec()].concat();
        with_pickle(program(&[head, b"}(".to_vec(), [get(2), get(1)].concat().repeat(1_000), b"u".to_vec()].concat()))
    };
    let mut far = crate::pth::build::tensors()[0].1.clone();
    far.key = "s".repeat(500_000);
    vec![
        attack("a million empty tuples", million(b")"), "MiB of memory"),
        attack("a million empty dictionaries", million(b"}"), "MiB of memory"),
        attack("a million marks", million(b"("), "MiB of memory"),
        attack("a million memories", million(b"N\x94"), "MiB of memory"),
        attack("a million copies of the top", million(b"2"), "empty stack"),
        attack("pairs of pairs of pairs", million(b")\x86"), "empty stack"),
        attack(
            "a list of a million",
            with_pickle(program(&[b"](".to_vec(), vec![b'N'; 900_000], b"e".to_vec()].concat())),
            "MiB of memory",
        ),
        attack("a long name for 1,000 tensors", shared("k".repeat(500_000), tensor), "no tensor"),
        attack("a long storage for 1,000 tensors", shared("k".to_owned(), far.pickled()), "not put together"),
        attack("one dictionary looked through 100,000 times", with_pickle(program(&looks)), "1,000 tensors"),
        attack(
            "80,000 keys",
            with_pickle(program(&dictionary(&(0..80_000).map(|n| (n.to_string(), b"N".to_vec())).collect::<Vec<_>>()))),
            "no tensor",
        ),
    ]
}

fn headers() -> Vec<Attack> {
    let shortest: Vec<String> =
        (0..15_000).map(|n| format!(r#""{n:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#)).collect();
    let sides = format!(r#"{{"a":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}}}"#, "1,".repeat(500_000));
    let metadata: Vec<String> = (0..80_000).map(|n| format!(r#""{n:x}":"""#)).collect();
    let metadata = format!(r#"{{"__metadata__":{{{}}}}}"#, metadata.join(","));
    let data = [0; 0];
    vec![
        attack(
            "15,000 tensors of nothing",
            safetensors::file_of(format!("{{{}}}", shortest.join(",")).as_bytes(), &data),
            "1,000 tensors",
        ),
        attack("500,000 sides", safetensors::file_of(sides.as_bytes(), &data), "no tensor"),
        attack("80,000 remarks", safetensors::file_of(metadata.as_bytes(), &data), "no tensor"),
    ]
}

/// An old HDF5 group whose tree leads a thousand times to the same thousands of names.
fn groups() -> Vec<Attack> {
    let number = |value: u64| value.to_le_bytes().to_vec();
    let superblock = |root: u64| {
        let mut bytes = b"\x89HDF\r\n\x1a\n".to_vec();
        bytes.extend([0, 0, 0, 0, 0, 8, 8, 0, 4, 0, 16, 0, 0, 0, 0, 0]);
        bytes.extend([number(0), vec![0xff; 8], number(1 << 20), vec![0xff; 8], number(0), number(root)].concat());
        bytes.resize(96, 0);
        bytes
    };
    // Root's header with a symbol table message: tree, heap.
    let header = |tree: u64, heap: u64| {
        let message = [0x11_u16.to_le_bytes(), 16_u16.to_le_bytes(), [0, 0], [0, 0]].concat();
        let body = [message, number(tree), number(heap)].concat();
        [vec![1, 0, 1, 0, 1, 0, 0, 0], (body.len() as u32).to_le_bytes().to_vec(), vec![0; 4], body].concat()
    };
    let (root, heap) = (96_u64, 144_u64);
    let names = 512_u64;
    let heap_bytes =
        [b"HEAP\0\0\0\0".to_vec(), number(names), number(0), number(heap + 32), vec![b'n'; 255], vec![0; 257]].concat();
    let tree = heap + 32 + names;
    let tree_of = |level: u8, children: &[u64]| {
        let head =
            [b"TREE\0".to_vec(), vec![level], (children.len() as u16).to_le_bytes().to_vec(), vec![0xff; 16]].concat();
        [head, children.iter().flat_map(|&child| [number(0), number(child)].concat()).collect()].concat()
    };
    let file = |rest: Vec<u8>| {
        let mut bytes = [superblock(root), header(tree, heap)].concat();
        bytes.resize(heap as usize, 0);
        bytes.extend(&heap_bytes);
        bytes.extend(rest);
        bytes
    };
    let symbols = |count: u16, object: u64| {
        let one = [number(0), number(object), vec![0; 24]].concat();
        [b"SNOD\x01\0".to_vec(), count.to_le_bytes().to_vec(), one.repeat(count.into())].concat()
    };
    let children = 1_000;
    let leaf = tree + 24 + 16 * children;
    let repeated = file([tree_of(0, &vec![leaf; children as usize]), symbols(20_000, root)].concat());
    // Nodes of 65,535 children, 30 deep, each of which is held while the one below it is read.
    let node_bytes = 24 + 16 * 65_535_u64;
    let deep: Vec<u8> = (0..30_u64)
        .flat_map(|depth| tree_of(29 - depth as u8, &vec![tree + (depth + 1) * node_bytes; 65_535]))
        .collect();
    let deep = file([deep, symbols(1, root)].concat());
    vec![
        attack("20 million links to the root", repeated, "MiB of memory"),
        attack("a tree of 65,535 children, 30 deep", deep, "MiB of memory"),
    ]
}
