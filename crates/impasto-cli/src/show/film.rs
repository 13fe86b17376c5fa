//! What a person or a script sees of a film: a bar of frames, a line a frame, JSON lines, or nothing.

use std::io::{self, Write};
use std::time::Instant;

use impasto::Control;
use impasto_film::FilmEvent;
use impasto_job::pace::duration;
use impasto_job::{Failure, JobEvent};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::output::Output;
use super::say::{Voice, say};

/// How a film is shown.
pub struct FilmShow {
    kind: Kind,
    begun: Instant,
    /// Frames that were painted since, and not found.
    painted: u32,
}

enum Kind {
    Json(Output),
    Quiet,
    Bar(ProgressBar),
    Lines,
}

/// A line of `--json` for a frame that begins or is on the disk.
#[derive(Serialize)]
struct FrameLine {
    event: &'static str,
    pass: u32,
    frame: usize,
    frames: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluations: Option<u32>,
    seconds: f64,
}

/// The line of `--json` for the shots.
#[derive(Serialize)]
struct ShotsLine {
    event: &'static str,
    /// The first frame of each, counted from 1.
    first_frames: Vec<usize>,
}

/// The last line of a film.
#[derive(Serialize)]
pub struct FilmDone<'film> {
    /// `done`.
    pub event: &'static str,
    /// The film, or the folder of its frames, as typed.
    pub output: &'film str,
    /// How many frames it has.
    pub frames: usize,
    /// How many shots.
    pub shots: usize,
    /// Seconds from the start.
    pub seconds: f64,
    /// Most memory that was held at once, in MiB; null where the system does not say.
    pub peak_mib: Option<f64>,
}

impl FilmShow {
    /// As the options say, and where standard error goes.
    pub fn new(json: bool, quiet: bool, output: Output, voice: &Voice) -> FilmShow {
        let kind = match () {
            () if json => Kind::Json(output),
            () if quiet => Kind::Quiet,
            () if console::Term::stderr().is_term() => {
                let bar = ProgressBar::new(0);
                voice.step_before(&bar);
                let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                Kind::Bar(bar)
            }
            () => Kind::Lines,
        };
        FilmShow { kind, begun: Instant::now(), painted: 0 }
    }

    /// Shows what happens.
    pub fn event(&mut self, event: &FilmEvent<'_>) -> Control {
        match event {
            FilmEvent::Note(note) => self.note(note),
            FilmEvent::Looked { frame, frames } => {
                if let Kind::Bar(bar) = &self.kind {
                    bar.set_length(*frames as u64);
                    bar.set_position(*frame as u64);
                    bar.set_message("looking for cuts");
                }
            }
            FilmEvent::Shots(shots) => {
                let first_frames: Vec<usize> = shots.iter().map(|shot| shot.first + 1).collect();
                match &mut self.kind {
                    Kind::Json(output) => output.json(&ShotsLine { event: "shots", first_frames }),
                    _ if shots.len() > 1 => {
                        let first: Vec<String> = first_frames.iter().map(usize::to_string).collect();
                        self.note(&format!("{} shots, which begin at the frames {}", first.len(), first.join(", ")));
                    }
                    _ => {}
                }
            }
            &FilmEvent::Frame { pass, frame, frames, evaluations } => {
                self.frame("frame", (pass, frame, frames), Some(evaluations));
                if let Kind::Bar(bar) = &self.kind {
                    bar.set_length(frames as u64);
                    bar.set_position(frame as u64 - 1);
                    let left = self.left(frames - frame + 1);
                    bar.set_message(format!("{}{evaluations} evaluations{left}", pass_word(pass)));
                }
            }
            &FilmEvent::Painted { pass, frame, frames, was_there } => {
                self.painted += u32::from(!was_there);
                self.frame("painted", (pass, frame, frames), None);
                if let (Kind::Lines, false) = (&self.kind, was_there) {
                    let left = self.left(frames - frame);
                    let _ = writeln!(io::stderr().lock(), "{}frame {frame}/{frames}{left}", pass_word(pass));
                }
            }
            FilmEvent::Job(JobEvent::Iteration { .. }) => {
                if let Kind::Bar(bar) = &self.kind {
                    bar.tick();
                }
            }
            FilmEvent::Job(_) => {}
        }
        Control::Continue
    }

    fn frame(&mut self, event: &'static str, (pass, frame, frames): (u32, usize, usize), evaluations: Option<u32>) {
        let seconds = self.begun.elapsed().as_secs_f64();
        if let Kind::Json(output) = &mut self.kind {
            output.json(&FrameLine { event, pass, frame, frames, evaluations, seconds });
        }
    }

    /// How long so many frames will take, as a part of a line.
    fn left(&self, frames: usize) -> String {
        if self.painted == 0 || frames == 0 {
            return String::new();
        }
        let each = self.begun.elapsed().as_secs_f64() / f64::from(self.painted);
        format!(", about {} left", duration(each * frames as f64))
    }

    /// Says something that a person should know.
    pub fn note(&self, sentence: &str) {
        match &self.kind {
            Kind::Quiet => {}
            Kind::Bar(bar) => bar.suspend(|| say(sentence)),
            Kind::Json(_) | Kind::Lines => say(sentence),
        }
    }

    /// Takes the bar away; what was printed stays.
    pub fn clear(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }

    /// The last line.
    ///
    /// # Errors
    /// Standard output could not be written.
    pub fn finish(self, done: &FilmDone<'_>) -> Result<(), Failure> {
        match self.kind {
            Kind::Json(mut output) => {
                output.json(done);
                output.finish()
            }
            Kind::Quiet => Ok(()),
            Kind::Bar(_) | Kind::Lines => {
                let (frames, shots) = (done.frames, done.shots);
                let shots = if shots == 1 { "1 shot".to_owned() } else { format!("{shots} shots") };
                let time = duration(done.seconds);
                let _ = writeln!(io::stderr().lock(), "{}  {frames} frames, {shots}, in {time}", done.output);
                Ok(())
            }
        }
    }
}

/// Which time the film is gone through, where it is not the first.
fn pass_word(pass: u32) -> String {
    if pass == 1 { String::new() } else { format!("pass {pass}, ") }
}
