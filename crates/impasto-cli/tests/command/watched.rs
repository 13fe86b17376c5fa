//! The program on its way: started, watched line by line, and ended by a signal where a test wants it to be.

use std::io::{BufRead, BufReader, PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use impasto::disk::is_temporary;

use crate::workshop::{Workshop, files_of};

/// Evaluations that a program may be ahead of the lines that a test has read, at most. Its pipe holds a page, and a line
/// of `--json` has more than 120 bytes; so a program with more than these before it has not ended, however long a busy
/// machine lets the test wait. (Other systems than Linux have larger pipes.)
pub const AHEAD: usize = 4096 / 120 + READ_AT_ONCE_BYTES / 120 + 2;

const READ_AT_ONCE_BYTES: usize = 256;

/// A program that runs.
pub struct Watched {
    child: Child,
    stdout: BufReader<PipeReader>,
}

/// How a program ended.
pub struct Ended {
    /// The exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// The lines of standard output that were not read before.
    pub lines: Vec<String>,
    /// What it said.
    pub said: String,
}

impl Watched {
    /// Starts the program with `--json` besides these words.
    pub fn start(workshop: &Workshop, words: &[&str]) -> Watched {
        let (reader, writer) = std::io::pipe().unwrap();
        #[cfg(target_os = "linux")]
        rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
        let mut command: Command = workshop.command(&[words, &["--json"]].concat());
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        // Dropped here, the command closes its end of the pipe, so that the last line is the last.
        Watched { child, stdout: BufReader::with_capacity(READ_AT_ONCE_BYTES, reader) }
    }

    /// Starts the program and waits until it has told so many lines.
    pub fn after(workshop: &Workshop, words: &[&str], lines: usize) -> Watched {
        let mut watched = Watched::start(workshop, words);
        for line in 0..lines {
            if watched.line().is_none() {
                panic!("ended after {line} lines: {}", watched.end().said);
            }
        }
        watched
    }

    /// The next line; `None` where the program has ended.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.stdout.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    /// Sends a signal: `INT`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether its main thread, which writes the files, stands still after `STOP`.
    #[cfg(target_os = "linux")]
    pub fn is_halted(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status.contains("State:\tT")
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ended {
            status: output.status.code(),
            lines: rest.lines().map(str::to_owned).collect(),
            said: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Ends it at once (`kill -9`); it has to be on its way still. What a save that was going on has left is removed, as
    /// the next start would do, be it refused or not.
    pub fn kill(mut self, workshop: &Workshop) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before it was killed: {status}");
        for path in files_of(&workshop.path(".")).into_keys() {
            if is_temporary(path.file_name().unwrap().to_str().unwrap()) {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}
