//! Paints the style images that impasto ships, so that their licence is the project's own.
//!
//! `cargo run --release --example paint_styles -- assets` writes them as JPEG into the folder named, the same bytes
//! each time: every chance is drawn from a seeded ChaCha generator, every sine and power comes from `libm`, and what
//! runs on several threads is a function of the pixel alone.
//!
//! A style image teaches the network a texture, so each of them is made to be rich at every scale that the network
//! looks at: bristles and grain of one or two pixels, strokes of ten, shapes of a hundred; and in hue, with real darks
//! and lights.
//!
//! | file | module | what it is |
//! | --- | --- | --- |
//! | whirls.jpg | [`whirls`] | a night of whirling lights over fields: thick, curling strokes |
//! | glass.jpg | [`glass`] | leaded glass: a rose of cells, streaked and lit from behind |
//! | waves.jpg | [`waves`] | breaking waves as a woodblock print: ribbons, foam, grain |
//! | marbled.jpg | [`marbled`] | inks floated on water, stirred and combed |
//! | dots.jpg | [`dots`] | an evening by the water, in dots of divided colour |
#![forbid(unsafe_code)]

mod brush;
mod canvas;
mod chance;
mod colour;
mod dots;
mod glass;
mod marbled;
mod plane;
mod waves;
mod whirls;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use canvas::Canvas;

/// A style image: its file's name, and the program that paints it.
type Style = (&'static str, fn() -> Canvas);

/// All style images.
const STYLES: [Style; 5] = [
    ("whirls", whirls::paint),
    ("glass", glass::paint),
    ("waves", waves::paint),
    ("marbled", marbled::paint),
    ("dots", dots::paint),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: paint_styles FOLDER [STYLE]...");
        return ExitCode::from(2);
    };
    let chosen: Vec<_> = arguments.map(|name| name.to_string_lossy().into_owned()).collect();
    for (name, paint) in STYLES {
        if !chosen.is_empty() && !chosen.iter().any(|wanted| wanted == name) {
            continue;
        }
        if let Err(error) = save(&paint(), &folder.join(name).with_extension("jpg")) {
            eprintln!("cannot write {name}.jpg into {}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Writes a painting as a JPEG of high quality (no chroma subsampling).
fn save(canvas: &Canvas, path: &Path) -> image::ImageResult<()> {
    let picture = canvas.develop();
    let file = std::io::BufWriter::new(std::fs::File::create(path)?);
    image::codecs::jpeg::JpegEncoder::new_with_quality(file, 93).encode_image(&picture)
}
