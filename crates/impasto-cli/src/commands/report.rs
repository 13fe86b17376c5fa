//! `impasto report`: a run on one page of HTML that needs nothing else.

use impasto_job::Failure;
use impasto_job::runs::write_page;

use crate::args::ReportArguments;
use crate::show::say;

/// Writes the page.
///
/// # Errors
/// A folder that is no run, a page that cannot be written.
pub fn report(arguments: &ReportArguments) -> Result<(), Failure> {
    let output = arguments.output.clone().unwrap_or_else(|| arguments.run.join("report.html"));
    let (most, edge_px) = (arguments.pictures as usize, arguments.picture_size as usize);
    let page = write_page(&arguments.run, &output, most, edge_px)?;
    page.complaints.iter().for_each(|complaint| say(complaint));
    let mib = page.bytes as f64 / f64::from(1 << 20);
    say(&format!("{}: {} evaluations, {} pictures, {mib:.1} MiB", output.display(), page.evaluations, page.pictures));
    Ok(())
}
