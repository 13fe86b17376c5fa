//! The rows that each map must keep, from how far its writer has run ahead of its last reader.

use super::builder::{Builder, PlannedLayer, Way};
use super::{LayerSlots, TILE_ROWS};

impl Builder<'_> {
    /// Rows of a layer's map that have been produced on this way.
    pub fn feature_rows(&self, index: usize) -> usize {
        let layer = self.network.layers[index];
        if layer.is_convolution {
            (self.cursors[index].forward * TILE_ROWS).min(layer.height)
        } else {
            (self.cursors[index - 1].forward * TILE_ROWS / 2).min(layer.height)
        }
    }

    /// Rows between each map's writer and its last reader.
    pub fn spans(&self, index: usize) -> LayerSlots {
        let layer = self.network.layers[index];
        let mut spans = LayerSlots::default();
        if self.network.has_features(index) {
            spans.features = self.feature_span(index);
        }
        let produced = self.feature_rows(index);
        if layer.is_convolution {
            let released = if self.network.next_is_convolution(index) {
                (self.cursors[index + 1].backward * TILE_ROWS).min(layer.height)
            } else {
                self.gradient_released(index)
            };
            spans.signs = self.bit_span(index, produced, released);
        } else if self.network.is_max {
            spans.winners = self.bit_span(index, produced, self.gradient_released(index));
        }
        if self.way == Way::Backward && self.network.has_gradient(index) {
            let from_above =
                if self.network.next_is_convolution(index) { self.cursors[index + 1].backward * TILE_ROWS } else { 0 };
            let written = from_above.min(layer.height).max(self.cursors[index].injected);
            spans.gradient = written - self.gradient_released(index).min(written);
        }
        spans
    }

    /// Rows of signs or winners: all, where they wait for the way back.
    fn bit_span(&self, index: usize, produced: usize, released: usize) -> usize {
        match self.way {
            _ if !self.is_again(index) => self.network.layers[index].height,
            Way::Forward => 0,
            Way::Backward => produced - released.min(produced),
        }
    }

    fn feature_span(&self, index: usize) -> usize {
        let layer = self.network.layers[index];
        if layer.is_tapped && !self.is_again(index) {
            return layer.height;
        }
        let produced = self.feature_rows(index);
        let mut released = produced;
        if self.network.next_is_convolution(index) && self.runs(index + 1) {
            let next = self.cursors[index + 1].forward;
            released = released.min(rows_released(next, self.network.layers[index + 1]));
        }
        if layer.is_tapped {
            let cursor = self.cursors[index];
            released = released.min(if self.way == Way::Forward { cursor.observed } else { cursor.injected });
        }
        produced - released
    }

    /// Rows of a layer's gradient (and of a pooling's winners) that no one reads any more.
    fn gradient_released(&self, index: usize) -> usize {
        let layer = self.network.layers[index];
        if layer.is_convolution {
            return rows_released(self.cursors[index].backward, layer);
        }
        let below = self.network.layers[index - 1];
        let released = rows_released(self.cursors[index - 1].backward, below);
        if released == below.height { layer.height } else { released / 2 }
    }
}

/// Rows that a convolution that has done its first `tile_rows` rows of tiles will not read again.
fn rows_released(tile_rows: usize, layer: PlannedLayer) -> usize {
    if tile_rows >= layer.tile_rows { layer.height } else { (tile_rows * TILE_ROWS).saturating_sub(1) }
}
