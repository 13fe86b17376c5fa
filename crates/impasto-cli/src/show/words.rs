//! Numbers of a run in words, for people.

use impasto::forecast::Forecast;
use impasto_job::pace::{Plan, Progress, duration};

/// Loss, speed and time left; an evaluation takes time by its pixels.
pub fn describe(progress: &Progress, plan: &Plan, each: Option<f64>) -> String {
    let loss = format!("loss {:.4e}", progress.loss);
    let Some(each) = each else { return loss };
    let speed = if each < 0.1 { format!("{:.0} ms", 1e3 * each) } else { format!("{each:.2} s") };
    format!("{loss}  {speed} each  {} left", duration(plan.seconds_left(progress, each)))
}

/// `about 1.9 GiB, about 9 minutes`, and what of a GPU's own memory where it has any.
pub fn forecast_sentence(forecast: &Forecast) -> String {
    let on_device = match forecast.memory.device_bytes {
        0 => String::new(),
        bytes => format!(" and {} on the GPU", memory(bytes)),
    };
    format!("about {}{on_device}, about {}", memory(forecast.memory.bytes), time(forecast.seconds))
}

/// `about 1.9 GiB each, about 3.5 hours for all of them on this machine`.
pub fn batch_forecast(memory_mib: f64, device_mib: f64, seconds: f64) -> String {
    let bytes = |mib: f64| (mib * f64::from(1 << 20)) as u64;
    let on_device = match device_mib {
        mib if mib > 0.0 => format!(" and {} on the GPU", memory(bytes(mib))),
        _ => String::new(),
    };
    let memory = memory(bytes(memory_mib));
    format!("at most about {memory}{on_device} at once, about {} for what is left, on this machine", time(seconds))
}

/// `1 picture`, `12 pictures`, `12 pictures and shots`: so many tasks of a batch.
pub fn tasks(count: usize, has_films: bool) -> String {
    let what = match (has_films, count) {
        (false, 1) => "picture",
        (false, _) => "pictures",
        (true, 1) => "picture or shot",
        (true, _) => "pictures and shots",
    };
    format!("{count} {what}")
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn memory(bytes: u64) -> String {
    match mib(bytes) {
        mib if mib < 1000.0 => format!("{:.0} MiB", (mib / 10.0).round() * 10.0),
        mib => format!("{:.1} GiB", mib / 1024.0),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.5 => "a second".to_owned(),
        seconds if seconds < 90.0 => format!("{seconds:.0} seconds"),
        seconds if seconds < 5400.0 => format!("{:.0} minutes", seconds / 60.0),
        seconds => format!("{:.1} hours", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use impasto::forecast::MemoryNeed;
    use impasto_job::pace::Stage;

    use super::*;

    #[test]
    fn a_forecast_reads_as_people_say_it() {
        let on = |bytes, device_bytes, seconds| {
            forecast_sentence(&Forecast { memory: MemoryNeed { bytes, device_bytes }, seconds })
        };
        let said = |bytes, seconds| on(bytes, 0, seconds);
        assert_eq!(on(200 << 20, 3 << 30, 9.0), "about 200 MiB and 3.0 GiB on the GPU, about 9 seconds");
        assert_eq!(said(636 << 20, 64.2), "about 640 MiB, about 64 seconds");
        assert_eq!(said(1946 << 20, 540.0), "about 1.9 GiB, about 9 minutes");
        assert_eq!(said(9 << 30, 9000.0), "about 9.0 GiB, about 2.5 hours");
        assert_eq!(said(0, 0.1), "about 0 MiB, about a second");
    }

    #[test]
    fn a_line_has_loss_speed_and_time_left() {
        let progress = |evaluations, seconds| Progress {
            iteration: evaluations,
            evaluations,
            loss: 1.5,
            content: 1.0,
            style: 0.5,
            seconds,
            width: 10,
            height: 10,
        };
        let plan = Plan(vec![Stage { pixels: 100, evaluations: 10 }, Stage { pixels: 400, evaluations: 10 }]);
        // 5 small ones at 0.1 s, and 10 large ones of four times the pixels.
        assert_eq!(describe(&progress(5, 0.5), &plan, Some(0.1)), "loss 1.5000e0  0.10 s each  5 s left");
        assert_eq!(describe(&progress(1, 9.0), &plan, None), "loss 1.5000e0");
    }
}
