//! What an engine could not do.

use std::fmt;

use crate::layers::Layer;

/// Why an engine could not do its work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// The instruction set asked for is unknown or absent.
    #[error(
        "IMPASTO_ISA={asked} cannot be used on this processor, which has {available}; unset it or name one of these"
    )]
    Isa {
        /// What was asked for.
        asked: String,
        /// What there is, comma-separated.
        available: String,
    },
    /// A request that no engine can serve.
    #[error("{0}")]
    Request(String),
    /// The memory limit is below the least that this work takes.
    #[error(
        "{width}x{height} needs at least {needed_mib} MiB and the limit is {limit_mib} MiB; raise --memory-limit or lower --size"
    )]
    Memory {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The least that would do.
        needed_mib: u64,
        /// What was allowed.
        limit_mib: u64,
    },
    /// Less memory is free than the least that this work takes, and nobody set a limit.
    #[error(
        "{width}x{height} needs at least {needed_mib} MiB and {usable_mib} MiB may be taken of what is free {bound}; lower --size, or free some"
    )]
    NotFree {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The least that would do.
        needed_mib: u64,
        /// What may be taken.
        usable_mib: u64,
        /// Where so much is free, and who says so.
        bound: &'static str,
    },
    /// A session with matched taps was asked of an engine that does not match features.
    #[error("{engine} does not match features; paint with --device cpu, or without matched layers")]
    NoMatching {
        /// The engine's name.
        engine: String,
    },
    /// A session with regions or an emphasis was asked of an engine that has no guides.
    #[error("{engine} paints without regions and emphasis; paint with --device cpu, or without them")]
    NoGuides {
        /// The engine's name.
        engine: String,
    },
    /// Masks, guides or an emphasis with another number of values than positions.
    #[error("{what} have {given} values and {wanted} were asked for; give one for each position of each region")]
    MaskLength {
        /// What is of the wrong length.
        what: GuideKind,
        /// Values that there should be.
        wanted: usize,
        /// Values that there are.
        given: usize,
    },
    /// A value of a mask, a guide or an emphasis that is not in 0..1.
    #[error("{} holds {value}; give values from 0 to 1", mask_of(*.region))]
    MaskValue {
        /// Whose mask it is, counted from 0; `None` for the emphasis.
        region: Option<usize>,
        /// The value: beyond 0..1, or no number.
        value: f32,
    },
    /// A region that some style taps see nothing of: its moments there would be 0 / 0.
    #[error(
        "region {} is empty at {}, and {}; make its mask larger, or take only layers that see it",
        .region + 1, listed(.unseen_by), seen(.seen_by)
    )]
    EmptyRegion {
        /// The region, counted from 0. (Messages count from 1.)
        region: usize,
        /// Style taps where its guide sums up to nothing ([`crate::guides::LEAST_SUM`]), in the request's order.
        unseen_by: Vec<Layer>,
        /// Style taps that still see it, in the request's order.
        seen_by: Vec<Layer>,
    },
    /// A call out of order: `backward` before `forward`, `forward` with content taps before their targets.
    #[error("{0}")]
    Order(&'static str),
    /// The device was lost or refused the work.
    #[error("{0}")]
    Device(String),
}

impl EngineError {
    /// `backward` was called with no `forward` before it.
    pub const NO_FORWARD: EngineError =
        EngineError::Order("backward needs a forward of the same session before it; call forward first");

    /// `backward` was called on a session that was opened without a way back.
    pub const NO_WAY_BACK: EngineError =
        EngineError::Order("this session was opened without a way back; ask for one in its request");

    /// Banks or matches were given to a session of an engine that does not match.
    pub const SESSION_DOES_NOT_MATCH: EngineError =
        EngineError::Order("this session's engine does not match features; open a session of the CPU engine");

    /// Guides or an emphasis were given to a session of an engine that has none.
    pub const SESSION_HAS_NO_GUIDES: EngineError = EngineError::Order(
        "this session's engine paints without regions and emphasis; open a session of the CPU engine",
    );

    /// Masks or guides were given to a session that was opened without regions.
    pub const NO_REGIONS: EngineError =
        EngineError::Order("this session was opened without regions; say in its request how many there are");

    /// An emphasis was given to a session that was opened without one.
    pub const NO_EMPHASIS_ASKED: EngineError =
        EngineError::Order("this session was opened without an emphasis; ask for one in its request");

    /// `forward` was called before the regions had their masks.
    pub const NO_MASKS: EngineError =
        EngineError::Order("forward needs the regions' masks; call set_masks or set_guides first");

    /// `forward` was called before the emphasis was given.
    pub const NO_EMPHASIS: EngineError = EngineError::Order("forward needs the emphasis; call set_emphasis first");

    /// `find_matches` or `set_matches` was called before the matched taps had their banks.
    pub const NO_BANKS: EngineError =
        EngineError::Order("matches need the banks that they are in; call set_banks first");

    /// `forward` was called before the matched taps had their matches.
    pub const NO_MATCHES: EngineError =
        EngineError::Order("forward needs matches at the matched taps; call find_matches or set_matches first");

    /// `forward` was called before the content taps had their targets.
    pub const NO_CONTENT: EngineError =
        EngineError::Order("forward needs the content image's features; call set_content first");
}

/// Whose mask a value is in.
fn mask_of(region: Option<usize>) -> String {
    region.map_or_else(|| "the emphasis".to_owned(), |region| format!("the mask of region {}", region + 1))
}

fn listed(layers: &[Layer]) -> String {
    layers.iter().map(|layer| layer.name()).collect::<Vec<_>>().join(", ")
}

fn seen(layers: &[Layer]) -> String {
    if layers.is_empty() { "no other layer sees it".to_owned() } else { format!("seen at {}", listed(layers)) }
}

/// Which values are of the wrong number, for [`EngineError::MaskLength`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuideKind {
    /// The masks of all regions, `[regions, height, width]`.
    Masks,
    /// The guides of all regions at a layer, `[regions, height, width]` of its map.
    GuidesAt(Layer),
    /// The emphasis, `[height, width]`.
    Emphasis,
}

impl fmt::Display for GuideKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuideKind::Masks => formatter.write_str("the masks"),
            GuideKind::GuidesAt(layer) => write!(formatter, "the guides at {layer}"),
            GuideKind::Emphasis => formatter.write_str("the emphasis"),
        }
    }
}
