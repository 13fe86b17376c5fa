//! Times and rates of films, as people and ffmpeg write them.

use std::fmt;

/// Frames a second, as the fraction that films have it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Frames.
    pub frames: u64,
    /// In so many seconds, 1 or more.
    pub seconds: u64,
}

impl Rate {
    /// A rate as ffprobe writes it, `30000/1001`; `None` for none, which it writes as `0/0`.
    pub fn parse(text: &str) -> Option<Rate> {
        let (frames, seconds) = text.split_once('/').unwrap_or((text, "1"));
        let rate = Rate { frames: frames.trim().parse().ok()?, seconds: seconds.trim().parse().ok()? };
        (rate.frames > 0 && rate.seconds > 0).then_some(rate)
    }

    /// As a number.
    pub fn per_second(self) -> f64 {
        self.frames as f64 / self.seconds as f64
    }

    /// The rate of every `every`th frame.
    pub fn of_every(self, every: u32) -> Rate {
        Rate { seconds: self.seconds.saturating_mul(u64::from(every)), ..self }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.frames, self.seconds)
    }
}

/// A time in seconds, written as `12.5`, `1:30` or `0:01:30.5`.
pub fn parse_seconds(text: &str) -> Result<f64, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |part: &&str| {
        let is_plain = !part.is_empty() && part.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
        if is_plain { part.parse::<f64>().ok() } else { None }
    };
    let numbers: Option<Vec<f64>> = parts.iter().map(number).collect();
    match numbers {
        Some(numbers) if numbers.len() <= 3 => Ok(numbers.iter().fold(0.0, |seconds, part| seconds * 60.0 + part)),
        _ => Err("give seconds, 12.5, or hours, minutes and seconds, 0:01:30".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(parse_seconds("12.5"), Ok(12.5));
        assert_eq!(parse_seconds("1:30"), Ok(90.0));
        assert_eq!(parse_seconds("1:00:01.5"), Ok(3601.5));
        for wrong in ["", "-1", "1:2:3:4", "1e3", "inf", ":", "a", "1.2.3"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_are_fractions() {
        let rate = Rate::parse("30000/1001").unwrap();
        assert!((rate.per_second() - 29.97).abs() < 1e-3);
        assert_eq!(rate.of_every(2).to_string(), "30000/2002");
        assert_eq!(Rate::parse("25"), Some(Rate { frames: 25, seconds: 1 }));
        for none in ["0/0", "0/1", "", "x/1", "-3/1"] {
            assert_eq!(Rate::parse(none), None, "{none}");
        }
    }
}
