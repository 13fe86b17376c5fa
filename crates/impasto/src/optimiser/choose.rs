//! Which optimiser a recipe names.

use super::Optimiser;
use super::adam::Adam;
use super::lbfgs::Lbfgs;
use super::preconditioner::Preconditioner;
use crate::recipe::OptimizerKind;
use crate::recipe::resolve::ResolvedRecipe;

/// The optimiser that a recipe names, for pictures of this size.
pub fn optimiser(recipe: &ResolvedRecipe, width: usize, height: usize) -> Box<dyn Optimiser> {
    match recipe.optimizer {
        OptimizerKind::Lbfgs => {
            let preconditioner =
                (recipe.coarse_emphasis > 0.0).then(|| Preconditioner::new(width, height, recipe.coarse_emphasis));
            Box::new(Lbfgs::new(recipe.history as usize, recipe.clamp, preconditioner))
        }
        OptimizerKind::Adam => {
            let adam = Adam::new(recipe.learning_rate, recipe.clamp);
            let adam = adam.with_beta_2(recipe.adam_beta_2).with_average(recipe.adam_average);
            Box::new(adam.carried(recipe.adam_carried))
        }
    }
}
