//! How far a run is, how fast it goes, and how much time is left.

use impasto::Scale;

/// How far a run is, after one evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Accepted evaluations, all sizes.
    pub iteration: u64,
    /// Evaluations of loss and gradient, all sizes, rejected ones included.
    pub evaluations: u64,
    /// The whole loss.
    pub loss: f64,
    /// Its content part.
    pub content: f64,
    /// Its style part.
    pub style: f64,
    /// Seconds since the start.
    pub seconds: f64,
    /// Width in pixels at this size.
    pub width: usize,
    /// Height in pixels at this size.
    pub height: usize,
}

/// Evaluations to be made at one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Width times height.
    pub pixels: u64,
    /// Evaluations.
    pub evaluations: u64,
}

/// What is to be done, for an estimate of the time that is left: an evaluation takes time by its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan(pub Vec<Stage>);

impl Plan {
    /// The plan of these scales.
    #[must_use]
    pub fn of(scales: &[Scale]) -> Plan {
        let stages = scales.iter().map(|scale| Stage {
            pixels: scale.width as u64 * scale.height as u64,
            evaluations: u64::from(scale.evaluations),
        });
        Plan(stages.collect())
    }

    /// Evaluations at all sizes.
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.0.iter().map(|stage| stage.evaluations).sum()
    }

    /// Seconds until the end, where an evaluation takes `each` seconds at the present size.
    #[must_use]
    pub fn seconds_left(&self, progress: &Progress, each: f64) -> f64 {
        self.pixels_left(progress.evaluations) as f64 / (progress.width * progress.height) as f64 * each
    }

    /// Pixels that are still to be evaluated after so many evaluations.
    fn pixels_left(&self, evaluations: u64) -> u64 {
        let mut done = evaluations;
        let left = self.0.iter().map(|stage| {
            let taken = done.min(stage.evaluations);
            done -= taken;
            (stage.evaluations - taken) * stage.pixels
        });
        left.sum()
    }
}

/// Seconds that an evaluation takes at the present size: the mean of late ones, the newest counting most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    last: Option<Progress>,
    each: Option<f64>,
}

impl Speed {
    /// Takes in one evaluation. `None` until there are two at one size: the first of a size waits for its preparations.
    pub fn measure(&mut self, progress: &Progress) -> Option<f64> {
        let same_size = |last: &Progress| (last.width, last.height) == (progress.width, progress.height);
        self.each = self.last.filter(same_size).map(|last| {
            let evaluations = progress.evaluations.saturating_sub(last.evaluations).max(1);
            let newest = (progress.seconds - last.seconds) / evaluations as f64;
            self.each.map_or(newest, |each| 0.8 * each + 0.2 * newest)
        });
        self.last = Some(*progress);
        self.each
    }
}

/// Seconds in words: `45 s`, `3 min 20 s`, `2 h 5 min`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(evaluations: u64, seconds: f64, side: usize) -> Progress {
        let (iteration, loss, content, style) = (evaluations, 1.5, 1.0, 0.5);
        Progress { iteration, evaluations, loss, content, style, seconds, width: side, height: side }
    }

    #[test]
    fn time_left_goes_by_pixels() {
        let plan = Plan(vec![Stage { pixels: 100, evaluations: 10 }, Stage { pixels: 400, evaluations: 10 }]);
        assert_eq!(plan.evaluations(), 20);
        assert_eq!(plan.pixels_left(0), 5000);
        assert_eq!(plan.pixels_left(10), 4000);
        // More evaluations than planned: nothing is left.
        assert_eq!(plan.pixels_left(25), 0);
        // 5 small ones at 0.1 s, and 10 large ones of four times the pixels.
        assert_eq!(plan.seconds_left(&progress(5, 0.5, 10), 0.1), 4.5);
    }

    #[test]
    fn speed_is_that_of_the_present_size() {
        let mut speed = Speed::default();
        assert_eq!(speed.measure(&progress(1, 5.0, 10)), None);
        assert_eq!(speed.measure(&progress(2, 6.0, 10)), Some(1.0));
        // Two evaluations, one of them rejected and never shown.
        assert_eq!(speed.measure(&progress(4, 8.0, 10)), Some(1.0));
        assert_eq!(speed.measure(&progress(5, 20.0, 20)), None);
        assert_eq!(speed.measure(&progress(6, 24.0, 20)), Some(4.0));
    }

    #[test]
    fn durations_are_words() {
        assert_eq!(duration(0.4), "0 s");
        assert_eq!(duration(59.6), "1 min 0 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7500.0), "2 h 5 min");
        assert_eq!(duration(-1.0), "0 s");
        assert_eq!(duration(f64::NAN), "0 s");
    }
}
