//! Pictures that tile: which of their sides join, and the sizes that such sides can have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which sides of a picture join, so that it tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Seamless {
    /// None: the picture ends at its edges.
    None,
    /// Left and right.
    X,
    /// Top and bottom.
    Y,
    /// All.
    Both,
}

impl Seamless {
    /// Whether left and right join.
    #[must_use]
    pub fn joins_x(self) -> bool {
        matches!(self, Seamless::X | Seamless::Both)
    }

    /// Whether top and bottom join.
    #[must_use]
    pub fn joins_y(self) -> bool {
        matches!(self, Seamless::Y | Seamless::Both)
    }
}
