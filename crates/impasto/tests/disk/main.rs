//! A file is the old one or the new one, whatever the disk does: it fails at any operation, writes only parts, loses
//! power and with it any of the writes that were not yet confirmed.

mod checkpoints;
mod faulty;
mod files;
mod new_files;
#[cfg(target_os = "linux")]
mod places;
mod recorder;
