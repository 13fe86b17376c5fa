//! `impasto weights`: what there is, fetched, converted, normalised and verified. The work is the libraries'.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use impasto::Control;
use impasto::calibration::{images_of, mean_activations};
use impasto::digest::sha256;
use impasto::disk::{RealDisk, check_writable, replace_file};
use impasto::fetch::{FetchError, RELEASES, Release, cached_path, fetch, release};
use impasto_job::Failure;
use impasto_job::engine::{load_weights, open_cpu, weights_file};
use impasto_job::order::same_file;
use impasto_vgg::Weights;
use impasto_vgg::formats::{StoredAs, write_safetensors};
use impasto_vgg::normalise::Filter;
use impasto_vgg::verify::{Answer, kernel_ranges};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::{ConvertArguments, FetchArguments, NormaliseArguments, VerifyArguments, WeightsCommand};
use crate::interrupt;
use crate::show::{Output, say};

/// Bytes of a weights file in f32, and room for its header.
const LARGEST_FILE_BYTES: u64 = 81 << 20;

/// Answers that differ by no more than this are those of one network, rounded.
const SAME_NETWORK: f64 = 0.1;

/// Does one of the commands.
///
/// # Errors
/// See [`Failure`].
pub fn weights(command: &WeightsCommand, output: &mut Output) -> Result<(), Failure> {
    match command {
        WeightsCommand::List { json } => list(*json, output),
        WeightsCommand::Fetch(arguments) => fetch_release(arguments),
        WeightsCommand::Convert(arguments) => convert(arguments),
        WeightsCommand::Normalise(arguments) => normalise(arguments),
        WeightsCommand::Verify(arguments) => verify(arguments, output),
    }
}

/// One row of `weights list`.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    summary: &'static str,
    /// Whether they are inside the program.
    embedded: bool,
    /// The fetched file; `None` where there is none.
    path: Option<PathBuf>,
}

fn list(json: bool, output: &mut Output) -> Result<(), Failure> {
    let inside = |name, summary| Row { name, summary, embedded: true, path: None };
    let mut rows = vec![
        inside("embedded", "the original VGG-19 release (Simonyan and Zisserman), a codebook of 256 values a layer"),
        inside("normalised", "the same, each filter's mean activation 1 over 16 photographs, as the paper has it"),
    ];
    rows.extend(RELEASES.iter().map(|release| Row {
        name: release.name,
        summary: release.summary,
        embedded: false,
        path: cached_path(release).filter(|path| path.exists()),
    }));
    for row in rows {
        match json {
            true => output.json(&row),
            false => output.line(&format!("{:<11} {}\n{:<11} {}", row.name, row.summary, "", row.place())),
        }
    }
    output.finish()
}

impl Row {
    /// Where they are, for people.
    fn place(&self) -> String {
        match (&self.path, release(self.name)) {
            (Some(path), _) => path.display().to_string(),
            (None, None) => "inside the program".to_owned(),
            (None, Some(Release { name, length_bytes, .. })) => {
                format!("not fetched: impasto weights fetch {name} ({} MB)", length_bytes / 1_000_000)
            }
        }
    }
}

fn fetch_release(arguments: &FetchArguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let release = release(name).ok_or_else(|| {
        let known = RELEASES.map(|release| release.name).join(", ");
        Failure::usage(format_args!("there are no weights \"{name}\" to fetch; `weights fetch` takes {known}"))
    })?;
    let path = cached_path(release).ok_or_else(|| {
        Failure::failed("there is no folder to keep the weights in; set IMPASTO_CACHE to the name of one")
    })?;
    if path.exists() {
        if !arguments.quiet {
            say(&format!("{name} is there already: {}", path.display()));
        }
        return Ok(());
    }
    let urls = match arguments.url.is_empty() {
        true => release.urls.iter().map(|&url| url.to_owned()).collect(),
        false => arguments.url.clone(),
    };
    interrupt::catch_quietly()?;
    let bar = transfer_bar(release, arguments.quiet);
    let fetched = fetch(release, &urls, &path, &mut |arrived| {
        bar.set_position(arrived);
        if interrupt::requested() { Control::Stop } else { Control::Continue }
    });
    bar.finish_and_clear();
    fetched.map_err(|error| match error {
        FetchError::Stopped { .. } => Failure::interrupted(error),
        FetchError::Scheme { .. } => Failure::usage(error),
        error => Failure::failed(error),
    })?;
    if !arguments.quiet {
        say(&format!("{name} is fetched and whole, {}; paint with --weights {name}", path.display()));
    }
    Ok(())
}

fn transfer_bar(release: &Release, is_quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(release.length_bytes);
    if is_quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn convert(arguments: &ConvertArguments) -> Result<(), Failure> {
    check_target(&arguments.to, weights_file(&arguments.from).as_deref())?;
    let (weights, notes) = load_weights(&arguments.from, arguments.weights_input)?;
    notes.iter().for_each(|note| say(note));
    write(&weights, &arguments.to, arguments.stored_as)
}

fn normalise(arguments: &NormaliseArguments) -> Result<(), Failure> {
    check_target(&arguments.output, weights_file(&arguments.weights).as_deref())?;
    let images = images_of(&arguments.images).map_err(Failure::failed)?;
    let (weights, notes) = load_weights(&arguments.weights, arguments.weights_input)?;
    notes.iter().for_each(|note| say(note));
    let engine = open_cpu(Arc::clone(&weights), arguments.threads)?;
    let bar = ProgressBar::new(images.len() as u64);
    let means = mean_activations(&engine, &images, arguments.size as usize, &mut |_| bar.inc(1));
    bar.finish_and_clear();
    let means = means.map_err(Failure::failed)?;
    for filters in means.dead_filters().chunk_by(|one, next| one.layer == next.layer) {
        say(&dead_sentence(filters));
    }
    write(&weights.normalised_by(&means), &arguments.output, arguments.stored_as)
}

/// What is said of a layer's dead filters: each by its place.
fn dead_sentence(filters: &[Filter]) -> String {
    let channels: Vec<String> = filters.iter().map(|filter| filter.channel.to_string()).collect();
    let (layer, count) = (filters[0].layer, filters.len());
    format!(
        "{layer}: {count} of {} filters never fired on these images and keep their weights ({})",
        layer.channels(),
        channels.join(", ")
    )
}

/// Says, before any work, whether weights can be written there.
fn check_target(target: &Path, source: Option<&Path>) -> Result<(), Failure> {
    if target.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(Failure::usage(format_args!(
            "{} cannot be written, for weights are written as safetensors; end its name in .safetensors",
            target.display()
        )));
    }
    if source.is_some_and(|source| same_file(source, target)) {
        return Err(Failure::usage(format_args!(
            "{} would overwrite the weights that it is made from; choose another name",
            target.display()
        )));
    }
    let way = check_writable(target, LARGEST_FILE_BYTES).map_err(Failure::failed)?;
    way.note(target).iter().for_each(|note| say(note));
    Ok(())
}

fn write(weights: &Weights, target: &Path, stored_as: StoredAs) -> Result<(), Failure> {
    let bytes = write_safetensors(weights, stored_as)
        .map_err(|error| Failure::failed(format_args!("what {} would hold {error}", target.display())))?;
    replace_file(&RealDisk, target, &bytes).map_err(Failure::failed)
}

/// What `weights verify` found.
#[derive(Serialize)]
struct Report<'name> {
    weights: &'name str,
    /// SHA-256 of the answer to the built-in picture.
    answer: String,
    /// Relative difference of the answer to that of the embedded weights.
    from_embedded: f64,
    /// Relative difference of the answer to that of the normalised weights.
    from_normalised: f64,
    least: f32,
    largest: f32,
    ok: bool,
}

fn verify(arguments: &VerifyArguments, output: &mut Output) -> Result<(), Failure> {
    let name = arguments.weights.as_str();
    let (weights, notes) = load_weights(name, arguments.weights_input)?;
    notes.iter().for_each(|note| say(note));
    let answer = Answer::of(&weights);
    let ranges = kernel_ranges(&weights);
    let report = Report {
        weights: name,
        answer: sha256(&answer.bytes()),
        from_embedded: answer.distance(&Answer::of(&Weights::embedded())),
        from_normalised: answer.distance(&Answer::of(&Weights::normalised())),
        least: ranges.iter().map(|range| range.least).fold(f32::INFINITY, f32::min),
        largest: ranges.iter().map(|range| range.largest).fold(f32::NEG_INFINITY, f32::max),
        ok: answer.is_alive(),
    };
    if arguments.json {
        output.json(&report);
    } else {
        for (range, convolution) in ranges.iter().zip(weights.convolutions()) {
            let shape = format!("[{}, {}, 3, 3]", convolution.outputs, convolution.inputs);
            let (name, least, largest) = (range.layer.name(), range.least, range.largest);
            output.line(&format!("{name:<8} {shape:<16} weights {least:>9.4} to {largest:.4}"));
        }
        output.line(&format!("answer   SHA-256 {}", report.answer));
        output.line(&format!("it is    {}", report.kind()));
    }
    output.finish()?;
    match report.ok {
        true => Ok(()),
        false => Err(Failure::failed(format_args!(
            "{name} has the shapes of VGG-19 but no living network in them; fetch or export it again"
        ))),
    }
}

impl Report<'_> {
    /// What the network is, for people.
    fn kind(&self) -> String {
        let near = |distance: f64, what: &str| match distance {
            0.0 => Some(format!("{what}, bit for bit")),
            distance if distance < SAME_NETWORK => Some(format!("{what}, within {distance:.1e} of its answer")),
            _ => None,
        };
        near(self.from_embedded, "the original release, as embedded")
            .or_else(|| near(self.from_normalised, "the normalised release"))
            .unwrap_or_else(|| {
                format!("another VGG-19 ({:.2} away from the original release's answer)", self.from_embedded)
            })
    }
}
