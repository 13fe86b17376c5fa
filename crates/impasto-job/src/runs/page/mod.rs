//! A run on one page of HTML that needs nothing else.
//!
//! ```text
//!   run.json, metrics.jsonl  -->  html.rs      text.rs makes names harmless, chart.rs draws curves
//!   frames/, result.png      -->  pictures.rs  small JPEGs inside of the page
//!   page.css, page.js             how it looks in light and dark; slider and hover. Without scripts all pictures are seen.
//! ```

mod chart;
mod html;
mod pictures;
mod text;

use std::path::Path;

use impasto::disk::{RealDisk, check_writable, replace_file};
use impasto::run_folder::{read_metrics, read_record, state};

use crate::failure::Failure;
use html::Run;
use pictures::Pictures;

pub use html::{POLICY, STYLE};
pub use pictures::show as show_picture;
pub use text::escaped;

/// A page that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPage {
    /// Evaluations that its curves are of.
    pub evaluations: usize,
    /// Pictures over time that it shows.
    pub pictures: usize,
    /// Its length.
    pub bytes: usize,
    /// What could not be shown, a sentence each.
    pub complaints: Vec<String>,
}

/// Writes the page of the run in `folder` to `output`, with at most `most_pictures` over time, each at most `edge_px` at its
/// long edge.
///
/// # Errors
/// A folder that is no run, a page that cannot be written.
pub fn write_page(folder: &Path, output: &Path, most_pictures: usize, edge_px: usize) -> Result<WrittenPage, Failure> {
    check_name(output)?;
    let record = read_record(folder).map_err(Failure::failed)?;
    let way = check_writable(output, 0).map_err(Failure::failed)?;
    let metrics = read_metrics(folder).map_err(Failure::failed)?;
    let pictures = Pictures::read(folder, &record, most_pictures, edge_px);
    let state = state(folder, &record);
    let page = html::html(&Run { record: &record, state, metrics: &metrics, pictures: &pictures });
    replace_file(&RealDisk, output, page.as_bytes()).map_err(Failure::failed)?;
    Ok(WrittenPage {
        evaluations: metrics.len(),
        pictures: pictures.over_time.len(),
        bytes: page.len(),
        complaints: way.note(output).into_iter().chain(pictures.complaints).collect(),
    })
}

/// A page is a page by its name, and so overwrites no file of the run.
///
/// # Errors
/// A name that does not end in `.html`.
pub fn check_name(output: &Path) -> Result<(), Failure> {
    let extension = output.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("html" | "htm") => Ok(()),
        _ => Err(Failure::usage(format_args!("--output {} is no page; end its name in .html", output.display()))),
    }
}
