//! What an engine could not do.

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
