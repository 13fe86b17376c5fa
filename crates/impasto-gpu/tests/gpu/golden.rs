//! The golden files: features of every kind of layer, means, Gram matrices, losses and gradients.

use crate::support::errors::errors;
use crate::support::golden::{self, Golden};
use crate::{cases, engine};

#[test]
fn the_bounds_of_every_file() {
    let Some(engine) = engine() else { return };
    for path in cases(3, golden::files()) {
        let golden = Golden::read(&path);
        let errors = errors(engine, &golden);
        assert!(errors.keep_bounds(&golden), "{}: {errors:?}", golden.name);
    }
}
