//! A film: a folder of frames in, a folder of painted frames out, in which strokes stay where they are and move with what they are on.
//!
//! The method is that of Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for Videos" (GCPR 2016), over impasto's own:
//!
//! ```text
//!   shots      frames between two cuts, found by what flow explains; no shot knows of another
//!   frame 1    painted as any picture
//!   frame n    flow to frame n-1 and back      --agreement-->  w: where it can be trusted
//!              painted n-1, carried along it   -->  where w, the start; elsewhere the photo
//!              loss + weight x mean of w (x - carried)^2,  evaluations by how much has moved
//! ```
//!
//! With the long-term choice, what the frame before cannot say is asked of those 2 and 4 before; with more passes, frames are painted
//! again from the end to the beginning, and forth again.
//!
//! What is done lies in a folder, so that a film that was stopped or killed goes on at the frame where it stopped, to the same bytes:
//! a frame is a function of its source, of painted frames as they were written, and of `film.json` ([`record`]). A frame is not repeated
//! by its own recipe, for what it follows is no part of that: it is repeated by its film.
//!
//! Where to look next, in the order of the way; a room uses only what stands on the lines above its own:
//!
//! - [`choices`], [`event`], `listing`: what can be chosen of a film; what is told of it; the frames of a folder;
//! - `frames`, `following`, [`shots`]: a frame as it is painted and as flow sees it; what a frame follows; where a shot ends;
//! - [`record`]: what is kept of a film; `painting`: one frame; [`film`]: all of them.
#![forbid(unsafe_code)]

pub mod choices;
pub mod event;
pub mod film;
mod following;
mod frames;
mod listing;
mod painting;
pub mod record;
pub mod shots;

pub use choices::Choices;
pub use event::{FilmEvent, FilmObserver};
pub use film::{Film, FilmOrder};
pub use listing::frames_in;
