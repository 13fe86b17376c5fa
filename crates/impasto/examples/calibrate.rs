//! Computes the mean activations that the embedded weights are normalised by, from a folder of photographs.
//!
//! ```text
//! cargo run --release -p impasto --example calibrate -- FOLDER OUT.safetensors
//! ```
//!
//! Every file of the folder is read, in the order of the names, and brought down to a long edge of 512 pixels. Average
//! pooling, as the preset `paper` has it. `scripts/calibration_images.py` gathers the photographs.

use std::error::Error;
use std::path::PathBuf;

use impasto::picture::Picture;
use impasto::read::{ReadLimits, read_picture};
use impasto_vgg::{Calibration, CpuEngine, CpuOptions, Pooling, Weights};

/// The long edge of larger photographs, in pixels.
const LONG_EDGE: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(output)) = (arguments.next(), arguments.next()) else {
        return Err("give a folder of photographs and a file to write".into());
    };
    let mut files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.sort();
    let engine = CpuEngine::new(Weights::embedded(), CpuOptions::default())?;
    let mut calibration = Calibration::new(Pooling::Average);
    let mut names = Vec::new();
    for file in &files {
        let picture: Picture = read_picture(file, &ReadLimits::default())?.picture;
        let picture = if picture.long_edge() > LONG_EDGE { picture.resized_to_long_edge(LONG_EDGE)? } else { picture };
        calibration.add(&engine, &picture.values, picture.height, picture.width)?;
        println!("{} {}x{}", file.display(), picture.width, picture.height);
        names.extend(file.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    let means = calibration.finish()?;
    for filter in means.dead_filters() {
        println!("dead: {filter}");
    }
    let about =
        format!("mean activations over positions, average pooling, long edge {LONG_EDGE}: {}", names.join(", "));
    std::fs::write(output, means.to_safetensors(&about))?;
    Ok(())
}
