//! The picture as it forms, on a terminal that can show pictures.
//!
//! | protocol | terminals | what is written |
//! | --- | --- | --- |
//! | kitty | kitty, Ghostty | a PNG in escape sequences of at most 4096 base64 letters, one picture number so that each replaces the last |
//! | iTerm2 | iTerm2, WezTerm | a PNG in one escape sequence |
//! | half blocks | any with 24-bit colour | two pixels a letter: `▀` in the upper pixel's colour on the lower one's |
//!
//! Every protocol draws into the same lines again: the cursor goes up by the lines of the last drawing first.

use std::fmt::Write as _;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use impasto::picture::Picture;
use impasto::write::{OutputFormat, WriteOptions, encode_picture};

/// Lines of the terminal that a picture may take.
const MOST_LINES: usize = 24;

/// Letters of the terminal that a picture may take across.
const MOST_COLUMNS: usize = 80;

/// Long edge in pixels of a picture that the terminal draws itself.
const LONG_EDGE_PX: usize = 480;

/// Base64 letters in one escape sequence of the kitty protocol.
const KITTY_CHUNK: usize = 4096;

/// How a terminal shows pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Iterm,
    HalfBlocks,
}

/// Shows pictures on standard error.
pub struct Preview {
    protocol: Protocol,
    /// Lines that the last drawing took.
    drawn: usize,
}

impl Preview {
    /// A preview, if standard error is a terminal that can show pictures.
    pub fn on_this_terminal() -> Option<Preview> {
        let protocol = detect(|name| std::env::var(name).ok())?;
        console::Term::stderr().is_term().then_some(Preview { protocol, drawn: 0 })
    }

    /// Draws the picture over the last one. What goes wrong is left alone: a preview must not stop a run.
    pub fn draw(&mut self, picture: &Picture) {
        let terminal = console::Term::stderr();
        let (lines, columns) = terminal.size();
        let lines = MOST_LINES.min(usize::from(lines).saturating_sub(3)).max(1);
        let columns = MOST_COLUMNS.min(usize::from(columns).saturating_sub(1)).max(1);
        let Some((drawing, taken)) = draw(self.protocol, picture, lines, columns) else { return };
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A\r\x1b[J", self.drawn);
        }
        text.push_str(&drawing);
        self.drawn = taken;
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// The best protocol of the terminal that the environment describes.
fn detect(variable: impl Fn(&str) -> Option<String>) -> Option<Protocol> {
    let value = |name| variable(name).unwrap_or_default();
    let (term, program) = (value("TERM"), value("TERM_PROGRAM"));
    let has_true_colour = matches!(value("COLORTERM").as_str(), "truecolor" | "24bit");
    // A multiplexer swallows the sequences that it does not know.
    if !term.starts_with("tmux") && !term.starts_with("screen") {
        if variable("KITTY_WINDOW_ID").is_some() || matches!(term.as_str(), "xterm-kitty" | "xterm-ghostty") {
            return Some(Protocol::Kitty);
        }
        if matches!(program.as_str(), "iTerm.app" | "WezTerm") || value("LC_TERMINAL") == "iTerm2" {
            return Some(Protocol::Iterm);
        }
    }
    has_true_colour.then_some(Protocol::HalfBlocks)
}

/// The sequences that draw `picture` within that many lines and columns, and the lines that they take.
fn draw(protocol: Protocol, picture: &Picture, lines: usize, columns: usize) -> Option<(String, usize)> {
    // A letter is about twice as high as it is wide, so half a line is a square.
    let scale = f64::min(columns as f64 / picture.width as f64, 2.0 * lines as f64 / picture.height as f64);
    let across = ((picture.width as f64 * scale) as usize).clamp(1, columns);
    let halves = ((picture.height as f64 * scale) as usize).clamp(1, 2 * lines);
    let taken = halves.div_ceil(2);
    let drawing = match protocol {
        Protocol::HalfBlocks => half_blocks(&picture.resized(across, halves).ok()?),
        Protocol::Kitty => kitty(&png(picture)?, taken, across),
        Protocol::Iterm => iterm(&png(picture)?, taken, across),
    };
    Some((drawing, taken))
}

fn png(picture: &Picture) -> Option<Vec<u8>> {
    let small = picture.resized_to_long_edge(picture.long_edge().min(LONG_EDGE_PX)).ok()?;
    encode_picture(&small, OutputFormat::Png, WriteOptions::default(), None).ok()
}

/// Two rows of pixels a line; an odd last row stands alone.
fn half_blocks(picture: &Picture) -> String {
    let rgb = picture.to_rgb8();
    let rows: Vec<&[u8]> = rgb.chunks_exact(3 * picture.width).collect();
    let mut text = String::new();
    for pair in rows.chunks(2) {
        for column in 0..picture.width {
            let colour = |row: &[u8]| format!("{};{};{}", row[3 * column], row[3 * column + 1], row[3 * column + 2]);
            let _ = write!(text, "\x1b[38;2;{}m", colour(pair[0]));
            if let Some(lower) = pair.get(1) {
                let _ = write!(text, "\x1b[48;2;{}m", colour(lower));
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

/// The picture without the cursor moving (`C=1`), below room that was made for it, then the cursor under it.
fn kitty(png: &[u8], lines: usize, columns: usize) -> String {
    let letters = STANDARD.encode(png);
    let mut text = "\n".repeat(lines);
    let _ = write!(text, "\x1b[{lines}A");
    let mut rest = letters.as_str();
    let mut control = format!("a=T,f=100,i=1,p=1,q=2,C=1,r={lines},c={columns},");
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rest.len().min(KITTY_CHUNK));
        let _ = write!(text, "\x1b_G{control}m={};{chunk}\x1b\\", u8::from(!after.is_empty()));
        (rest, control) = (after, String::new());
    }
    let _ = write!(text, "\x1b[{lines}B");
    text
}

/// The picture in a box of lines and columns, then the cursor under it.
fn iterm(png: &[u8], lines: usize, columns: usize) -> String {
    let size = png.len();
    let letters = STANDARD.encode(png);
    let mut text = "\n".repeat(lines);
    let _ = write!(text, "\x1b[{lines}A\x1b7");
    let _ = write!(text, "\x1b]1337;File=inline=1;size={size};width={columns};height={lines}:{letters}\x07");
    let _ = write!(text, "\x1b8\x1b[{lines}B");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_known_by_their_environment() {
        let detected = |pairs: &'static [(&str, &str)]| {
            detect(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
        };
        assert_eq!(detected(&[]), None);
        assert_eq!(detected(&[("TERM", "dumb")]), None);
        assert_eq!(detected(&[("TERM", "xterm-kitty")]), Some(Protocol::Kitty));
        assert_eq!(detected(&[("TERM_PROGRAM", "iTerm.app"), ("COLORTERM", "truecolor")]), Some(Protocol::Iterm));
        assert_eq!(detected(&[("TERM", "xterm-256color"), ("COLORTERM", "24bit")]), Some(Protocol::HalfBlocks));
        assert_eq!(detected(&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")]), None);
    }

    #[test]
    fn half_blocks_hold_two_pixels_and_an_odd_row_stands_alone() {
        let picture = Picture::from_rgb8(1, 3, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        let expected = "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m▀\x1b[0m\n\x1b[38;2;7;8;9m▀\x1b[0m\n";
        assert_eq!(half_blocks(&picture), expected);
    }

    #[test]
    fn a_drawing_stays_within_its_box() {
        for (width, height) in [(1, 1), (4000, 3), (3, 4000), (640, 480)] {
            let picture = Picture::filled(width, height, [9.0; 3]).unwrap();
            for protocol in [Protocol::Kitty, Protocol::Iterm, Protocol::HalfBlocks] {
                let (text, taken) = draw(protocol, &picture, 10, 40).unwrap();
                assert!((1..=10).contains(&taken), "{protocol:?} {width}x{height}: {taken}");
                assert_eq!(text.matches('\n').count(), taken, "{protocol:?} {width}x{height}");
            }
        }
    }

    #[test]
    fn kitty_sends_small_pieces_and_marks_the_last() {
        let text = kitty(&[0; 10_000], 4, 8);
        let pieces: Vec<&str> = text.split("\x1b_G").skip(1).collect();
        assert_eq!(pieces.len(), 4);
        assert!(pieces.iter().all(|piece| piece.split(';').nth(1).unwrap().len() <= KITTY_CHUNK + 8));
        assert!(pieces[0].contains("m=1;") && pieces[3].starts_with("m=0;"));
    }
}
