//! Curves over iterations as HTML: lines in an SVG that stretches to any width, and labels beside it that do not.

use std::fmt::Write;

use super::text::{escaped, number};

/// Colours that the style sheet has for lines; further lines take them again, dashed.
const COLOURS: usize = 5;

/// Width and height of the drawing in its own units.
const EXTENT: f64 = 1000.0;

/// One line.
pub struct Series {
    /// What it is called in the legend.
    pub name: String,
    /// One value an iteration; what is not above zero is left out.
    pub values: Vec<f64>,
}

/// Lines with one logarithmic axis.
pub struct Chart<'a> {
    /// Its name in the page.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is drawn, in a few words.
    pub note: &'static str,
    /// The class of its colours: `parts` for things of several kinds, `layers` for things in an order.
    pub palette: &'static str,
    /// The lines.
    pub series: Vec<Series>,
    /// The iterations that the values belong to, ascending.
    pub iterations: &'a [u32],
    /// Iterations at which a new size begins, with what is said there.
    pub marks: &'a [(u32, String)],
}

/// The part of an axis that is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// Where `value` lies, from 0 to [`EXTENT`].
    fn place(self, value: f64) -> f64 {
        EXTENT * (value - self.low) / (self.high - self.low)
    }
}

impl Chart<'_> {
    /// The chart as a `figure`; a sentence in its place where there is nothing to draw.
    pub fn html(&self) -> String {
        let mut html = format!(
            "<figure class=\"chart {}\" data-chart=\"{}\"><figcaption><h3>{}</h3><p>{}</p></figcaption>",
            self.palette, self.id, self.title, self.note
        );
        let positive = || self.series.iter().flat_map(|series| &series.values).copied().filter(|value| *value > 0.0);
        let (low, high) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
        if high == 0.0 || !high.is_finite() {
            html.push_str("<p class=\"empty\">Nothing above zero to draw.</p></figure>");
            return html;
        }
        html.push_str(&self.legend());
        let (low, high) = (low.log10(), high.log10());
        let margin = (0.04 * (high - low)).max(0.01);
        let y = Range { low: low - margin, high: high + margin };
        let x = self.iteration_range();
        html.push_str("<div class=\"plot\">");
        let up = |value: f64| EXTENT - y.place(value.log10());
        let ticks = logarithmic_ticks(10_f64.powf(y.low), 10_f64.powf(y.high));
        html.push_str(&self.svg(&ticks, x, up));
        let digits = digits_apart(&ticks);
        for tick in ticks {
            let top = up(tick) / 10.0;
            let _ = write!(html, "<span class=\"y\" style=\"top:{top:.1}%\">{}</span>", number(tick, digits));
        }
        for tick in whole_ticks(x) {
            let _ = write!(html, "<span class=\"x\" style=\"left:{:.1}%\">{tick}</span>", x.place(tick) / 10.0);
        }
        for (iteration, said) in self.marks {
            let left = x.place(f64::from(*iteration)) / 10.0;
            let _ = write!(html, "<span class=\"mark\" style=\"left:{left:.1}%\">{}</span>", escaped(said));
        }
        html.push_str("<div class=\"cursor\"></div></div></figure>");
        html
    }

    fn legend(&self) -> String {
        let mut html = "<ul class=\"legend\">".to_owned();
        for (place, series) in self.series.iter().enumerate() {
            let last = series.values.last().map_or(String::new(), |value| number(*value, 4));
            let _ = write!(
                html,
                "<li><svg class=\"swatch\" viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"{}\" d=\"M2 4H22\"/></svg>{} <b>{last}</b></li>",
                line_class(place),
                escaped(&series.name)
            );
        }
        html + "</ul>"
    }

    fn svg(&self, ticks: &[f64], x: Range, up: impl Fn(f64) -> f64) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {EXTENT} {EXTENT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}, by iteration, on a logarithmic axis\">",
            self.title
        );
        for tick in ticks {
            let _ = write!(svg, "<path class=\"grid\" d=\"M0 {:.1}H{EXTENT}\"/>", up(*tick));
        }
        for (iteration, _) in self.marks {
            let _ = write!(svg, "<path class=\"size\" d=\"M{:.1} 0V{EXTENT}\"/>", x.place(f64::from(*iteration)));
        }
        for (place, series) in self.series.iter().enumerate() {
            let _ = write!(svg, "<path class=\"{}\" d=\"", line_class(place));
            let mut is_drawing = false;
            for (iteration, value) in self.iterations.iter().zip(&series.values) {
                let is_seen = *value > 0.0 && value.is_finite();
                if is_seen {
                    let (across, down) = (x.place(f64::from(*iteration)), up(*value));
                    // A point by itself becomes a dot: a line of no length with round ends.
                    let _ = match is_drawing {
                        true => write!(svg, "L{across:.1} {down:.1}"),
                        false => write!(svg, "M{across:.1} {down:.1}h0"),
                    };
                }
                is_drawing = is_seen;
            }
            svg.push_str("\"/>");
        }
        svg + "</svg>"
    }

    fn iteration_range(&self) -> Range {
        let first = self.iterations.first().map_or(0.0, |first| f64::from(*first));
        let last = self.iterations.last().map_or(first, |last| f64::from(*last));
        if last > first { Range { low: first, high: last } } else { Range { low: first - 1.0, high: first + 1.0 } }
    }
}

fn line_class(place: usize) -> String {
    let dashes = if place >= COLOURS { " dashed" } else { "" };
    format!("line c{}{dashes}", place % COLOURS)
}

/// The largest of 1, 2, 5, 10, 20 ... times a power of ten that cuts a length into at least so many parts.
fn round_step(length: f64, parts: f64) -> f64 {
    let power = 10_f64.powf((length / parts).log10().floor());
    let fits = |factor: &f64| length / (factor * power) >= parts;
    [5.0, 2.0, 1.0].into_iter().find(fits).unwrap_or(1.0) * power
}

/// Values to be written at a logarithmic axis: whole decades where there are three, else 1, 2 and 5 times them, else
/// equal steps.
fn logarithmic_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let of = |factors: &[f64], every: usize| -> Vec<f64> {
        let decades = (first..=last).step_by(every);
        let all = decades.flat_map(|exponent| factors.iter().map(move |factor| factor * 10_f64.powi(exponent)));
        all.filter(|tick| (low..=high).contains(tick)).collect()
    };
    let decades = of(&[1.0], 1);
    if decades.len() >= 3 {
        return of(&[1.0], decades.len().div_ceil(6));
    }
    let finer = of(&[1.0, 2.0, 5.0], 1);
    if finer.len() >= 3 {
        return finer;
    }
    let step = round_step(high - low, 3.0);
    let first = (low / step).ceil();
    let ticks = (0..8).map(|place| (first + f64::from(place)) * step);
    ticks.filter(|tick| (low..=high).contains(tick)).collect()
}

/// Digits that numbers need to look different.
fn digits_apart(ascending: &[f64]) -> usize {
    let closest = ascending.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let largest = ascending.last().copied().unwrap_or(1.0);
    (largest / closest).log10().ceil().clamp(1.0, 9.0) as usize + 1
}

/// Whole numbers to be written at a linear axis, some four.
fn whole_ticks(range: Range) -> Vec<f64> {
    let step = round_step(range.high - range.low, 3.0).max(1.0);
    let first = (range.low / step).ceil();
    (0..8).map(|place| (first + f64::from(place)) * step).filter(|tick| *tick <= range.high).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(logarithmic_ticks(0.5, 2e4), [1.0, 10.0, 100.0, 1e3, 1e4]);
        assert_eq!(logarithmic_ticks(3.0, 60.0), [5.0, 10.0, 20.0, 50.0]);
        assert_eq!(logarithmic_ticks(71.0, 83.0), [72.0, 74.0, 76.0, 78.0, 80.0, 82.0]);
        for (low, high) in [(1e-12, 1e12), (1e9, 8.3e9), (0.9999, 1.0001), (4e-5, 9e-5)] {
            let ticks = logarithmic_ticks(low, high);
            assert!((2..=8).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (low..=high).contains(tick)), "{low} {high}: {ticks:?}");
            let digits = digits_apart(&ticks);
            let said: Vec<String> = ticks.iter().map(|tick| number(*tick, digits)).collect();
            assert!(said.windows(2).all(|pair| pair[0] != pair[1]), "{said:?}");
        }
        assert_eq!(whole_ticks(Range { low: 1.0, high: 200.0 }), [50.0, 100.0, 150.0, 200.0]);
        assert_eq!(whole_ticks(Range { low: 1.0, high: 3.0 }), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_line_goes_through_its_values_and_stops_at_what_has_no_logarithm() {
        let series = vec![Series { name: "a<b".to_owned(), values: vec![100.0, 10.0, 0.0, 1.0] }];
        let iterations = [1, 2, 3, 4];
        let marks = [];
        let (id, title, note, palette) = ("id", "Title", "Note", "parts");
        let chart = Chart { id, title, note, palette, series, iterations: &iterations, marks: &marks };
        let html = chart.html();
        // Two decades and a margin of 4% on both sides: the lines lie at 37, 500 and 963 thousandths.
        assert!(html.contains("d=\"M0.0 37.0h0L333.3 500.0M1000.0 963.0h0\""), "{html}");
        assert!(html.contains("a&lt;b <b>1</b>"), "{html}");
        let empty = Chart { series: vec![Series { name: String::new(), values: vec![0.0; 4] }], ..chart };
        assert!(empty.html().contains("Nothing above zero"));
    }
}
