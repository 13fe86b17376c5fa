//! Films of a batch: taken apart when it is planned, put together when their shots are done.

use std::path::{Path, PathBuf};

use impasto::digest::sha256_of_file;
use impasto::disk::{RealDisk, copy_file};
use impasto_batch::{FilmPlace, FramesToJoin, Pair, WantedFilm, film_places};
use impasto_job::{Failure, Order};
use serde::{Deserialize, Serialize};

use crate::args::BatchPlanArguments;
use crate::commands::film_source::{Others, Source, source};
use crate::ffmpeg::{ColourTags, Encoded, Footage, Rate, Wanted, encode};
use crate::interrupt;
use crate::show::say;

/// What a film is called whose own name has no extension.
const EXTENSION: &str = "mp4";

/// How painted frames become a film again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Making {
    /// Frames a second of the film as it was: `30000/1001`.
    rate: String,
    /// One of so many frames is painted.
    every: u32,
    /// Seconds from where on it is painted.
    from: Option<f64>,
    /// Seconds where that ends.
    to: Option<f64>,
    /// What the film says of its colours, in ffmpeg's names.
    space: Option<String>,
    transfer: Option<String>,
    primaries: Option<String>,
    /// The file beside this that has the film's sound; none where it has none.
    sound: Option<String>,
}

/// The films among the pairs, taken apart, and the pairs without them.
///
/// # Errors
/// No ffmpeg, a film without frames, and whatever else keeps it from being read.
pub fn wanted_films(
    arguments: &BatchPlanArguments,
    order: &Order,
    pairs: Vec<Pair>,
) -> Result<(Vec<Pair>, Vec<WantedFilm>), Failure> {
    let (of_films, pairs): (Vec<Pair>, Vec<Pair>) =
        pairs.into_iter().partition(|pair| arguments.films.contains(&pair.content));
    let mut films: Vec<PathBuf> = Vec::new();
    for pair in &of_films {
        if !films.contains(&pair.content) {
            films.push(pair.content.clone());
        }
    }
    let places = if films.is_empty() { Vec::new() } else { film_places(&arguments.out, &films)? };
    let mut wanted = Vec::new();
    for (film, place) in films.iter().zip(places) {
        let styles = of_films.iter().filter(|pair| pair.content == *film).map(|pair| pair.styles.clone()).collect();
        wanted.push(taken_apart(arguments, order, film, place, styles)?);
    }
    Ok((pairs, wanted))
}

fn taken_apart(
    arguments: &BatchPlanArguments,
    order: &Order,
    film: &Path,
    place: FilmPlace,
    styles: Vec<Vec<PathBuf>>,
) -> Result<WantedFilm, Failure> {
    let content = Some(film.to_owned());
    let recipe = Order { content, styles: styles.concat(), ..order.clone() };
    let recipe = recipe.resolve()?.recipe;
    let of_film = (place.folder.as_path(), Others::AreReplaced);
    let source = source(film, &arguments.film_choices, &recipe, of_film, &mut say)?;
    let sound = source.sound.as_deref().map(|film| kept_sound(film, &place.folder)).transpose()?;
    let every = if film.is_dir() { source.wanted.every as usize } else { 1 };
    let extension = film.extension().map_or_else(|| EXTENSION.into(), |extension| extension.to_string_lossy());
    Ok(WantedFilm {
        film: film.to_owned(),
        place,
        first: source.begin + 1,
        every,
        extension: (!film.is_dir()).then(|| extension.into_owned()),
        making: serde_json::to_value(making(&source, sound)).map_err(Failure::failed)?,
        frames: source.frames,
        styles,
    })
}

/// The name of a copy of the film for its sound, so that the batch needs nothing but its own folder.
fn kept_sound(film: &Path, folder: &Path) -> Result<String, Failure> {
    let extension = film.extension().unwrap_or_default().to_string_lossy();
    let name = format!("sound.{extension}");
    let copy = folder.join(&name);
    let is_there = sha256_of_file(&copy).is_ok_and(|sum| sha256_of_file(film).is_ok_and(|film| film == sum));
    if !is_there {
        copy_file(&RealDisk, film, &copy).map_err(Failure::failed)?;
    }
    Ok(name)
}

fn making(source: &Source, sound: Option<String>) -> Making {
    let Source { footage, wanted, .. } = source;
    let ColourTags { space, transfer, primaries } = footage.colours.clone();
    let (from, to, every) = (wanted.from, wanted.to, wanted.every);
    Making { rate: footage.rate.to_string(), every, from, to, space, transfer, primaries, sound }
}

/// Makes a film of painted frames.
///
/// # Errors
/// No ffmpeg, or what it complains of; a record that somebody has changed; being stopped.
pub fn join(joined: &FramesToJoin<'_>) -> Result<Vec<String>, Failure> {
    let wrong = || Failure::file(joined.folder, "has a film.json that cannot be read; plan the batch again");
    let making: Making = serde_json::from_value(joined.making.clone()).map_err(|_| wrong())?;
    let is_bare = |name: &String| Path::new(name).file_name().is_some_and(|bare| bare == name.as_str());
    if making.every == 0 || !making.sound.iter().all(is_bare) {
        return Err(wrong());
    }
    let sound = making.sound.map(|name| joined.folder.join(name));
    let footage = Footage {
        width: joined.size.0,
        height: joined.size.1,
        rate: Rate::parse(&making.rate).ok_or_else(wrong)?,
        has_constant_rate: true,
        has_sound: sound.is_some(),
        colours: ColourTags { space: making.space, transfer: making.transfer, primaries: making.primaries },
    };
    let wanted = Wanted { from: making.from, to: making.to, every: making.every, size: None };
    let (frames, size) = (joined.frames, joined.size);
    let encoded = Encoded { frames, size, sound: sound.as_deref(), footage: &footage, wanted: &wanted };
    encode(&encoded, joined.output).map_err(|failure| match interrupt::requested() {
        true => Failure::interrupted("stopped; the same command puts the film together"),
        false => failure,
    })
}
