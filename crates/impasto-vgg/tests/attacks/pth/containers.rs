//! Archives, directories and files of the older format that lie.

use super::build::*;
use crate::{Attack, attack};

/// Archives whose entries lie.
pub fn archives() -> Vec<Attack> {
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
pub fn directories() -> Vec<Attack> {
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
pub fn older_files() -> Vec<Attack> {
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
