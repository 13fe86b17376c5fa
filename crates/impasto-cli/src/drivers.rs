//! What graphics drivers print, and how not to be interrupted by it.
//!
//! Mesa's layer that orders GPUs asks Wayland which one shows the desktop, and libwayland prints "XDG_RUNTIME_DIR is invalid
//! or not set" where there is no session: over ssh, in containers and batch systems. A folder that is not there makes it fail
//! just as well, in silence. A program cannot soundly change its own environment while other threads may read it, so it is
//! started anew with that one more variable, in the same process and before it has done anything.

use impasto_job::DeviceChoice;

use crate::args::{BatchCommand, Command};

/// An absolute path at which nobody offers a Wayland display.
#[cfg(target_os = "linux")]
const NO_SESSION: &str = "/nonexistent";

/// Starts the program anew where a GPU's driver would print between its lines; returns where it need not be, or cannot.
pub fn quiet(command: &Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        use std::path::Path;
        const SESSION: &str = "XDG_RUNTIME_DIR";

        let has_session = std::env::var_os(SESSION).is_some_and(|folder| Path::new(&folder).is_absolute());
        if has_session || !cfg!(feature = "gpu") || !asks_for_gpu(command) {
            return;
        }
        let Ok(program) = std::env::current_exe() else { return };
        let mut words = std::env::args_os();
        let mut again = std::process::Command::new(program);
        again.arg0(words.next().unwrap_or_default()).args(words).env(SESSION, NO_SESSION);
        // It comes back only where it failed. Then the line is printed, and nothing else is lost.
        let _ = again.exec();
    }
    #[cfg(not(target_os = "linux"))]
    let _ = asks_for_gpu(command);
}

/// Whether a command may open a GPU's driver.
fn asks_for_gpu(command: &Command) -> bool {
    let device = match command {
        Command::Devices(_) => return true,
        Command::Paint(arguments) => arguments.running.device,
        Command::Texture(arguments) => arguments.running.device,
        Command::Reconstruct(arguments) => arguments.running.device,
        Command::Sweep(arguments) => arguments.running.device,
        Command::Batch(BatchCommand::Plan(arguments)) => arguments.device,
        Command::Batch(BatchCommand::Run(arguments)) => arguments.device,
        Command::Resume(arguments) => arguments.running.device,
        Command::Video(arguments) => arguments.device,
        Command::Plan(arguments) => arguments.device,
        #[cfg(feature = "studio")]
        Command::Studio(_) => return true,
        Command::Selftest(arguments) => arguments.device,
        Command::Bench(arguments) => arguments.device,
        Command::Batch(BatchCommand::Status(_) | BatchCommand::Report(_))
        | Command::Runs(_)
        | Command::Report(_)
        | Command::Recipe { .. }
        | Command::Weights(_)
        | Command::Completions { .. }
        | Command::Man => return false,
    };
    device.device != DeviceChoice::Cpu
}
