//! What is ordered: images and choices as a front end was given them ([`Order`]), and what becomes of them
//! ([`ResolvedOrder`]): every choice has its value, every file its place.

mod carried;
mod file;
mod files;
mod held;
mod masks;
mod name;
mod resolved;

use std::path::PathBuf;

use impasto::recipe::Recipe;

pub use file::{file_name, same_file};
pub use files::OrderFiles;
pub use held::HeldFiles;
pub(crate) use masks::MaskFiles;
pub use resolved::ResolvedOrder;

/// What shall be painted: images and choices as a front end was given them. Nothing of it is checked yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    /// The photo; may be left out where `recipe_file` names one.
    pub content: Option<PathBuf>,
    /// The paintings; may be left out where `recipe_file` names them.
    pub styles: Vec<PathBuf>,
    /// A JSON file or a picture whose recipe is repeated; what `recipe` says varies it.
    pub recipe_file: Option<PathBuf>,
    /// What was chosen; what it leaves open comes from `recipe_file`, else from the preset. A file to start from and a file
    /// of weights are named with their folders here.
    pub recipe: Recipe,
    /// Those of these files whose bytes are here already; the others are read from where they lie.
    pub held: HeldFiles,
}
