//! All pictures of a batch on one page of HTML that needs nothing else.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use impasto::disk::{RealDisk, check_writable, replace_file};
use impasto_job::Failure;
use impasto_job::order::same_file;
use impasto_job::pace::duration;
use impasto_job::runs::{POLICY, STYLE, check_name, escaped, show_picture};

use crate::folder::BatchFolder;
use crate::shot::PaintedFrames;
use crate::status::{Status, TaskState, TaskStatus, status};
use crate::tasks::TaskList;

/// How the pictures lie beside each other.
const GRID: &str = "main.batch{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem;align-items:end}\
    main.batch figure{margin:0}main.batch img{width:100%;height:auto}main.batch figcaption{overflow-wrap:anywhere}";

/// A page that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenBatchPage {
    /// Pictures that it shows.
    pub pictures: usize,
    /// Its length.
    pub bytes: usize,
    /// What could not be shown, a sentence each.
    pub complaints: Vec<String>,
}

/// Writes the page of a batch to `output`, with at most `most_pictures`, each at most `edge_px` at its long edge.
///
/// # Errors
/// A page that cannot be written, or that would be written over a file of the batch.
pub fn write_page(
    folder: &BatchFolder,
    list: &TaskList,
    output: &Path,
    most_pictures: usize,
    edge_px: usize,
) -> Result<WrittenBatchPage, Failure> {
    check_name(output)?;
    if same_file(output, &folder.tasks()) {
        return Err(Failure::usage("--output would overwrite the batch; choose another name"));
    }
    let way = check_writable(output, 0).map_err(Failure::failed)?;
    let (mut figures, mut rows, mut pictures, mut left_out) = (String::new(), String::new(), 0, 0);
    let mut complaints: Vec<String> = way.note(output).into_iter().collect();
    let all = status(folder, list, false, &mut |of_task| {
        if of_task.state != TaskState::Done {
            rows.push_str(&row(&of_task));
            return;
        }
        if pictures == most_pictures {
            left_out += 1;
            return;
        }
        let (mut images, mut count) = (String::new(), 0);
        for path in shown(folder, &of_task) {
            match show_picture(&path, edge_px) {
                Ok(shown) => {
                    count += 1;
                    images.push_str(&image(&of_task, &shown));
                }
                Err(complaint) => complaints.push(complaint),
            }
        }
        if count > 0 {
            pictures += 1;
            figures.push_str(&figure(&of_task, &images));
        }
    })?;
    if left_out > 0 {
        complaints.push(format!("{left_out} more pictures are not on the page; --pictures has room for them"));
    }
    let page = html(folder, &all, &figures, &rows);
    replace_file(&RealDisk, output, page.as_bytes()).map_err(Failure::failed)?;
    Ok(WrittenBatchPage { pictures, bytes: page.len(), complaints })
}

fn html(folder: &BatchFolder, all: &Status, figures: &str, rows: &str) -> String {
    let name = folder.root().file_name().map_or_else(|| "batch".to_owned(), |name| name.to_string_lossy().into_owned());
    let (title, policy) = (escaped(&name), escaped(POLICY));
    let Status { tasks, done, running, stopped, failed, left, .. } = all;
    let others = if rows.is_empty() {
        String::new()
    } else {
        format!(
            "<section><h2>Not done</h2><div class=\"wide\"><table><thead><tr><th>task</th><th>picture</th><th>state</th><th>why</th></tr></thead><tbody>{rows}</tbody></table></div></section>"
        )
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"/>\
         <style>{STYLE}{GRID}</style></head><body>\n<header><h1>{title}</h1><p class=\"summary\"><strong>{done} of {tasks}</strong>\
         <span>{running} running</span><span>{stopped} stopped</span><span>{failed} failed</span><span>{left} left</span></p></header>\n\
         <main class=\"batch\">{figures}</main>\n{others}\n</body></html>\n"
    )
}

/// What is shown of a task: its picture, or the first, the middle and the last frame of a shot.
fn shown(folder: &BatchFolder, of_task: &TaskStatus) -> Vec<PathBuf> {
    let path = folder.root().join(&of_task.output);
    if of_task.frames.is_none() {
        return vec![path];
    }
    let frames = PaintedFrames::of(&path).map(|painted| painted.files).unwrap_or_default();
    let mut places = vec![0, frames.len() / 2, frames.len().saturating_sub(1)];
    places.dedup();
    places.into_iter().filter_map(|place| frames.get(place).cloned()).collect()
}

fn image(of_task: &TaskStatus, (width, height, address): &(usize, usize, String)) -> String {
    let title = escaped(&of_task.title);
    let receipt = of_task.receipt.as_ref().map_or(String::new(), |receipt| {
        format!("{} × {}, {}, {}", receipt.width, receipt.height, duration(receipt.seconds), receipt.engine)
    });
    format!(
        "<img src=\"{address}\" width=\"{width}\" height=\"{height}\" alt=\"{title}\" title=\"{}\"/>",
        escaped(&receipt)
    )
}

fn figure(of_task: &TaskStatus, images: &str) -> String {
    let title = escaped(&of_task.title);
    format!("<figure>{images}<figcaption>{}: {title}</figcaption></figure>\n", of_task.number)
}

fn row(of_task: &TaskStatus) -> String {
    let state = match of_task.state {
        TaskState::Done => "done",
        TaskState::Running => "running",
        TaskState::Stopped => "stopped",
        TaskState::Failed => "failed",
        TaskState::Left => "left",
    };
    let mut row = String::new();
    let (output, reason) = (escaped(&of_task.output), escaped(of_task.reason.as_deref().unwrap_or_default()));
    let _ = write!(row, "<tr><td>{}</td><td>{output}</td><td>{state}</td><td>{reason}</td></tr>", of_task.number);
    row
}
