//! Fetching against a real HTTP server on this machine that breaks off, lies and refuses.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use impasto::Control;
use impasto::fetch::{FetchError, Release, fetch};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const LENGTH: usize = 200_000;

/// The file, which no two pieces of are alike.
fn file() -> Vec<u8> {
    (0..LENGTH as u64).map(|place| (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn release() -> Release {
    let sum: String = Sha256::digest(file()).iter().map(|byte| format!("{byte:02x}")).collect();
    Release {
        name: "small",
        summary: "a test",
        file_name: "small.bin",
        length_bytes: LENGTH as u64,
        sha256: sum.leak(),
        urls: &[],
    }
}

/// What a server does with one request: the byte that the client wants to begin at, and the connection.
type Behaviour = fn(usize, &mut TcpStream) -> std::io::Result<()>;

/// A server that treats its first request by the first behaviour and so on, and all further ones by the last.
struct Server {
    address: String,
    /// The byte that each request wanted to begin at.
    requests: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    fn start(behaviours: Vec<Behaviour>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/small.bin", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut from = 0;
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap_or_default().to_lowercase();
                    if let Some(range) = line.strip_prefix("range: bytes=") {
                        from = range.trim_end_matches('-').parse().unwrap();
                    }
                    if line.is_empty() {
                        break;
                    }
                }
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(from);
                    seen.len()
                };
                // The client may hang up whenever it has seen enough.
                let _ = behaviours[(count - 1).min(behaviours.len() - 1)](from, &mut stream);
            }
        });
        Server { address, requests }
    }

    fn requests(&self) -> Vec<usize> {
        self.requests.lock().unwrap().clone()
    }
}

fn head(stream: &mut TcpStream, status: &str, length: usize, more: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
}

/// As it should be, with ranges.
fn honest(from: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    match from {
        0 => head(stream, "200 OK", LENGTH, "")?,
        _ => {
            let range = format!("Content-Range: bytes {from}-{}/{LENGTH}\r\n", LENGTH - 1);
            head(stream, "206 Partial Content", LENGTH - from, &range)?;
        }
    }
    stream.write_all(&file()[from..])
}

/// Promises everything and hangs up a third of the way.
fn cut(from: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    match from {
        0 => head(stream, "200 OK", LENGTH, "")?,
        _ => {
            let range = format!("Content-Range: bytes {from}-{}/{LENGTH}\r\n", LENGTH - 1);
            head(stream, "206 Partial Content", LENGTH - from, &range)?;
        }
    }
    stream.write_all(&file()[from..(from + LENGTH / 3).min(LENGTH)])
}

/// Always the whole file.
fn without_ranges(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")?;
    stream.write_all(&file())
}

/// The right length, another content.
fn garbage(from: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")?;
    let _ = from;
    stream.write_all(&vec![7; LENGTH])
}

fn too_short(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "200 OK", 1000, "")?;
    stream.write_all(&file()[..1000])
}

/// No length is given, and the bytes never end.
fn endless(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    loop {
        stream.write_all(&[1; 4096])?;
    }
}

fn wrong_part(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "206 Partial Content", 10, &format!("Content-Range: bytes 5-14/{LENGTH}\r\n"))?;
    stream.write_all(&[0; 10])
}

fn not_found(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "404 Not Found", 0, "")
}

fn no_such_range(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "416 Range Not Satisfiable", 0, "")
}

fn nonsense(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"\x00\x01\x02 this is not HTTP \xff\xff\r\n\r\n")
}

fn to_https(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: https://127.0.0.1:1/small.bin\r\n")
}

fn to_a_file(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: file:///etc/hostname\r\n")
}

fn round_in_circles(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: /again\r\n")
}

/// Sends to the file at another place of the same server, which sends it.
fn moved(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    head(stream, "301 Moved Permanently", 0, "Location: /elsewhere/small.bin\r\n")
}

/// A proxy that opens a tunnel and answers in the server's place.
fn tunnel(_: usize, stream: &mut TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 Connection established\r\n\r\n")?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    honest(0, stream)
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn target(&self) -> PathBuf {
        self.0.path().join("cache").join("small.bin")
    }

    fn part(&self) -> PathBuf {
        self.0.path().join("cache").join("small.bin.part")
    }

    fn fetch(&self, urls: &[&str]) -> Result<(), FetchError> {
        let urls: Vec<String> = urls.iter().map(|&url| url.to_owned()).collect();
        fetch(&release(), &urls, &self.target(), &mut |_| Control::Continue)
    }

    fn assert_whole(&self) {
        assert!(std::fs::read(self.target()).unwrap() == file());
        assert!(!self.part().exists());
    }
}

/// An address where nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/small.bin", listener.local_addr().unwrap())
}

#[test]
fn a_broken_connection_is_gone_on_with() {
    let folder = Folder::new();
    let server = Server::start(vec![cut, cut, honest]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
    let requests = server.requests();
    assert_eq!((requests[0], requests.len()), (0, 3));
    assert!(requests[1] > 0 && requests[2] > requests[1], "{requests:?}");
}

#[test]
fn another_run_goes_on_where_the_last_one_ended() {
    let folder = Folder::new();
    let server = Server::start(vec![honest]);
    let urls = [server.address.clone()];
    let stop_at_half = &mut |arrived: u64| if arrived >= LENGTH as u64 / 2 { Control::Stop } else { Control::Continue };
    let stopped = fetch(&release(), &urls, &folder.target(), stop_at_half).unwrap_err();
    assert!(matches!(stopped, FetchError::Stopped { .. }), "{stopped}");
    assert!(!folder.target().exists());
    let there = std::fs::metadata(folder.part()).unwrap().len() as usize;
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
    assert_eq!(server.requests(), [0, there]);
}

#[test]
fn a_server_without_ranges_is_good_enough() {
    let folder = Folder::new();
    let server = Server::start(vec![cut, without_ranges]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
}

#[test]
fn a_file_that_has_moved_is_followed() {
    let folder = Folder::new();
    let server = Server::start(vec![moved, moved, cut, moved, honest]);
    folder.fetch(&[&server.address]).unwrap();
    folder.assert_whole();
}

#[test]
fn a_part_of_another_file_is_found_out_and_dropped() {
    for there in [1000, LENGTH, LENGTH + 10] {
        let folder = Folder::new();
        std::fs::create_dir(folder.0.path().join("cache")).unwrap();
        std::fs::write(folder.part(), vec![9; there]).unwrap();
        let server = Server::start(vec![honest]);
        folder.fetch(&[&server.address]).unwrap();
        folder.assert_whole();
    }
}

#[test]
fn lies_and_refusals_are_sentences_and_the_next_mirror_is_asked() {
    let expect = |behaviour: Behaviour, needle: &str| {
        let folder = Folder::new();
        let server = Server::start(vec![behaviour]);
        let sentence = folder.fetch(&[&server.address]).unwrap_err().to_string();
        assert!(sentence.contains(needle) && sentence.contains(&server.address), "{needle}: {sentence}");
        assert!(!folder.target().exists(), "{needle}");
        let good = Server::start(vec![honest]);
        folder.fetch(&[&server.address, &good.address]).unwrap();
        folder.assert_whole();
    };
    expect(garbage, "SHA-256");
    expect(too_short, "another file (1000 bytes");
    expect(endless, "another file");
    expect(wrong_part, "another file");
    expect(not_found, "404");
    expect(no_such_range, "another file");
    expect(nonsense, "does not answer");
    expect(to_https, "not plain http");
    expect(to_a_file, "not plain http");
    expect(round_in_circles, "does not answer");
}

#[test]
fn nobody_there_and_other_schemes_are_sentences() {
    let folder = Folder::new();
    let nobody = nobody();
    let sentence = folder.fetch(&[&nobody]).unwrap_err().to_string();
    assert!(sentence.contains(&nobody) && sentence.contains("check the network"), "{sentence}");
    let sentence = folder.fetch(&["https://127.0.0.1:1/small.bin"]).unwrap_err().to_string();
    assert!(sentence.contains("not plain http"), "{sentence}");
    assert!(matches!(folder.fetch(&[]), Err(FetchError::NoAddress)));
    assert!(!folder.target().exists());
}

#[test]
fn two_fetches_do_not_mix() {
    let folder = Folder::new();
    let server = Server::start(vec![honest]);
    let urls = [server.address.clone()];
    let mut second = None;
    fetch(&release(), &urls, &folder.target(), &mut |_| {
        second.get_or_insert_with(|| folder.fetch(&[&server.address]));
        Control::Continue
    })
    .unwrap();
    let second = second.unwrap().unwrap_err().to_string();
    assert!(second.contains("another program"), "{second}");
    folder.assert_whole();
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    // The environment belongs to the whole process, so the program that has it is another one: this test, run again.
    const MARK: &str = "IMPASTO_TEST_THROUGH_PROXY";
    if std::env::var_os(MARK).is_some() {
        let folder = Folder::new();
        folder.fetch(&["http://files.invalid/small.bin"]).unwrap();
        folder.assert_whole();
        return;
    }
    let proxy = Server::start(vec![tunnel]);
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "a_proxy_of_the_environment_is_used"]).env(MARK, "1");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        again.env(name, proxy.address.trim_end_matches("/small.bin"));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        again.env_remove(name);
    }
    let output = again.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(proxy.requests().len(), 1);
}
