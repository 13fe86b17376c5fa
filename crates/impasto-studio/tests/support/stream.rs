//! A stream of events, read one by one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::Client;

/// Events as they come.
pub struct Stream {
    reader: BufReader<TcpStream>,
}

impl Stream {
    /// Opens one.
    pub fn open(client: &Client, path: &str) -> Stream {
        let mut stream = client.connect();
        stream.write_all(client.head("GET", path, &[]).as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "HTTP/1.1 200 OK");
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        Stream { reader }
    }

    /// The next event; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<(String, Value)> {
        let (mut name, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if self.reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let text = line.trim_end();
            if let Some(event) = text.strip_prefix("event: ") {
                name = event.to_owned();
            } else if let Some(data) = text.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            } else if let Some(wait) = text.strip_prefix("retry: ") {
                return Some(("retry".to_owned(), Value::from(wait.parse::<u64>().unwrap())));
            }
        }
    }

    /// The next event of this name for which `is_wanted`; what comes before is dropped.
    pub fn find(&mut self, name: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (found, data) = self.next().unwrap_or_else(|| panic!("the stream ends before {name}"));
            if found == name && is_wanted(&data) {
                return data;
            }
        }
    }
}
