//! `impasto devices`: what can compute here, and what `--device auto` takes.

use impasto_vgg::{Engine, Weights};
use serde::Serialize;

use crate::args::DevicesArguments;
use crate::engine::open_cpu;
use crate::failure::Failure;
use crate::gpu;
use crate::show::Output;

/// One line of `--json`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Row {
    /// What `--device` is given: `cpu`, `gpu:0`.
    pub device: String,
    /// The processor's instruction set, or the GPU's name.
    pub name: String,
    /// `processor`, `discrete`, `integrated`, `virtual`, `other`, `software`.
    pub kind: String,
    /// `Vulkan`, `Metal`, `DirectX 12`; null for the processor.
    pub interface: Option<&'static str>,
    /// The driver and its version; null for the processor.
    pub driver: Option<String>,
    /// The processor's threads; null for a GPU.
    pub threads: Option<usize>,
    /// The largest buffer, in MiB; null for the processor.
    pub buffer_limit_mib: Option<u64>,
    /// The largest part of a buffer that a shader sees at once, in MiB; null for the processor.
    pub binding_limit_mib: Option<u64>,
    /// Whether shaders compute in f16.
    pub f16: bool,
    /// Least and most threads of a subgroup; null where there are no subgroup operations.
    pub subgroups: Option<(u32, u32)>,
    /// Whether it tells how long its work took.
    pub timestamps: bool,
    /// Whether `--device auto` takes it.
    pub auto: bool,
}

/// Lists the processor and the GPUs.
///
/// # Errors
/// IMPASTO_ISA asks for what is not there.
pub fn devices(arguments: &DevicesArguments, output: &mut Output) -> Result<(), Failure> {
    let cpu = open_cpu(Weights::embedded(), None)?.describe();
    let taken = gpu::is_taken_by_auto();
    let takes_gpu = matches!(taken, Ok(true));
    let mut rows = vec![Row {
        device: "cpu".into(),
        name: cpu.isa,
        kind: "processor".into(),
        interface: None,
        driver: None,
        threads: Some(cpu.threads),
        buffer_limit_mib: None,
        binding_limit_mib: None,
        f16: false,
        subgroups: None,
        timestamps: false,
        auto: !takes_gpu,
    }];
    rows.extend(gpu::rows(takes_gpu));
    if arguments.json {
        rows.iter().for_each(|row| output.json(row));
        return output.finish();
    }
    table(&rows).iter().for_each(|line| output.line(line));
    let why = match (taken, rows.len()) {
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
    cells.extend(rows.iter().map(Row::cells));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &[String; 8]| {
        let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

impl Row {
    fn cells(&self) -> [String; 8] {
        let mib = |limit: Option<u64>| limit.map_or(String::new(), |mib| format!("{mib} MiB"));
        let mut features = Vec::new();
        features.extend(self.threads.map(|threads| format!("{threads} threads")));
        features.extend(self.f16.then(|| "f16".to_owned()));
        features.extend(self.subgroups.map(|(least, most)| match least == most {
            true => format!("subgroups of {least}"),
            false => format!("subgroups of {least} to {most}"),
        }));
        features.extend(self.timestamps.then(|| "timestamps".to_owned()));
        [
            self.device.clone(),
            self.name.clone(),
            self.kind.clone(),
            self.interface.unwrap_or_default().to_owned(),
            self.driver.clone().unwrap_or_default(),
            mib(self.buffer_limit_mib),
            mib(self.binding_limit_mib),
            features.join(", "),
        ]
    }
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
