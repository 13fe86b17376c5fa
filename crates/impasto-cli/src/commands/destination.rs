//! Where `-o` leads: to a file, to standard output (`-`), or into a pipe.

use std::fs::OpenOptions;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use impasto::disk::is_pipe;
use impasto::write::OutputFormat;
use impasto_job::{Destination, Failure, Stream};

/// The names of standard output.
const STANDARD_OUTPUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Where a picture goes that was sent to `output`. Waits where that is a named pipe that nothing reads yet.
///
/// # Errors
/// Standard output that is a terminal, or has JSON lines on it; a format that contradicts the file's name; a pipe that
/// cannot be opened.
pub fn destination(output: &Path, format: Option<OutputFormat>, is_json: bool) -> Result<Destination, Failure> {
    if is_standard_output(output) {
        if is_json {
            return Err(Failure::usage(
                "--json prints its lines on standard output, so the picture cannot go there; give --output a file's name",
            ));
        }
        if stdout().is_terminal() {
            return Err(Failure::usage(
                "standard output is a terminal, which shows no picture; send it on (-o - > picture.png), or give --output a file's name",
            ));
        }
        let format = format.unwrap_or(OutputFormat::Png);
        return Ok(Destination::Stream(Stream::new("standard output", format, stdout())));
    }
    let by_name = OutputFormat::from_path(output).ok();
    if is_pipe(output) {
        let opened = OpenOptions::new().write(true).open(output);
        let pipe =
            opened.map_err(|error| Failure::file(output, format_args!("cannot be written ({error}); check it")))?;
        let format = format.or(by_name).unwrap_or(OutputFormat::Png);
        return Ok(Destination::Stream(Stream::new(&output.to_string_lossy(), format, pipe)));
    }
    match format {
        Some(format) if by_name != Some(format) => Err(Failure::usage(format_args!(
            "--format is for pictures that go down a pipe, and the name {} does not say {format:?}; end it in .png, .jpg, .webp or .tif",
            output.display()
        ))),
        _ => Ok(PathBuf::from(output).into()),
    }
}

/// Refuses a stream where names of files are made of the name.
///
/// # Errors
/// `output` is one; `why` says what is made of it.
pub fn demand_file(output: &Path, why: &str) -> Result<(), Failure> {
    match is_standard_output(output) || is_pipe(output) {
        true => {
            Err(Failure::usage(format_args!("--output {} is a pipe, but {why}; give a file's name", output.display())))
        }
        false => Ok(()),
    }
}

fn is_standard_output(output: &Path) -> bool {
    STANDARD_OUTPUT.iter().any(|name| output == Path::new(name) && (*name == "-" || cfg!(unix)))
}
