//! `impasto report`: a run on one page of HTML that needs nothing else.
//!
//! ```text
//!   run.json, metrics.jsonl  -->  page.rs      text.rs makes names harmless, chart.rs draws curves
//!   frames/, result.png      -->  pictures.rs  small JPEGs inside of the page
//!   report/page.css, page.js      how it looks in light and dark; slider and hover. Without scripts all pictures are seen.
//! ```

mod chart;
mod page;
mod pictures;
mod text;

use std::path::Path;

use impasto::disk::{RealDisk, check_writable, replace_file};
use impasto::run_folder::{read_metrics, read_record, state};

use crate::args::ReportArguments;
use crate::failure::Failure;
use crate::show::say;

use page::Run;
use pictures::Pictures;

/// Writes the page.
///
/// # Errors
/// A folder that is no run, a page that cannot be written.
pub fn report(arguments: &ReportArguments) -> Result<(), Failure> {
    let output = arguments.output.clone().unwrap_or_else(|| arguments.run.join("report.html"));
    check_name(&output)?;
    let record = read_record(&arguments.run).map_err(Failure::failed)?;
    check_writable(&output, 0).map_err(Failure::failed)?;
    let metrics = read_metrics(&arguments.run).map_err(Failure::failed)?;
    let (most, edge_px) = (arguments.pictures as usize, arguments.picture_size as usize);
    let pictures = Pictures::read(&arguments.run, &record, most, edge_px);
    pictures.complaints.iter().for_each(|complaint| say(complaint));
    let state = state(&arguments.run, &record);
    let page = page::html(&Run { record: &record, state, metrics: &metrics, pictures: &pictures });
    replace_file(&RealDisk, &output, page.as_bytes()).map_err(Failure::failed)?;
    let (shown, mib) = (pictures.over_time.len(), page.len() as f64 / f64::from(1 << 20));
    say(&format!("{}: {} evaluations, {shown} pictures, {mib:.1} MiB", output.display(), metrics.len()));
    Ok(())
}

/// A page is a page by its name, and so overwrites no file of the run.
fn check_name(output: &Path) -> Result<(), Failure> {
    let extension = output.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("html" | "htm") => Ok(()),
        _ => Err(Failure::usage(format_args!("--output {} is no page; end its name in .html", output.display()))),
    }
}
