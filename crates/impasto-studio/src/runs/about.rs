//! What a run's folder says for the studio beside `run.json`: what people call it, and whence it comes.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use impasto::disk::{RealDisk, read_file, replace_file};
use serde::{Deserialize, Serialize};

use crate::names::RunId;

/// The file.
const FILE: &str = "studio.json";

/// What people call a run, and whence it comes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// What people call it.
    pub name: String,
    /// The run that it was branched from, or painted larger from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The parent's evaluations where it was branched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branched_at: Option<u32>,
    /// What shall paint it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// When it was put in line, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_s: Option<u64>,
}

impl About {
    /// What a run's folder says; what its name says where it says nothing.
    pub fn read(folder: &Path) -> About {
        let bytes = read_file(&folder.join(FILE), 1).unwrap_or_default();
        let mut about: About = serde_json::from_slice(&bytes).unwrap_or_default();
        if about.name.is_empty() {
            about.name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        }
        about.name = short(&about.name);
        about
    }

    /// Writes it down. A run without it is whole, so that what fails here is left.
    pub fn write(&self, folder: &Path) {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let _ = replace_file(&RealDisk, &folder.join(FILE), &text);
    }
}

/// A name on one line and not too long.
pub fn short(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(120).collect()
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A time like `2026-11-24T22:10:03Z` in seconds since 1970; 0 where it is none.
pub fn seconds_of(time: &str) -> u64 {
    let number = |from: usize, to: usize| time.get(from..to).and_then(|digits| digits.parse::<u64>().ok());
    let parts = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)].map(|(from, to)| number(from, to));
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = parts else { return 0 };
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return 0;
    }
    // Years that begin in March, so that a leap day is their last (Hinnant, "chrono-compatible date algorithms").
    let (march_year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * march_year + march_year / 4 - march_year / 100 + march_year / 400 + (153 * march_month + 2) / 5 + day - 1;
    (days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from `date --utc --date=TIME +%s`.
    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(seconds_of("1970-01-01T00:00:00Z"), 0);
        assert_eq!(seconds_of("2000-02-29T00:00:00Z"), 951_782_400);
        assert_eq!(seconds_of("2023-12-31T23:59:59Z"), 1_704_067_199);
        assert_eq!(seconds_of("2100-03-01T00:00:00Z"), 4_107_542_400);
        for wrong in ["", "yesterday", "2026-13-01T00:00:00Z", "0000-00-00T00:00:00Z"] {
            assert_eq!(seconds_of(wrong), 0, "{wrong}");
        }
    }
}
