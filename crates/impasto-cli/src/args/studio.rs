//! Options of `studio`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::DeviceArguments;

/// Options of `studio`.
#[derive(Args, Debug)]
pub struct StudioArguments {
    /// The folder that runs are kept in, those of `paint --run-dir` too; it is made where it is not there
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    /// The port [default: 8017, or any where that is taken]
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// The address to listen on; 0.0.0.0 lets in whoever reaches this machine and has the token, unencrypted
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// The token that lets a browser or a script in, 16 letters or more [default: a new one each time]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Open no browser
    #[arg(long)]
    pub no_open: bool,
    /// Where the network runs, unless the page says something else.
    #[command(flatten)]
    pub device: DeviceArguments,
}
