//! The losses of a run, as its page draws them.

use std::collections::BTreeMap;

use impasto::run_folder::Metrics;
use impasto_vgg::Layer;
use serde_json::Value;

use crate::wire::{LossColumns, Losses};

/// The losses of one accepted evaluation, by layer too.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Evaluations until then.
    pub evaluation: u32,
    /// What is minimised, content and style.
    pub losses: Losses,
    /// Each layer's.
    pub layers: Vec<(String, f64)>,
}

impl Figures {
    /// Of a line of a run's folder.
    pub fn of(metrics: &Metrics) -> Figures {
        let losses = Losses { total: metrics.loss, content: metrics.content, style: metrics.style };
        let style = metrics.style_layers.iter().map(|(layer, loss)| (layer.to_string(), *loss));
        let content =
            metrics.content_layers.iter().map(|(layer, loss)| (content_name(*layer, &metrics.style_layers), *loss));
        Figures { evaluation: metrics.evaluations, losses, layers: style.chain(content).collect() }
    }

    /// Each layer's loss by its name.
    pub fn by_layer(&self) -> Value {
        Value::Object(self.layers.iter().map(|(name, loss)| (name.clone(), Value::from(*loss))).collect())
    }
}

/// What a content layer is called where a style layer may have the name.
fn content_name(layer: Layer, styles: &BTreeMap<Layer, f64>) -> String {
    if styles.contains_key(&layer) { format!("{layer} content") } else { layer.to_string() }
}

/// Points that a curve has at most: more than a screen has columns.
const POINTS: usize = 4000;

/// The columns of these lines, every so-manieth of them where they are many, and the last.
pub fn columns(lines: &[Figures]) -> LossColumns {
    let step = lines.len().div_ceil(POINTS).max(1);
    let lines: Vec<&Figures> = lines.iter().rev().step_by(step).collect();
    let mut columns = LossColumns::default();
    for (place, line) in lines.iter().rev().enumerate() {
        columns.evaluation.push(line.evaluation);
        columns.total.push(line.losses.total);
        columns.content.push(line.losses.content);
        columns.style.push(line.losses.style);
        for (name, loss) in &line.layers {
            let column = columns.layers.entry(name.clone()).or_default();
            // A layer that counts only from here on.
            column.resize(place, 0.0);
            column.push(*loss);
        }
    }
    for column in columns.layers.values_mut() {
        column.resize(lines.len(), 0.0);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_long_as_there_are_lines() {
        let line = |evaluation, layers: &[(&str, f64)]| Figures {
            evaluation,
            losses: Losses { total: f64::from(evaluation), ..Losses::default() },
            layers: layers.iter().map(|(name, loss)| ((*name).to_owned(), *loss)).collect(),
        };
        let columns = columns(&[line(1, &[("a", 1.0)]), line(3, &[("a", 2.0), ("b", 5.0)]), line(4, &[("b", 6.0)])]);
        assert_eq!(columns.evaluation, [1, 3, 4]);
        assert_eq!(columns.layers["a"], [1.0, 2.0, 0.0]);
        assert_eq!(columns.layers["b"], [0.0, 5.0, 6.0]);
        let many: Vec<Figures> = (1..=9999).map(|evaluation| line(evaluation, &[])).collect();
        let thinned = super::columns(&many);
        assert_eq!((thinned.evaluation.len(), thinned.evaluation.last()), (3333, Some(&9999)));
    }
}
