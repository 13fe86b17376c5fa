//! The engines of a command, from its options.

use impasto_job::Engines;

use crate::args::DeviceArguments;
use crate::show::Voice;

/// For a command that paints one picture.
pub fn for_one(device: DeviceArguments, voice: &Voice) -> Engines {
    Engines::for_one_job(device.device, device.threads, voice.hearing())
}

/// For a command that paints several.
pub fn for_many(device: DeviceArguments, voice: &Voice) -> Engines {
    Engines::for_many_jobs(device.device, device.threads, voice.hearing())
}
