//! `impasto batch plan`: from photos, paintings and options to a folder of tasks.

use std::path::{Path, PathBuf};

use impasto_batch::{Intent, Pair, Pairing, Planned, gather, pairs, pairs_of_list, plan as plan_batch};
use impasto_job::Failure;
use impasto_job::shell::quoted;
use serde::Serialize;

use super::films::wanted_films;
use crate::args::BatchPlanArguments;
use crate::commands::engines;
use crate::show::{Output, Voice, batch_forecast, say, tasks as tasks_in_words};

/// What films are called, as a rule.
const FILMS: [&str; 7] = ["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg"];

/// What `batch plan --json` prints.
#[derive(Serialize)]
struct PlannedLine {
    event: &'static str,
    tasks: usize,
    same: usize,
    changed: usize,
    done: usize,
    dropped: usize,
    skipped: usize,
    memory_mib: f64,
    /// Of a GPU with memory of its own; null where there is none.
    device_mib: Option<f64>,
    seconds: f64,
    engine: Option<String>,
}

/// Plans.
///
/// # Errors
/// Everything that can be said before the first picture.
pub fn plan(arguments: &BatchPlanArguments, mut output: Output) -> Result<(), Failure> {
    if arguments.files.format.is_some() {
        return Err(Failure::usage("--format is for pictures that go down a pipe, and those of a batch are PNGs"));
    }
    check_film_options(arguments)?;
    let isa = std::env::var("IMPASTO_ISA").ok().filter(|name| !name.is_empty());
    if arguments.portable && isa.is_none() && !arguments.films.is_empty() {
        // Before films are taken apart; the rest is said of the recipe.
        return Err(Failure::usage(
            "--portable: machines would paint other bytes; set IMPASTO_ISA to what every machine has, avx2 or portable",
        ));
    }
    let order = arguments.recipe.order(None, &[])?;
    let (pairs, films) = wanted_films(arguments, &order, pairs_of(arguments)?)?;
    let intent = Intent {
        pairs,
        films,
        choices: arguments.film_choices.choices(),
        recipe: order.recipe,
        recipe_file: order.recipe_file,
        files: arguments.files.plain(None),
        skips_unreadable: arguments.skip_unreadable,
        portable: arguments.portable.then_some(isa),
        memory_limit_bytes: arguments.memory_limit,
        threads: arguments.device.threads.unwrap_or_else(processors),
    };
    let voice = Voice::new(arguments.json);
    let mut engines = engines::for_one(arguments.device, &voice);
    let planned = plan_batch(&arguments.out, &intent, &mut engines, &mut say)?;
    if arguments.json {
        output.json(&line(&planned));
        return output.finish();
    }
    for sentence in sentences(&planned, &arguments.out, !arguments.films.is_empty()) {
        output.line(&sentence);
    }
    output.finish()
}

/// Which photo after which paintings.
fn pairs_of(arguments: &BatchPlanArguments) -> Result<Vec<Pair>, Failure> {
    let BatchPlanArguments { photos, films, styles, pairs: how, .. } = arguments;
    let pairing = match how.to_str() {
        Some("all") => Pairing::All,
        Some("zip") => Pairing::Zip,
        _ if photos.is_empty() && films.is_empty() && styles.is_empty() => return pairs_of_list(how),
        _ if how.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) => {
            return Err(Failure::usage(
                "--pairs names a list of photos and paintings, and others are named too; give the list or the names",
            ));
        }
        _ => return Err(Failure::usage(format_args!("--pairs {} is neither all nor zip nor a list", how.display()))),
    };
    let has_contents = !photos.is_empty() || !films.is_empty();
    for (is_there, what) in [
        (has_contents, "photos, before the options, or films, with --films"),
        (!styles.is_empty(), "paintings, with --styles"),
    ] {
        if !is_there {
            return Err(Failure::usage(format_args!("there is nothing to paint yet; name {what}")));
        }
    }
    let is_film = |path: &&PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        path.is_file() && FILMS.contains(&extension.as_str())
    };
    if let Some(film) = photos.iter().find(is_film) {
        return Err(Failure::usage(format_args!("{} is a film by its name; name films with --films", film.display())));
    }
    // By their places: one that stands there twice is meant twice.
    let keeps_twice = pairing == Pairing::Zip;
    let mut contents = gather(photos, keeps_twice, &mut say)?;
    for film in films {
        if !film.exists() {
            return Err(Failure::usage(format_args!(
                "{} does not exist; name films, or folders of frames",
                film.display()
            )));
        }
        if keeps_twice || !contents.contains(film) {
            contents.push(film.clone());
        }
    }
    pairs(&contents, &gather(styles, keeps_twice, &mut say)?, pairing)
}

/// Says which options do not go with what is planned.
fn check_film_options(arguments: &BatchPlanArguments) -> Result<(), Failure> {
    let BatchPlanArguments { films, film_choices, files, .. } = arguments;
    film_choices.choices().check()?;
    match films.is_empty() {
        true if film_choices.are_given() => {
            Err(Failure::usage("there are options for films, and no film is named; name films with --films"))
        }
        false if files.depth != "8" || files.keep_exif.is_some() => Err(Failure::usage(
            "--depth and --keep-exif are for photos; plan films without them, as a batch of their own",
        )),
        _ => Ok(()),
    }
}

fn sentences(planned: &Planned, folder: &Path, has_films: bool) -> Vec<String> {
    let Planned { tasks, same, changed, done, dropped, skipped, .. } = planned;
    let mut before = Vec::new();
    for (count, what) in [
        (same, "as they were"),
        (changed, "to be painted anew"),
        (done, "done already"),
        (dropped, "of before are no more (their pictures stay)"),
        (skipped, "left out, since an image cannot be read"),
    ] {
        if *count > 0 {
            before.push(format!("{count} {what}"));
        }
    }
    let before = if before.is_empty() { String::new() } else { format!(" ({})", before.join(", ")) };
    let (memory, seconds) = (planned.memory_mib, planned.seconds);
    let mut sentences = vec![
        format!("{} in {}{before}", tasks_in_words(*tasks, has_films), folder.display()),
        batch_forecast(memory, planned.device_mib, seconds),
    ];
    sentences.extend(planned.engine.as_ref().map(|engine| format!("for the engine {engine} alone")));
    sentences.push(format!("impasto batch run {}", quoted(folder)));
    sentences
}

fn line(planned: &Planned) -> PlannedLine {
    PlannedLine {
        event: "planned",
        tasks: planned.tasks,
        same: planned.same,
        changed: planned.changed,
        done: planned.done,
        dropped: planned.dropped,
        skipped: planned.skipped,
        memory_mib: planned.memory_mib,
        device_mib: Some(planned.device_mib).filter(|mib| *mib > 0.0),
        seconds: planned.seconds,
        engine: planned.engine.clone(),
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
