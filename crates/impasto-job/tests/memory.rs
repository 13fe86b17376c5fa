//! Jobs one after another in one process give their memory back.

mod workshop;

use workshop::{Workshop, engines};

/// What may stay of eight jobs more, in MiB.
const MOST_GROWTH_MIB: f64 = 8.0;

/// Memory of this process that is there now, in MiB.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

#[test]
fn ten_jobs_end_where_the_second_ended() {
    let workshop = Workshop::new();
    let mut engines = engines();
    let mut after = Vec::new();
    for place in 0..10 {
        let photo = if place % 2 == 0 { "photo.png" } else { "other.png" };
        workshop.paint(&mut engines, photo, &format!("{place}.png"));
        after.extend(resident_mib());
    }
    if after.is_empty() {
        println!("skipped: this system does not say how much memory a process has");
        return;
    }
    println!("MiB after each job: {after:.1?}");
    assert!(after[9] - after[1] <= MOST_GROWTH_MIB, "{after:.1?}");
}
