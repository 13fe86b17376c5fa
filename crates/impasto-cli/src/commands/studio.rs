//! `impasto studio`: a page on this machine, until Ctrl-C.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use impasto_job::Failure;
use impasto_studio::{Options, serve};

use crate::args::StudioArguments;
use crate::interrupt;
use crate::show::{Output, Voice, say};

/// How often it is looked whether Ctrl-C was pressed.
const LOOK: Duration = Duration::from_millis(50);

/// Serves until it is interrupted.
///
/// # Errors
/// The address cannot be listened on; the folder cannot be made.
pub fn studio(arguments: &StudioArguments, output: &mut Output) -> Result<(), Failure> {
    interrupt::catch_kept()?;
    let options = Options {
        listen: arguments.listen,
        port: arguments.port,
        runs: arguments.runs.clone(),
        token: arguments.token.clone(),
        device: arguments.device.device,
        threads: arguments.device.threads,
        voice: Voice::new(false).hearing(),
    };
    let server = serve(options)?;
    if !arguments.listen.is_loopback() {
        say(&format!(
            "listening on {}: whoever reaches this machine there and has the token paints on it, and what is sent is not encrypted",
            server.address()
        ));
    }
    output.line(&server.url());
    output.finish()?;
    say(&format!("open that address in a browser; runs are kept in {}, and Ctrl-C ends it", arguments.runs.display()));
    let mut browser = if arguments.no_open { None } else { open(&server.url()) };
    while !interrupt::requested() {
        std::thread::sleep(LOOK);
        // What has ended is let go.
        if browser.as_mut().is_some_and(|browser| browser.try_wait().is_ok_and(|ended| ended.is_some())) {
            browser = None;
        }
    }
    server.stop();
    Ok(())
}

/// Opens an address in the browser of whoever sits here; where there is none, the address stands in the terminal.
fn open(url: &str) -> Option<Child> {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut command = Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        command
    } else {
        // Over ssh and in containers there is nobody to see it.
        let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
        if !has_display {
            return None;
        }
        Command::new("xdg-open")
    };
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
}
