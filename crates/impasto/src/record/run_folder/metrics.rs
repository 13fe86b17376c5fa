//! `metrics.jsonl`: how the losses went, a line an accepted evaluation.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use impasto_vgg::Layer;
use serde::{Deserialize, Serialize};

use super::METRICS;
use crate::disk::{DiskError, open_file, read_file};
use crate::objective::LayerLoss;
use crate::run::Iteration;

/// The longest `metrics.jsonl` that is read, in MiB: some two million lines.
pub(crate) const METRICS_LIMIT_MIB: u64 = 1024;

/// More bytes than a line of `metrics.jsonl` has, with 32 layers named.
const LINE_LIMIT_BYTES: u64 = 16 << 10;

/// A line of `metrics.jsonl`: an accepted evaluation. `evaluations` skips those whose step was taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Accepted evaluations, this one included: 1, 2, 3 ...
    pub iteration: u32,
    /// Evaluations, this one included.
    pub evaluations: u32,
    /// What is minimised.
    pub loss: f64,
    /// The content loss, before its weight.
    pub content: f64,
    /// The style loss, before its weight.
    pub style: f64,
    /// The loss of matched features, before its weight; not there where none are matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<f64>,
    /// The total variation, before its weight; 0 where it has none.
    pub total_variation: f64,
    /// Mean squared excess beyond 0..255, before its weight; 0 where it has none.
    pub range: f64,
    /// What is minimised at smaller sizes, before its weight; not there where none counts. The others are of the picture's own size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiscale: Option<f64>,
    /// Each content layer's loss.
    pub content_layers: BTreeMap<Layer, f64>,
    /// Each style layer's loss: the paper's E_l.
    pub style_layers: BTreeMap<Layer, f64>,
    /// Length of the step that comes next, in units of 0..255: its root mean square, for Adam the learning rate.
    pub step_length: f64,
    /// Place among the scales, from 0.
    pub scale: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Seconds of work so far, over all the times that the run was gone on with.
    pub seconds: f64,
}

impl Metrics {
    /// The line of an evaluation.
    #[must_use]
    pub fn of(iteration: &Iteration<'_>, seconds: f64) -> Metrics {
        let layers = |losses: &[LayerLoss]| losses.iter().map(|layer| (layer.layer, layer.loss)).collect();
        let losses = iteration.losses;
        Metrics {
            iteration: iteration.iteration,
            evaluations: iteration.evaluations,
            loss: losses.total,
            content: losses.content,
            style: losses.style,
            matched: (!losses.matched_layers.is_empty()).then_some(losses.matched),
            total_variation: losses.total_variation,
            range: losses.range,
            multiscale: (losses.multiscale != 0.0).then_some(losses.multiscale),
            content_layers: layers(&losses.content_layers),
            style_layers: layers(&losses.style_layers),
            step_length: iteration.step_length(),
            scale: iteration.scale_index,
            width: iteration.width,
            height: iteration.height,
            seconds,
        }
    }
}

/// The lines of `metrics.jsonl`, as far as they are whole; none where the file is not there.
///
/// # Errors
/// The file cannot be read.
pub fn read_metrics(folder: &Path) -> Result<Vec<Metrics>, DiskError> {
    let bytes = match read_file(&folder.join(METRICS), METRICS_LIMIT_MIB) {
        Err(DiskError::Missing { .. }) => Vec::new(),
        read => read?,
    };
    Ok(whole_lines(&bytes).map_while(|line| serde_json::from_slice(line).ok()).collect())
}

/// The last whole line of `metrics.jsonl`, without reading the others.
#[must_use]
pub fn last_metrics(folder: &Path) -> Option<Metrics> {
    let (mut file, length_bytes) = open_file(&folder.join(METRICS)).ok()?;
    file.seek(SeekFrom::Start(length_bytes.saturating_sub(2 * LINE_LIMIT_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(2 * LINE_LIMIT_BYTES).read_to_end(&mut tail).ok()?;
    whole_lines(&tail).filter_map(|line| serde_json::from_slice(line).ok()).last()
}

/// Lines that end; a killed program may have left half a line behind.
pub(crate) fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}
