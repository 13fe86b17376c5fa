//! The page of a run.

use std::fmt::Write;

use impasto::run_folder::{Metrics, RunRecord, RunState};
use impasto_vgg::Layer;
use serde_json::{Value, json};

use super::chart::{Chart, Series};
use super::pictures::{Pictures, Shown};
use super::text::{escaped, json_in_script, number};
use crate::pace::duration;

/// How pages look.
pub const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing is fetched from anywhere, whatever the page holds.
pub const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// More points than this are more than a line shows.
const MOST_POINTS: usize = 800;

/// What the page tells of.
pub struct Run<'a> {
    pub record: &'a RunRecord,
    pub state: RunState,
    pub metrics: &'a [Metrics],
    pub pictures: &'a Pictures,
}

/// The whole page. It is XML too.
pub fn html(run: &Run<'_>) -> String {
    let title = escaped(&title(run.record));
    let points = thinned(run.metrics);
    let charts = charts(run.record, &points);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\
         <style>{STYLE}</style></head><body>\n<header><h1>{title}</h1>{}</header>\n<main>\n",
        escaped(POLICY),
        summary(run)
    );
    html.push_str(&pictures(run));
    html.push_str(&curves(run.record, &points, &charts));
    html.push_str(&times(run));
    html.push_str(&tables(run.record));
    let _ = write!(
        html,
        "</main>\n<script type=\"application/json\" id=\"run\">{}</script>\n<script>//<![CDATA[\n{SCRIPT}\n//]]></script>\n</body></html>\n",
        json_in_script(&data(run, &points, &charts))
    );
    html
}

/// `photo.jpg after whirls.jpg`
fn title(record: &RunRecord) -> String {
    let styles: Vec<&str> = record.inputs.styles.iter().map(|style| style.name.as_str()).collect();
    match styles.is_empty() {
        true => record.inputs.content.name.clone(),
        false => format!("{} after {}", record.inputs.content.name, styles.join(", ")),
    }
}

fn summary(run: &Run<'_>) -> String {
    let (record, last) = (run.record, run.metrics.last());
    let (class, state) = match run.state {
        RunState::Finished => ("finished", "finished"),
        RunState::Running => ("running", "still painting"),
        RunState::Stopped => ("stopped", "stopped"),
    };
    let all = record.scales.iter().fold(0_u32, |sum, scale| sum.saturating_add(scale.evaluations));
    let done = record.outcome.as_ref().map(|end| end.evaluations).or(last.map(|last| last.evaluations)).unwrap_or(0);
    let mut parts = Vec::new();
    if let Some(full) = record.scales.last() {
        parts.push(format!("{} × {} pixels", full.width, full.height));
    }
    parts.push(format!("{done} of {all} evaluations"));
    if let Some(seconds) = seconds(run) {
        parts.push(duration(seconds));
    }
    parts.push(format!("preset {}", record.recipe.preset));
    parts.push(format!("begun {}", record.started.replace('T', " ").trim_end_matches('Z')));
    let parts: Vec<String> = parts.iter().map(|part| format!("<span>{}</span>", escaped(part))).collect();
    format!("<p class=\"summary\"><strong class=\"{class}\">{state}</strong>{}</p>", parts.join(""))
}

/// Seconds of work so far.
fn seconds(run: &Run<'_>) -> Option<f64> {
    let end = run.record.outcome.as_ref().map(|end| end.seconds);
    end.or(run.metrics.last().map(|last| last.seconds))
}

fn pictures(run: &Run<'_>) -> String {
    let pictures = run.pictures;
    let mut html = "<section class=\"pictures\"><div class=\"stage\">".to_owned();
    if pictures.over_time.is_empty() {
        html.push_str("<p class=\"empty\">This run has no picture yet.</p>");
    }
    let shape = run.record.scales.last().map(|full| format!("--width:{};--height:{}", full.width, full.height));
    let _ = write!(html, "<div class=\"film\" style=\"{}\">", shape.unwrap_or_default());
    pictures.over_time.iter().for_each(|picture| html.push_str(&figure(picture)));
    html.push_str("</div>");
    if pictures.over_time.len() > 1 {
        let last = pictures.over_time.len() - 1;
        let _ = write!(
            html,
            "<div class=\"control\" hidden=\"\"><button type=\"button\" id=\"play\">Play</button>\
             <input type=\"range\" id=\"time\" min=\"0\" max=\"{last}\" value=\"{last}\" aria-label=\"Time\"/>\
             <output id=\"now\" for=\"time\"></output></div>"
        );
        let on_the_way = pictures.over_time.iter().filter(|picture| picture.iteration.is_some()).count();
        if on_the_way < pictures.frames.saturating_sub(1) {
            let _ = write!(html, "<p class=\"note\">{on_the_way} of {} pictures on the way.</p>", pictures.frames);
        }
    }
    html.push_str("</div><aside>");
    pictures.inputs.iter().for_each(|picture| html.push_str(&figure(picture)));
    for complaint in &pictures.complaints {
        let _ = write!(html, "<p class=\"note\">{}</p>", escaped(complaint));
    }
    html + "</aside></section>\n"
}

fn figure(picture: &Shown) -> String {
    let Shown { name, width, height, address, .. } = picture;
    let name = escaped(name);
    format!(
        "<figure><img src=\"{address}\" width=\"{width}\" height=\"{height}\" alt=\"{name}\"/><figcaption>{name}</figcaption></figure>"
    )
}

/// At most so many evaluations: of each stretch the last, and the one of the largest loss, so that no peak is lost.
fn thinned(metrics: &[Metrics]) -> Vec<&Metrics> {
    if metrics.len() <= MOST_POINTS {
        return metrics.iter().collect();
    }
    let stretches = metrics.chunks(metrics.len().div_ceil(MOST_POINTS / 2));
    let of = stretches.flat_map(|stretch| {
        let peak = stretch.iter().max_by(|a, b| a.loss.total_cmp(&b.loss));
        let last = stretch.last();
        peak.into_iter().chain(last.filter(|last| peak.is_none_or(|peak| peak.iteration < last.iteration)))
    });
    of.collect()
}

/// A chart's name in the page and its lines.
struct Lines {
    id: &'static str,
    title: &'static str,
    note: &'static str,
    palette: &'static str,
    series: Vec<Series>,
}

fn charts(record: &RunRecord, points: &[&Metrics]) -> Vec<Lines> {
    let recipe = &record.recipe;
    let series = |name: &str, value: &dyn Fn(&Metrics) -> f64| {
        let values = points.iter().map(|metrics| value(metrics)).collect();
        Series { name: name.to_owned(), values }
    };
    let mut losses = vec![series("total", &|at| at.loss)];
    let mut add = |name: &str, weight: f64, value: &dyn Fn(&Metrics) -> f64| {
        if weight > 0.0 {
            losses.push(series(name, &|at| weight * value(at)));
        }
    };
    add("content", recipe.content_weight, &|at| at.content);
    add("style", recipe.style_weight, &|at| at.style);
    add("matched", recipe.match_weight, &|at| at.matched.unwrap_or_default());
    add("total variation", recipe.tv_weight, &|at| at.total_variation);
    add("range", recipe.range_weight, &|at| at.range);
    if points.iter().any(|at| at.multiscale.is_some()) {
        add("smaller sizes", recipe.multiscale_weight, &|at| at.multiscale.unwrap_or(f64::NAN));
    }
    let layers = |of: &dyn Fn(&Metrics) -> &std::collections::BTreeMap<Layer, f64>| -> Vec<Series> {
        let names: Vec<Layer> = points.first().map_or(Vec::new(), |first| of(first).keys().copied().collect());
        let value = |at: &Metrics, layer| of(at).get(&layer).copied().unwrap_or(f64::NAN);
        names.into_iter().map(|layer| series(layer.name(), &|at| value(at, layer))).collect()
    };
    let (style, content) = (layers(&|at| &at.style_layers), layers(&|at| &at.content_layers));
    let step = vec![series("step length", &|at| at.step_length)];
    let lines = |id, title, note, palette, series| Lines { id, title, note, palette, series };
    let all = [
        lines("losses", "Losses", "What is minimised, and each part times its weight", "parts", losses),
        lines("style", "Style loss of each layer", "The paper’s E<sub>l</sub>, before weights", "layers", style),
        lines("content", "Content loss of each layer", "Before weights", "layers", content),
        lines("step", "Step length", "Root mean square, in units of 0..255; for Adam its learning rate", "parts", step),
    ];
    all.into_iter().filter(|lines| !lines.series.is_empty()).collect()
}

fn curves(record: &RunRecord, points: &[&Metrics], charts: &[Lines]) -> String {
    if points.is_empty() {
        return "<section><p class=\"empty\">No evaluation is done yet.</p></section>\n".to_owned();
    }
    let iterations: Vec<u32> = points.iter().map(|at| at.iteration).collect();
    let begins = points.windows(2).filter(|pair| pair[0].scale != pair[1].scale).map(|pair| pair[1]);
    let mut marks: Vec<(u32, String)> =
        begins.map(|at| (at.iteration, format!("{}×{}", at.width, at.height))).collect();
    if record.scales.len() < 2 {
        marks.clear();
    }
    let mut html = "<section class=\"charts\">".to_owned();
    for Lines { id, title, note, palette, series } in charts {
        let series = series.iter().map(|of| Series { name: of.name.clone(), values: of.values.clone() }).collect();
        let chart = Chart { id, title, note, palette, series, iterations: &iterations, marks: &marks };
        html.push_str(&chart.html());
    }
    html + "</section>\n"
}

/// What the script needs for the slider and for values under the pointer.
fn data(run: &Run<'_>, points: &[&Metrics], charts: &[Lines]) -> Value {
    let series = |lines: &Lines| lines.series.iter().map(|series| json!(series.values)).collect::<Vec<_>>();
    json!({
        "iterations": points.iter().map(|at| at.iteration).collect::<Vec<_>>(),
        "seconds": points.iter().map(|at| at.seconds).collect::<Vec<_>>(),
        "pictures": run.pictures.over_time.iter().map(|picture| json!([picture.iteration, picture.name])).collect::<Vec<_>>(),
        "charts": charts.iter().map(|lines| (lines.id.to_owned(), json!(series(lines)))).collect::<serde_json::Map<_, _>>(),
    })
}

fn times(run: &Run<'_>) -> String {
    let mut rows = String::new();
    let mut before = 0.0;
    for (index, scale) in run.record.scales.iter().enumerate() {
        let of: Vec<&Metrics> = run.metrics.iter().filter(|at| at.scale == index).collect();
        let (Some(first), Some(last)) = (of.first(), of.last()) else { continue };
        let each = match last.evaluations - first.evaluations {
            0 => "–".to_owned(),
            count => format!("{} s", number((last.seconds - first.seconds) / f64::from(count), 3)),
        };
        let (width, height) = (scale.width, scale.height);
        let (done, planned) = (of.len(), scale.evaluations);
        let _ = write!(
            rows,
            "<tr><td>{width} × {height}</td><td>{planned}</td><td>{done}</td><td>{each}</td><td>{}</td></tr>",
            duration(last.seconds - before)
        );
        before = last.seconds;
    }
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "<section><h2>Time</h2><div class=\"wide\"><table><thead><tr><th>size</th><th>evaluations planned</th><th>accepted</th>\
         <th>each</th><th>in all</th></tr></thead><tbody>{rows}</tbody></table></div></section>\n"
    )
}

fn tables(record: &RunRecord) -> String {
    let machine = &record.machine;
    let of_machine = [
        ("program", format!("impasto {}", record.program)),
        ("engine", machine.engine.clone()),
        ("processor", machine.processor.clone().unwrap_or_default()),
        ("processors", machine.processors.to_string()),
        ("system", format!("{} {}", machine.system, machine.architecture)),
        ("begun", record.started.clone()),
        ("finished", record.outcome.as_ref().map_or(String::new(), |end| end.finished.clone())),
    ];
    let styles = record.inputs.styles.iter().map(|style| ("painting", style));
    let others = [("start", &record.inputs.start), ("weights", &record.inputs.weights)];
    let others = others.into_iter().filter_map(|(what, input)| Some((what, input.as_ref()?)));
    let files = std::iter::once(("photo", &record.inputs.content)).chain(styles).chain(others);
    let files: Vec<(&str, String)> =
        files.map(|(what, input)| (what, format!("{} (SHA-256 {})", input.name, input.sha256))).collect();
    // A struct of texts and numbers: this cannot fail.
    let recipe = serde_json::to_value(&record.recipe).unwrap_or_default();
    let recipe: Vec<(String, String)> =
        recipe.as_object().into_iter().flatten().map(|(key, value)| (key.replace('_', " "), said(value))).collect();
    let section = |title: &str, class: &str, rows: String| {
        format!("<section><h2>{title}</h2><dl class=\"{class}\">{rows}</dl></section>\n")
    };
    section("Recipe", "columns", recipe.iter().map(|(key, value)| row(key, value)).collect())
        + &section("Machine", "columns", of_machine.iter().map(|(key, value)| row(key, value)).collect())
        + &section("Images", "lines", files.iter().map(|(key, value)| row(key, value)).collect())
}

/// A line of a list; none where there is nothing to say.
fn row(key: &str, value: &str) -> String {
    match value.is_empty() {
        true => String::new(),
        false => format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(key), escaped(value)),
    }
}

/// A value of the recipe as people write it.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(said).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key} = {}", said(value))).collect::<Vec<_>>().join(", ")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
