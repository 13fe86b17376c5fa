//! The options that say what computes: `--device` and `--threads`.

use clap::Args;
use impasto_job::DeviceChoice;

use super::running::threads;

/// `--device` and `--threads`, where a command runs the network.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct DeviceArguments {
    /// What computes: cpu, gpu, gpu:N as `impasto devices` lists them, or auto: a GPU where there is one, else the processor
    ///
    /// auto takes no software GPU, tests a GPU on a small picture before it trusts it, and goes on with the processor where
    /// a GPU fails. Each paints the same picture but for the rounding.
    #[arg(long, value_name = "auto|cpu|gpu|gpu:N", default_value_t)]
    pub device: DeviceChoice,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<usize>,
}
