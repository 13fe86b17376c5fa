//! Bodies that are too much, not what they say, or never come.

use std::io::Write;
use std::net::Shutdown;

use crate::support::{Workshop, chunked, files, picture, read_answer};

const LIMIT: usize = 64 << 20;

#[test]
fn a_body_that_says_that_it_is_too_large_is_refused_before_it_comes() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let before = files(&workshop.runs());
    for path in ["/api/images?name=large.png", "/api/masks"] {
        let mut stream = client.connect();
        let head = client.head("POST", path, &[("content-length", &(LIMIT + 1).to_string())]);
        stream.write_all(head.as_bytes()).unwrap();
        let said = read_answer(&mut stream);
        assert_eq!(said.status, 413, "{}", said.text());
    }
    let mut stream = client.connect();
    stream.write_all(client.head("POST", "/api/runs", &[("content-length", "300000")]).as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream).status, 413);
    assert_eq!(files(&workshop.runs()), before);
}

#[test]
fn a_body_in_pieces_is_counted() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let before = files(&workshop.runs());
    let mut stream = client.connect();
    stream.write_all(client.head("POST", "/api/images", &[("transfer-encoding", "chunked")]).as_bytes()).unwrap();
    let piece = chunked(&vec![7; 1 << 20]);
    let written = (0..70).take_while(|_| stream.write_all(&piece).is_ok()).count();
    assert!(written >= 60, "{written}");
    assert_eq!(read_answer(&mut stream).status, 413);
    assert_eq!(files(&workshop.runs()), before);
    // In pieces of a byte it is a picture like any other.
    let mut stream = client.connect();
    stream
        .write_all(
            client
                .head(
                    "POST",
                    "/api/images?name=pieces.png",
                    &[("transfer-encoding", "chunked"), ("connection", "close")],
                )
                .as_bytes(),
        )
        .unwrap();
    for byte in picture(12, 12, 3) {
        stream.write_all(&chunked(&[byte])).unwrap();
    }
    stream.write_all(&chunked(b"")).unwrap();
    assert_eq!(read_answer(&mut stream).status, 201);
}

/// A PNG whose header says a size, and little more.
fn claims(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let body = [&name[..], data].concat();
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], &body, &crc(&body).to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0x00]),
        chunk(b"IEND", b""),
    ]
    .concat()
}

/// CRC-32 as PNG has it (ISO 3309).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn bombs_are_refused_by_what_they_claim() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let before = files(&workshop.runs());
    let gif =
        |width: u16, height: u16| [b"GIF89a", &width.to_le_bytes()[..], &height.to_le_bytes(), &[0, 0, 0]].concat();
    let bmp = |width: i32, height: i32| {
        [
            &b"BM"[..],
            &[0; 8],
            &54u32.to_le_bytes(),
            &40u32.to_le_bytes(),
            &width.to_le_bytes(),
            &height.to_le_bytes(),
            &[1, 0, 24, 0],
            &[0; 24],
        ]
        .concat()
    };
    for (name, bytes) in [
        ("png of 10 gigapixels", claims(100_000, 100_000)),
        ("png of 64 megapixels", claims(8_000, 8_000)),
        ("png of one row", claims(u32::MAX >> 1, 1)),
        ("gif of 4 gigapixels", gif(65_535, 65_535)),
        ("bmp of 3 gigapixels", bmp(60_000, 50_000)),
        ("png without pixels", claims(0, 5)),
    ] {
        for path in ["/api/images?name=bomb.png", "/api/masks"] {
            let begun = std::time::Instant::now();
            let said = client.send("POST", path, &[], &bytes);
            assert!([413, 400].contains(&said.status), "{name}: {} {}", said.status, said.text());
            assert!(name.contains("without") || said.status == 413, "{name}: {} {}", said.status, said.text());
            assert!(begun.elapsed().as_millis() < 2000, "{name}: {:?}", begun.elapsed());
        }
    }
    assert_eq!(files(&workshop.runs()), before);
}

/// Who goes away at any step leaves nothing behind, and keeps nobody.
#[test]
fn who_leaves_in_the_middle_is_not_waited_for() {
    let workshop = Workshop::new();
    let client = workshop.client();
    let before = files(&workshop.runs());
    let body = picture(200, 200, 3);
    let head = client.head("POST", "/api/images?name=left.png", &[("content-length", &body.len().to_string())]);
    let whole = [head.as_bytes(), &body].concat();
    // As many as may send at once, and more; each ends elsewhere.
    for part in 1..20 {
        let mut stream = client.connect();
        stream.write_all(&whole[..whole.len() * part / 20]).unwrap();
        if part % 2 == 0 {
            stream.shutdown(Shutdown::Both).unwrap();
        }
    }
    let said = client.send("POST", "/api/images?name=whole.png", &[], &picture(20, 20, 5));
    assert_eq!(said.status, 201, "{}", said.text());
    assert_eq!(files(&workshop.runs()).len(), before.len() + 2);
}
