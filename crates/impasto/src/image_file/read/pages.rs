//! Which of a TIFF's pages is the picture: cameras, scanners and image servers put small copies beside it.

use super::Failure;
use super::directory::Directory;

/// Pages, and pictures inside of pages, that are looked at, so that a hostile file does not take long.
const MOST_PAGES: usize = 1024;
const MOST_INSIDE: usize = 1024;

const KIND: u64 = 254;
const WIDTH: u64 = 256;
const HEIGHT: u64 = 257;
const COMPRESSION: u64 = 259;
const MEANING: u64 = 262;
const INSIDE: u64 = 330;
const DNG_VERSION: u64 = 50_706;

/// The page that is taken.
pub(super) struct Page<'bytes> {
    /// Width and height in pixels.
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) directory: Directory<'bytes>,
    /// Whether it is the one that the file begins with.
    pub(super) is_first: bool,
    /// What is worth saying about the choice.
    pub(super) remark: Option<String>,
}

/// The largest page, the first of several that are as large.
///
/// # Errors
/// [`Failure::RawPhoto`] where any of them is what a sensor saw; [`Failure::Truncated`] where none has a size.
pub(super) fn choose_page(bytes: &[u8]) -> Result<Page<'_>, Failure> {
    // Canon's raw photos say so in their header, and nowhere else.
    if bytes.get(8..10) == Some(b"CR") {
        return Err(Failure::RawPhoto);
    }
    let mut pages = Vec::new();
    let mut next = Directory::first(bytes);
    while let Some(directory) = next.filter(|_| pages.len() < MOST_PAGES) {
        // A chain that comes back to itself ends there.
        if pages.iter().any(|page: &Directory| page.offset == directory.offset) {
            break;
        }
        pages.push(directory);
        next = directory.next();
    }
    let (mut whole_pages, mut inside_left) = (0, MOST_INSIDE);
    let mut best: Option<(Page, Option<usize>)> = None;
    for (place, page) in pages.iter().enumerate() {
        let inside = page.find(INSIDE).map(|entry| entry.values(inside_left)).unwrap_or_default();
        inside_left -= inside.len();
        let inside = inside.into_iter().filter_map(|offset| page.at(offset));
        let number = (!is_copy(page)).then(|| {
            whole_pages += 1;
            whole_pages
        });
        for (directory, number) in [(*page, number)].into_iter().chain(inside.map(|directory| (directory, None))) {
            if is_raw(&directory) {
                return Err(Failure::RawPhoto);
            }
            let Some((width, height)) = directory.value(WIDTH).zip(directory.value(HEIGHT)) else { continue };
            let is_larger = best
                .as_ref()
                .is_none_or(|(best, _)| width.saturating_mul(height) > best.width.saturating_mul(best.height));
            if is_larger && !is_mask(&directory) {
                let is_first = place == 0 && directory.offset == page.offset;
                best = Some((Page { width, height, directory, is_first, remark: None }, number));
            }
        }
    }
    let (mut page, number) = best.ok_or(Failure::Truncated)?;
    page.remark = match number {
        Some(1) if whole_pages < 2 => None,
        Some(1) => Some(format!("it has {whole_pages} pages, and the first was taken")),
        Some(number) => Some(format!("it has {whole_pages} pages, and page {number}, the largest, was taken")),
        None => Some("the largest of its pictures was taken, which is not its first page".into()),
    };
    Ok(page)
}

/// Whether a page says that it is a smaller copy of another, or a mask.
fn is_copy(page: &Directory) -> bool {
    page.value(KIND).is_some_and(|kind| kind & 5 != 0)
}

fn is_mask(page: &Directory) -> bool {
    page.value(KIND).is_some_and(|kind| kind & 4 != 0)
}

/// Whether a page is what a sensor saw, by DNG's tag, by its colours (a filter's, or linear ones) or by a camera's compression
/// (Sony, Nikon, Samsung, Kodak, Pentax).
fn is_raw(page: &Directory) -> bool {
    page.find(DNG_VERSION).is_some()
        || matches!(page.value(MEANING), Some(32_803 | 34_892))
        || matches!(page.value(COMPRESSION), Some(32_767 | 34_713 | 32_770 | 65_000 | 65_535))
}
