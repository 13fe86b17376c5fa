//! `impasto video`: a film in the style of a painting.
//!
//! ```text
//!   film    --ffmpeg-->  RUN/source/000001.png ...      once; RUN/source.json says of what
//!   frames  --impasto-film-->  painted frames           gone on with where it was stopped
//!   painted frames, the film's sound  --ffmpeg-->  output
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use impasto::Control;
use impasto::disk::check_writable;
use impasto_film::{Film, FilmEvent, FilmOrder};
use impasto_job::machine::peak_mib;
use impasto_job::order::same_file;
use impasto_job::{Failure, Files, Order};

use crate::args::VideoArguments;
use crate::commands::engines;
use crate::commands::film_source::{Others, source};
use crate::ffmpeg::{Encoded, demand, encode};
use crate::interrupt;
use crate::show::{FilmDone, FilmShow, Output, Voice};

/// Paints a film.
///
/// # Errors
/// See [`Failure`]; being interrupted is one, and the same command goes on.
pub fn video(arguments: &VideoArguments, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    interrupt::catch_quietly()?;
    let choices = arguments.film_choices.choices();
    choices.check()?;
    let goes_to_folder = is_folder(&arguments.output);
    let mut inputs = std::iter::once(&arguments.film).chain(&arguments.styles);
    if let Some(input) = inputs.find(|input| same_file(input, &arguments.output)) {
        return Err(Failure::usage(format_args!(
            "--output {} would overwrite the input {}; choose another name",
            arguments.output.display(),
            input.display()
        )));
    }
    if !goes_to_folder {
        check_writable(&arguments.output, 0).map_err(Failure::failed)?;
        demand()?;
    }
    // Every error of the recipe comes before the film is taken apart.
    let order = arguments.recipe.order(None, &arguments.styles)?;
    let recipe = Order { content: Some(arguments.film.clone()), ..order.clone() }.resolve()?.recipe;
    let voice = Voice::new(arguments.quiet);
    let mut show = FilmShow::new(arguments.json, arguments.quiet, output, &voice);
    let folder = run_folder(arguments);
    let of_film = (folder.as_path(), Others::AreKept);
    let source = source(&arguments.film, &arguments.film_choices, &recipe, of_film, &mut |note| show.note(note))?;
    let painted = if goes_to_folder { arguments.output.clone() } else { folder.join("painted") };
    let film = Film::new(FilmOrder {
        frames: source.frames.clone(),
        order,
        files: Files::default(),
        choices,
        folder,
        output: painted,
        memory_limit_bytes: arguments.memory_limit,
    })?;
    let mut engines = engines::for_many(arguments.device, &voice);
    let mut shots = 0;
    let performed = film.perform(&mut engines, &mut |event| {
        if let FilmEvent::Shots(found) = event {
            shots = found.len();
        }
        show.event(&event);
        if interrupt::requested() { Control::Stop } else { Control::Continue }
    });
    show.clear();
    performed?;
    if !goes_to_folder {
        let delivered = film.delivered();
        let encoded = Encoded {
            frames: &delivered,
            size: film.size_px()?,
            footage: &source.footage,
            wanted: &source.wanted,
            sound: source.sound.as_deref(),
        };
        for note in encode(&encoded, &arguments.output)? {
            show.note(&note);
        }
    }
    show.finish(&FilmDone {
        event: "done",
        output: &arguments.output.to_string_lossy(),
        frames: source.frames.len(),
        shots,
        seconds: started.elapsed().as_secs_f64(),
        peak_mib: peak_mib(),
    })
}

/// Whether an output is a folder: one that is there, or a name without an extension.
fn is_folder(output: &Path) -> bool {
    output.is_dir() || output.extension().is_none()
}

/// The folder that the film is kept in.
fn run_folder(arguments: &VideoArguments) -> PathBuf {
    arguments.run_dir.clone().unwrap_or_else(|| {
        let mut name = arguments.output.file_stem().unwrap_or_default().to_owned();
        name.push("-film");
        arguments.output.with_file_name(name)
    })
}
