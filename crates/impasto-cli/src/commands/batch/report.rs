//! `impasto batch report`: all pictures of a batch on one page.

use impasto_batch::{BatchFolder, TaskList, write_page};
use impasto_job::Failure;

use crate::args::BatchReportArguments;
use crate::show::{say, tasks};

/// Writes the page.
///
/// # Errors
/// No batch, a page that cannot be written.
pub fn report(arguments: &BatchReportArguments) -> Result<(), Failure> {
    let folder = BatchFolder::open(&arguments.folder)?;
    let list = TaskList::open(&folder.tasks())?;
    let output = arguments.output.clone().unwrap_or_else(|| folder.report());
    let (most, edge_px) = (arguments.pictures as usize, arguments.picture_size as usize);
    let page = write_page(&folder, &list, &output, most, edge_px)?;
    page.complaints.iter().for_each(|complaint| say(complaint));
    let mib = page.bytes as f64 / f64::from(1 << 20);
    say(&format!("{}: {}, {mib:.1} MiB", output.display(), tasks(page.pictures, false)));
    Ok(())
}
