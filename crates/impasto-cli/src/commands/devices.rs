//! `impasto devices`: what can compute here, and what `--device auto` takes.

use impasto_job::Failure;
use impasto_job::engine::{Listing, Row, list};

use crate::args::DevicesArguments;
use crate::show::Output;

/// Lists the processor and the GPUs.
///
/// # Errors
/// IMPASTO_ISA asks for what is not there.
pub fn devices(arguments: &DevicesArguments, output: &mut Output) -> Result<(), Failure> {
    let Listing { rows, auto_takes_gpu } = list()?;
    if arguments.json {
        rows.iter().for_each(|row| output.json(row));
        return output.finish();
    }
    table(&rows).iter().for_each(|line| output.line(line));
    let takes_gpu = matches!(auto_takes_gpu, Ok(true));
    let why = match (auto_takes_gpu, rows.len()) {
        (Ok(true), _) => "; test it with `impasto selftest`, and its speed with `impasto bench`".to_owned(),
        (Err(why), _) => format!(", for {why}"),
        (Ok(false), 1) => ", for no GPU was found".to_owned(),
        (Ok(false), _) => ", for it is faster than a GPU of software".to_owned(),
    };
    output.line(&format!("--device auto takes {}{why}", if takes_gpu { "gpu:0" } else { "cpu" }));
    output.finish()
}

/// The rows under their headings, each column as wide as it needs.
fn table(rows: &[Row]) -> Vec<String> {
    let headings = ["DEVICE", "NAME", "KIND", "INTERFACE", "DRIVER", "LARGEST BUFFER", "AND BINDING", "FEATURES"];
    let mut cells = vec![headings.map(str::to_owned)];
    cells.extend(rows.iter().map(cells_of));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &[String; 8]| {
        let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

/// A row as it is printed.
fn cells_of(row: &Row) -> [String; 8] {
    let mib = |limit: Option<u64>| limit.map_or(String::new(), |mib| format!("{mib} MiB"));
    let mut features = Vec::new();
    features.extend(row.threads.map(|threads| format!("{threads} threads")));
    features.extend(row.f16.then(|| "f16".to_owned()));
    features.extend(row.subgroups.map(|(least, most)| match least == most {
        true => format!("subgroups of {least}"),
        false => format!("subgroups of {least} to {most}"),
    }));
    features.extend(row.timestamps.then(|| "timestamps".to_owned()));
    [
        row.device.clone(),
        row.name.clone(),
        row.kind.clone(),
        row.interface.unwrap_or_default().to_owned(),
        row.driver.clone().unwrap_or_default(),
        mib(row.buffer_limit_mib),
        mib(row.binding_limit_mib),
        features.join(", "),
    ]
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_headings() {
        let cpu = Row {
            device: "cpu".into(),
            name: "avx2".into(),
            kind: "processor".into(),
            interface: None,
            driver: None,
            threads: Some(2),
            buffer_limit_mib: None,
            binding_limit_mib: None,
            f16: false,
            subgroups: None,
            timestamps: false,
            auto: true,
        };
        let gpu = Row {
            device: "gpu:0".into(),
            name: "A card with a long name".into(),
            kind: "discrete".into(),
            interface: Some("Vulkan"),
            driver: Some("driver 1.2".into()),
            threads: None,
            buffer_limit_mib: Some(2048),
            binding_limit_mib: Some(128),
            f16: true,
            subgroups: Some((32, 64)),
            timestamps: true,
            auto: false,
        };
        let lines = table(&[cpu, gpu]);
        let kind = lines[0].find("KIND").unwrap();
        assert!(lines[1][kind..].starts_with("processor") && lines[2][kind..].starts_with("discrete"), "{lines:#?}");
        assert!(lines[1].ends_with("2 threads"), "{lines:#?}");
        assert!(lines[2].ends_with("128 MiB      f16, subgroups of 32 to 64, timestamps"), "{lines:#?}");
    }
}
