//! What computes, as a person names it.

use std::fmt;
use std::str::FromStr;

/// What `--device` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best GPU that is no software and computes right, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The best GPU, a software one if there is no other.
    Gpu,
    /// The GPU with this number, from 0.
    GpuNumber(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceChoice, String> {
        match text.split_once(':') {
            None if text == "auto" => Ok(DeviceChoice::Auto),
            None if text == "cpu" => Ok(DeviceChoice::Cpu),
            None if text == "gpu" => Ok(DeviceChoice::Gpu),
            // Digits alone: `parse` would take a sign too.
            Some(("gpu", number)) if number.bytes().all(|letter| letter.is_ascii_digit()) => {
                number.parse().map(DeviceChoice::GpuNumber).map_err(|_| UNKNOWN.to_owned())
            }
            _ => Err(UNKNOWN.to_owned()),
        }
    }
}

const UNKNOWN: &str = "give auto, cpu, gpu, or gpu:N with a number that `impasto devices` lists";

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => formatter.write_str("auto"),
            DeviceChoice::Cpu => formatter.write_str("cpu"),
            DeviceChoice::Gpu => formatter.write_str("gpu"),
            DeviceChoice::GpuNumber(number) => write!(formatter, "gpu:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_as_it_is_written() {
        for name in ["auto", "cpu", "gpu", "gpu:0", "gpu:12"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        for wrong in ["", "GPU", "cuda", "gpu:", "gpu:-1", "gpu:+1", "gpu:x", "cpu:0", "gpu:99999999999999999999"] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }
}
