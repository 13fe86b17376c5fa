//! What a run will take, told before it, and whether there is so much.
//!
//! ```text
//!   room = nine tenths of what is free  =  beside the network (images, pictures, the optimiser)  +  the network
//! ```
//!
//! The network does with less where it has to, by narrower bands in more time; what stands beside it is what the recipe asks
//! for at this size.

use impasto::forecast::{Forecast, MemoryNeed, memory_beside_network, memory_need, seconds};
use impasto::recipe::Size;
use impasto::{Picture, ResolvedRecipe, Scale};
use impasto_vgg::cpu::memory::{Bound, Free, can_be_had};
use impasto_vgg::{Engine, EngineError};

use crate::failure::Failure;
use crate::order::ResolvedOrder;

/// The share of what is free that a run may take; the rest is for what others on the machine may want meanwhile.
const ROOM_PERCENT: u64 = 90;

/// A run that has not begun: what it would do, on which images.
pub struct Intended<'run> {
    /// What was ordered; its recipe for another size may remember more or fewer steps.
    pub order: &'run ResolvedOrder,
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

/// Why a run is not begun: there is not the memory for it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoRoom {
    /// What is free is less than the least that the run takes.
    #[error(
        "{width}x{height} needs at least {needed_mib} MiB of memory, {beside_mib} of them beside the network, and {room_mib} MiB may be taken of what is free {whose}; {way_out}"
    )]
    NotFree {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The least that would do.
        needed_mib: u64,
        /// What of it images, pictures and the optimiser take.
        beside_mib: u64,
        /// What may be taken.
        room_mib: u64,
        /// Where so much is free.
        whose: &'static str,
        /// What would help.
        way_out: String,
    },
    /// The system was asked for it, and refused.
    #[error(
        "{width}x{height} takes {needed_mib} MiB of memory, which the system does not give; lower --size, or free some"
    )]
    Refused {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// What it takes.
        needed_mib: u64,
    },
    /// The network does not fit a limit that was set, or the engine has another complaint.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<NoRoom> for Failure {
    fn from(error: NoRoom) -> Failure {
        match error {
            NoRoom::Engine(error) => Failure::from(error),
            error => Failure::failed(error),
        }
    }
}

impl Intended<'_> {
    /// The memory that the network may take: what was asked for, or where nothing was and the whole would not fit, what
    /// the images and the optimiser leave. `None` where there is enough of it.
    ///
    /// # Errors
    /// There is not enough, or the system does not give it.
    pub fn network_limit(&self, asked: Option<u64>, free: Option<Free>) -> Result<Option<u64>, NoRoom> {
        if let Some(limit) = asked {
            self.memory_need(Some(limit))?;
            return Ok(asked);
        }
        if self.engine.describe().has_own_memory {
            // What is free there, the engine finds out for itself.
            self.memory_need(None)?;
            return Ok(None);
        }
        let limit = match free {
            Some(free) => self.limit_within(free)?,
            None => None,
        };
        let need = self.memory_need(limit)?.bytes;
        // What is held already need not be had again.
        if can_be_had(need.saturating_sub(self.held_bytes())) {
            return Ok(limit);
        }
        let Scale { width, height, .. } = *self.full();
        Err(NoRoom::Refused { width, height, needed_mib: need.div_ceil(1 << 20) })
    }

    /// As [`Intended::network_limit`], where so much is free and nothing else bounds it.
    fn limit_within(&self, free: Free) -> Result<Option<u64>, NoRoom> {
        // What is held already counts to what the run takes, and is not free any more.
        let room = free.bytes / 100 * ROOM_PERCENT + self.held_bytes();
        if self.memory_need(None).is_ok_and(|need| need.bytes <= room) {
            return Ok(None);
        }
        let network = room.saturating_sub(self.beside_network());
        match self.memory_need(Some(network)) {
            Ok(need) if need.bytes <= room => Ok(Some(network)),
            Ok(need) => Err(self.not_free(need.bytes, room, free.bound)),
            Err(EngineError::Memory { needed_mib, .. }) => {
                Err(self.not_free(self.beside_network() + (needed_mib << 20), room, free.bound))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The sentence, with the largest size that would fit.
    fn not_free(&self, needed: u64, room: u64, bound: Bound) -> NoRoom {
        let Scale { width, height, .. } = *self.full();
        let way_out = match self.fitting_size(room) {
            Some(size) => format!("--size {} would fit, or free some", String::from(size)),
            None => "free some, or lower --size".to_owned(),
        };
        NoRoom::NotFree {
            width,
            height,
            needed_mib: needed.div_ceil(1 << 20),
            beside_mib: self.beside_network() >> 20,
            room_mib: room >> 20,
            whose: bound.words(),
            way_out,
        }
    }

    /// The largest size of this shape that takes no more than `room`, in sixteenths of the one at hand.
    fn fitting_size(&self, room: u64) -> Option<Size> {
        (1..16).rev().map(|sixteenths| self.full().scaled_down(sixteenths, 16)).find_map(|full| {
            let recipe = self.order.recipe_at(full.width, full.height);
            let (images, scales) = (self.images.clone(), std::slice::from_ref(&full));
            let smaller = Intended { recipe: &recipe, scales, images, ..*self };
            let network = room.checked_sub(smaller.beside_network())?;
            let need = smaller.memory_need(Some(network)).ok()?;
            let size = match self.recipe.size {
                Size::LongEdge(_) => Size::LongEdge(full.width.max(full.height) as u32),
                Size::Exact { .. } => Size::Exact { width: full.width as u32, height: full.height as u32 },
            };
            (need.bytes <= room).then_some(size)
        })
    }

    /// The most memory at once.
    pub fn memory_need(&self, network_limit: Option<u64>) -> Result<MemoryNeed, EngineError> {
        memory_need(self.recipe, self.engine, self.scales, self.image_pixels(), &self.style_sizes(), network_limit)
    }

    /// Memory and time; evaluates a small picture.
    pub fn forecast(&self, network_limit: Option<u64>) -> Result<Forecast, EngineError> {
        let memory = self.memory_need(network_limit)?;
        let seconds = seconds(self.recipe, self.engine, self.scales, &self.style_sizes())?;
        Ok(Forecast { memory, seconds })
    }

    fn full(&self) -> &Scale {
        &self.scales[self.scales.len() - 1]
    }

    fn beside_network(&self) -> u64 {
        memory_beside_network(self.recipe, self.full(), self.image_pixels())
    }

    /// What the images take, which are read.
    fn held_bytes(&self) -> u64 {
        12 * self.image_pixels()
    }

    fn image_pixels(&self) -> u64 {
        self.images.iter().map(|image| (image.width * image.height) as u64).sum()
    }

    fn style_sizes(&self) -> Vec<(usize, usize)> {
        self.styles.iter().map(|style| (style.width, style.height)).collect()
    }
}
