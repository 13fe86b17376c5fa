//! What a run will take, told before it.

use impasto::forecast::{Forecast, MemoryNeed, memory_need, seconds};
use impasto::objective::request;
use impasto::{Picture, ResolvedRecipe, Scale};
use impasto_vgg::cpu::memory::usable_bytes;
use impasto_vgg::{Engine, EngineError};

/// A run that has not begun: what it would do, on which images.
pub struct Intended<'run> {
    /// The recipe, for the size at hand.
    pub recipe: &'run ResolvedRecipe,
    /// What would paint.
    pub engine: &'run dyn Engine,
    /// The sizes, coarse to fine.
    pub scales: &'run [Scale],
    /// All images that were read.
    pub images: Vec<&'run Picture>,
    /// The style images among them.
    pub styles: &'run [Picture],
}

impl Intended<'_> {
    /// The memory that the network may take: what was asked for, or where nothing was and the whole would not fit, what
    /// the images and the optimiser leave. `None` where there is enough of it.
    pub fn network_limit(&self, asked: Option<u64>) -> Result<Option<u64>, EngineError> {
        let (None, Some(usable)) = (asked, usable_bytes()) else { return Ok(asked) };
        if self.engine.describe().has_own_memory {
            // What is free there, the engine finds out for itself.
            return Ok(None);
        }
        let whole = self.memory_need(None)?.bytes;
        if whole <= usable {
            return Ok(None);
        }
        let full = self.scales[self.scales.len() - 1];
        let network = self.engine.session_bytes(&request(self.recipe, full.width, full.height, None))?;
        Ok(Some(usable.saturating_sub(whole.saturating_sub(network))))
    }

    /// The most memory at once.
    pub fn memory_need(&self, network_limit: Option<u64>) -> Result<MemoryNeed, EngineError> {
        let pixels = self.images.iter().map(|image| (image.width * image.height) as u64).sum();
        memory_need(self.recipe, self.engine, self.scales, pixels, &self.style_sizes(), network_limit)
    }

    /// Memory and time; evaluates a small picture.
    pub fn forecast(&self, network_limit: Option<u64>) -> Result<Forecast, EngineError> {
        let memory = self.memory_need(network_limit)?;
        let seconds = seconds(self.recipe, self.engine, self.scales, &self.style_sizes())?;
        Ok(Forecast { memory, seconds })
    }

    fn style_sizes(&self) -> Vec<(usize, usize)> {
        self.styles.iter().map(|style| (style.width, style.height)).collect()
    }
}
