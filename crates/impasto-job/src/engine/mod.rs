//! What computes: chosen ([`DeviceChoice`]), opened once and kept from job to job ([`Engines`]), listed ([`list`]).

mod device;
#[cfg_attr(not(feature = "gpu"), path = "no_gpu.rs")]
mod gpu;
mod listing;
mod open;
#[cfg(all(feature = "gpu", debug_assertions))]
mod rehearsal;
mod remembered;
mod row;
mod weights;
mod words;

pub use device::DeviceChoice;
pub use listing::{Listing, list, processor};
pub use open::{Engines, Voice, open_cpu, open_engine};
pub use remembered::{MomentsMemory, RememberingEngine};
pub use row::Row;
pub use weights::{load_weights, weights_file};
pub use words::{engine_note, precision_note};
