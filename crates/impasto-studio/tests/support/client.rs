//! A client that writes its requests byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }
}

/// Somebody with an address and headers.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub headers: Vec<(String, String)>,
}

impl Client {
    /// Nobody in particular.
    pub fn stranger(address: SocketAddr) -> Client {
        Client { address, headers: vec![("host".into(), address.to_string())] }
    }

    /// A script with the token.
    pub fn script(address: SocketAddr, token: &str) -> Client {
        Client::stranger(address).with("authorization", &format!("Bearer {token}")).with("x-impasto", "1")
    }

    /// A browser that has opened the address with the token.
    pub fn browser(address: SocketAddr, token: &str) -> Client {
        let stranger = Client::stranger(address);
        let said = stranger.get(&format!("/?token={token}"));
        assert_eq!((said.status, said.header("location")), (303, Some("/")));
        let cookie = said.header("set-cookie").unwrap();
        let parts: Vec<&str> = cookie.split("; ").collect();
        assert_eq!(parts[1..], ["Path=/", "HttpOnly", "SameSite=Strict"], "{cookie}");
        assert!(parts[0].starts_with(&format!("impasto-{}=", address.port())), "{cookie}");
        stranger.with("cookie", parts[0]).with("origin", &format!("http://{address}")).with("x-impasto", "1")
    }

    /// With this header in place of any of its name; without it where it is empty.
    pub fn with(&self, name: &str, value: &str) -> Client {
        let mut headers = self.headers.clone();
        headers.retain(|(known, _)| known != name);
        if !value.is_empty() {
            headers.push((name.to_owned(), value.to_owned()));
        }
        Client { headers, ..self.clone() }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], b"")
    }

    /// Sends an image and gives its identifier.
    pub fn image(&self, name: &str, bytes: &[u8]) -> String {
        let said = self.send("POST", &format!("/api/images?name={name}"), &[], bytes);
        assert_eq!(said.status, 201, "{}", said.text());
        said.json()["id"].as_str().unwrap().to_owned()
    }

    /// The head of a request, as it is written.
    pub fn head(&self, method: &str, path: &str, more: &[(&str, &str)]) -> String {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let lines = own.chain(more.iter().copied()).map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{method} {path} HTTP/1.1\r\n{}\r\n", lines.collect::<String>())
    }

    /// Sends a request on a connection of its own.
    pub fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let length = body.len().to_string();
        let mut all = vec![("connection", "close")];
        if !body.is_empty() || method == "POST" {
            all.push(("content-length", &length));
        }
        all.extend(more);
        let mut stream = self.connect();
        stream.write_all(self.head(method, path, &all).as_bytes()).unwrap();
        // Who is refused need not have been heard to the end.
        let _ = stream.write_all(body);
        read_answer(&mut stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

/// Reads one answer, by its length, its pieces, or to the end.
pub fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            other => panic!("the answer ends in its head ({other:?}): {}", String::from_utf8_lossy(&head)),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<(String, String)> = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut body = Vec::new();
    match (header("content-length"), header("transfer-encoding")) {
        (Some(length), _) => {
            body.resize(length.parse().unwrap(), 0);
            stream.read_exact(&mut body).unwrap();
        }
        (None, Some("chunked")) => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            body = joined(&rest);
        }
        _ => {}
    }
    Answer { status, headers, body }
}

/// What stands in the pieces of a chunked body.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
    body
}

/// A piece of a chunked body.
pub fn chunked(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}
