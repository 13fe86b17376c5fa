//! Servers that run for one test: honest and not, plain and secure, and a proxy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::secure::Identity;
use super::{LENGTH, file};

/// What bytes go over: TCP, or TLS on it.
pub trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// What a server does with one request: the byte that the client wants to begin at, and the connection.
pub type Behaviour = fn(usize, &mut dyn Connection) -> std::io::Result<()>;

/// A server that treats its first request by the first behaviour and so on, and all further ones by the last.
pub struct Server {
    /// Of the file.
    pub address: String,
    /// The byte that each request wanted to begin at.
    requests: Arc<Mutex<Vec<usize>>>,
}

/// Reads a request's lines; returns the byte that it wants to begin at. None where the client hangs up instead.
fn read_request(stream: &mut dyn Connection) -> Option<usize> {
    let mut from = None;
    for line in BufReader::with_capacity(1, stream).lines() {
        let line = line.ok()?.to_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = Some(range.trim_end_matches('-').parse().unwrap());
        }
        if line.is_empty() {
            return Some(from.unwrap_or(0));
        }
    }
    None
}

impl Server {
    /// A plain one.
    pub fn start(behaviours: Vec<Behaviour>) -> Server {
        Server::with_identity(behaviours, None)
    }

    /// One that speaks TLS.
    pub fn secure(identity: Identity, behaviours: Vec<Behaviour>) -> Server {
        Server::with_identity(behaviours, Some(identity))
    }

    fn with_identity(behaviours: Vec<Behaviour>, identity: Option<Identity>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if identity.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}/small.bin", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream: Box<dyn Connection> = match &identity {
                    Some(identity) => Box::new(identity.wrap(stream.unwrap())),
                    None => Box::new(stream.unwrap()),
                };
                let Some(from) = read_request(&mut stream) else { continue };
                let count = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(from);
                    seen.len()
                };
                // The client may hang up whenever it has seen enough.
                let _ = behaviours[(count - 1).min(behaviours.len() - 1)](from, &mut stream);
                let _ = stream.flush();
            }
        });
        Server { address, requests }
    }

    /// A proxy that opens tunnels, all of them to `behind`, whatever host they are asked for.
    pub fn proxy(behind: &Server) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/small.bin", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, behind) = (Arc::clone(&requests), behind.host().to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut client = stream.unwrap();
                seen.lock().unwrap().extend(read_request(&mut client));
                write!(client, "HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
                let mut server = TcpStream::connect(&behind).unwrap();
                let (mut to, mut from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            }
        });
        Server { address, requests }
    }

    /// A plain one that sends every request to `address`.
    pub fn redirecting_to(address: &str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = format!("http://{}/small.bin", listener.local_addr().unwrap());
        let more = format!("Location: {address}\r\n");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                read_request(&mut stream);
                let _ = head(&mut stream, "301 Moved Permanently", 0, &more);
            }
        });
        Server { address: here, requests: Arc::default() }
    }

    /// `127.0.0.1:1234`
    pub fn host(&self) -> &str {
        self.address.split('/').nth(2).unwrap()
    }

    /// `http://127.0.0.1:1234`
    pub fn origin(&self) -> String {
        self.address.trim_end_matches("/small.bin").to_owned()
    }

    /// The byte that each request so far wanted to begin at.
    pub fn requests(&self) -> Vec<usize> {
        self.requests.lock().unwrap().clone()
    }
}

/// An address where nothing listens: no server of a test is given this port.
pub fn nobody() -> String {
    "http://127.0.0.1:1/small.bin".to_owned()
}

fn head(stream: &mut dyn Connection, status: &str, length: usize, more: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
}

/// As it should be, with ranges.
pub fn honest(from: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
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
pub fn cut(from: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
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
pub fn without_ranges(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")?;
    stream.write_all(&file())
}

/// The right length, another content.
pub fn garbage(from: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")?;
    let _ = from;
    stream.write_all(&vec![7; LENGTH])
}

pub fn too_short(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", 1000, "")?;
    stream.write_all(&file()[..1000])
}

pub fn too_long(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH + 5, "")?;
    stream.write_all(&[&file()[..], &[0; 5]].concat())
}

/// Promises everything and brings nothing.
pub fn hangs_up(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")
}

/// A third of the file, from its beginning.
pub fn anew_a_third(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")?;
    stream.write_all(&file()[..LENGTH / 3])
}

/// A quarter of it.
pub fn anew_a_quarter(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "200 OK", LENGTH, "")?;
    stream.write_all(&file()[..LENGTH / 4])
}

/// No length is given, and the bytes never end.
pub fn endless(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
    loop {
        stream.write_all(&[1; 4096])?;
    }
}

pub fn wrong_part(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "206 Partial Content", 10, &format!("Content-Range: bytes 5-14/{LENGTH}\r\n"))?;
    stream.write_all(&[0; 10])
}

pub fn not_found(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "404 Not Found", 0, "")
}

pub fn no_such_range(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "416 Range Not Satisfiable", 0, "")
}

pub fn nonsense(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    stream.write_all(b"\x00\x01\x02 this is not HTTP \xff\xff\r\n\r\n")
}

/// To where nobody listens, securely.
pub fn to_https(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: https://127.0.0.1:1/small.bin\r\n")
}

pub fn to_a_file(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: file:///etc/hostname\r\n")
}

pub fn to_data(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: data:text/plain,hello\r\n")
}

pub fn to_http(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: http://127.0.0.1:1/small.bin\r\n")
}

pub fn round_in_circles(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "302 Found", 0, "Location: /again\r\n")
}

/// Sends to the file at another place of the same server, which sends it.
pub fn moved(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "301 Moved Permanently", 0, "Location: /elsewhere/small.bin\r\n")
}

/// The same, said relative to where it was.
pub fn moved_by_half(_: usize, stream: &mut dyn Connection) -> std::io::Result<()> {
    head(stream, "308 Permanent Redirect", 0, "Location: half/small.bin\r\n")
}
