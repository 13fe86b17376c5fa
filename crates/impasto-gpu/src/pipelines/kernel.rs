//! The kernels: which shader stands behind each, with which constants, and which buffers it reads and writes.

use impasto_vgg::MEAN_RGB;

use super::{PoolingAfter, Tile};
use crate::storage::Storage;

/// A shader with its constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// forward.wgsl
    Forward {
        /// What a workgroup makes.
        tile: Tile,
        /// Whether it reads the picture, as conv1_1 does.
        picture: bool,
        /// Whether edge pixels are repeated beyond the edge.
        replicate: bool,
        /// Whether the map is written.
        features: bool,
        /// Whether its signs are.
        signs: bool,
        /// What follows.
        pooling: PoolingAfter,
        /// Whether the winners of a max pooling are written.
        routes: bool,
    },
    /// backward.wgsl
    Backward {
        /// What a workgroup makes.
        tile: Tile,
        /// Whether the layer has a gradient of its own.
        own: bool,
        /// Whether that, or the pooling's, is still to be masked.
        signed: bool,
        /// What follows.
        pooling: PoolingAfter,
        /// Whether the result is added to what stands there.
        accumulate: bool,
        /// Whether it is masked by the signs of the map below.
        masked: bool,
    },
    /// pixels.wgsl
    Pixels {
        /// Whether the gradient is still to be masked.
        signed: bool,
        /// Whether edge pixels are repeated beyond the edge.
        replicate: bool,
    },
    /// moments.wgsl
    Moments {
        /// Whether they are those of a region.
        guided: bool,
    },
    /// distance.wgsl
    Distance {
        /// Whether positions count by an emphasis.
        emphasis: bool,
    },
    /// accumulate.wgsl
    Accumulate,
    /// injection.wgsl
    Injection {
        /// Whether the moments are those of regions.
        guided: bool,
        /// Whether positions count by an emphasis.
        emphasis: bool,
    },
    /// means.wgsl
    Means,
    /// search.wgsl
    Search,
    /// choose.wgsl
    Choose,
    /// cosines.wgsl
    Cosines,
    /// matched_distance.wgsl
    MatchedDistance,
    /// pull.wgsl
    Pull {
        /// Whether nothing stands in the gradient yet.
        first: bool,
    },
    /// sample.wgsl
    Sample,
    /// dots.wgsl
    Dots,
    /// add_scaled.wgsl
    AddScaled,
    /// halve.wgsl
    Halve {
        /// Whether the level above is the vector.
        from_vector: bool,
    },
    /// apex.wgsl
    Apex,
    /// weigh.wgsl
    Weigh {
        /// Whether the level is the vector.
        from_vector: bool,
    },
}

/// The kernels that share a shader and its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The way forward through a convolution.
    Forward,
    /// The way back through one.
    Backward,
    /// The way back through conv1_1.
    Pixels,
    /// Partial moments.
    Moments,
    /// Partial distances.
    Distance,
    /// Totals of both.
    Accumulate,
    /// Gradients at taps.
    Injection,
    /// Partial sums of features.
    Means,
    /// Each position's best entry in each segment of a bank.
    Search,
    /// And in all of it.
    Choose,
    /// How positions lie to what they were matched to.
    Cosines,
    /// Partial matched distances.
    MatchedDistance,
    /// Gradients at matched taps.
    Pull,
    /// Features for a bank.
    Sample,
    /// Products with what a history holds.
    Dots,
    /// Sums of what a history holds.
    AddScaled,
    /// A pyramid's way down.
    Halve,
    /// And up.
    Weigh,
    /// Its small levels, both ways.
    Apex,
}

pub const FAMILIES: [Family; 19] = [
    Family::Forward,
    Family::Backward,
    Family::Pixels,
    Family::Moments,
    Family::Distance,
    Family::Accumulate,
    Family::Injection,
    Family::Means,
    Family::Search,
    Family::Choose,
    Family::Cosines,
    Family::MatchedDistance,
    Family::Pull,
    Family::Sample,
    Family::Dots,
    Family::AddScaled,
    Family::Halve,
    Family::Weigh,
    Family::Apex,
];

/// How a shader uses one of its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It writes, and may read.
    Write,
}

impl Kernel {
    /// The shader behind it.
    pub fn family(self) -> Family {
        match self {
            Kernel::Forward { .. } => Family::Forward,
            Kernel::Backward { .. } => Family::Backward,
            Kernel::Pixels { .. } => Family::Pixels,
            Kernel::Moments { .. } => Family::Moments,
            Kernel::Distance { .. } => Family::Distance,
            Kernel::Accumulate => Family::Accumulate,
            Kernel::Injection { .. } => Family::Injection,
            Kernel::Means => Family::Means,
            Kernel::Search => Family::Search,
            Kernel::Choose => Family::Choose,
            Kernel::Cosines => Family::Cosines,
            Kernel::MatchedDistance => Family::MatchedDistance,
            Kernel::Pull { .. } => Family::Pull,
            Kernel::Sample => Family::Sample,
            Kernel::Dots => Family::Dots,
            Kernel::AddScaled => Family::AddScaled,
            Kernel::Halve { .. } => Family::Halve,
            Kernel::Weigh { .. } => Family::Weigh,
            Kernel::Apex => Family::Apex,
        }
    }

    /// The tile of a convolution.
    pub fn tile(self) -> Option<Tile> {
        match self {
            Kernel::Forward { tile, .. } | Kernel::Backward { tile, .. } => Some(tile),
            _ => None,
        }
    }

    /// The values of its shader's constants.
    pub fn constants(self) -> Vec<(&'static str, f64)> {
        let flag = |value: bool| f64::from(u8::from(value));
        match self {
            Kernel::Forward { tile: _, picture, replicate, features, signs, pooling, routes } => {
                vec![
                    ("READS_PICTURE", flag(picture)),
                    ("REPLICATE", flag(replicate)),
                    ("MEAN_RED", f64::from(MEAN_RGB[0])),
                    ("MEAN_GREEN", f64::from(MEAN_RGB[1])),
                    ("MEAN_BLUE", f64::from(MEAN_RGB[2])),
                    ("WRITES_FEATURES", flag(features)),
                    ("WRITES_SIGNS", flag(signs)),
                    ("POOLING", f64::from(pooling as u8)),
                    ("WRITES_ROUTES", flag(routes)),
                ]
            }
            Kernel::Backward { tile: _, own, signed, pooling, accumulate, masked } => {
                vec![
                    ("OWN", flag(own)),
                    ("SIGNED", flag(signed)),
                    ("POOLING", f64::from(pooling as u8)),
                    ("ACCUMULATE", flag(accumulate)),
                    ("MASKED", flag(masked)),
                ]
            }
            Kernel::Pixels { signed, replicate } => vec![("SIGNED", flag(signed)), ("REPLICATE", flag(replicate))],
            Kernel::Halve { from_vector } | Kernel::Weigh { from_vector } => vec![("FROM_VECTOR", flag(from_vector))],
            Kernel::Moments { guided } => vec![("GUIDED", flag(guided))],
            Kernel::Distance { emphasis } => vec![("EMPHASIS", flag(emphasis))],
            Kernel::Injection { guided, emphasis } => {
                vec![("GUIDED", flag(guided)), ("EMPHASIS", flag(emphasis))]
            }
            Kernel::Pull { first } => vec![("FIRST", flag(first))],
            Kernel::Accumulate
            | Kernel::Means
            | Kernel::Search
            | Kernel::Choose
            | Kernel::Cosines
            | Kernel::MatchedDistance
            | Kernel::Sample
            | Kernel::Dots
            | Kernel::AddScaled
            | Kernel::Apex => Vec::new(),
        }
    }
}

impl Family {
    /// Its own file, and those that it names as coming after it.
    pub fn source(self, storage: Storage, tile: Option<Tile>) -> String {
        const MAPS: &str = include_str!("../shaders/maps.wgsl");
        const CONVOLUTION: &str = include_str!("../shaders/convolution.wgsl");
        const CHUNKS: &str = include_str!("../shaders/chunks.wgsl");
        const PRODUCTS: &str = include_str!("../shaders/products.wgsl");
        const MATCHED: &str = include_str!("../shaders/matched.wgsl");
        const PAIRS: &str = include_str!("../shaders/pairs.wgsl");
        const LEVELS: &str = include_str!("../shaders/levels.wgsl");
        let files: &[&str] = match self {
            Family::Forward => &[include_str!("../shaders/forward.wgsl"), CONVOLUTION, MAPS],
            Family::Backward => &[include_str!("../shaders/backward.wgsl"), CONVOLUTION, MAPS],
            Family::Pixels => &[include_str!("../shaders/pixels.wgsl"), MAPS],
            Family::Moments => &[include_str!("../shaders/moments.wgsl"), CHUNKS, MAPS],
            Family::Distance => &[include_str!("../shaders/distance.wgsl"), CHUNKS, MAPS],
            Family::Accumulate => &[include_str!("../shaders/accumulate.wgsl")],
            Family::Injection => &[include_str!("../shaders/injection.wgsl"), PRODUCTS, MAPS],
            Family::Means => &[include_str!("../shaders/means.wgsl"), CHUNKS, MAPS],
            Family::Search => &[include_str!("../shaders/search.wgsl"), PRODUCTS, MAPS],
            Family::Choose => &[include_str!("../shaders/choose.wgsl")],
            Family::Cosines => &[include_str!("../shaders/cosines.wgsl"), MATCHED, MAPS],
            Family::MatchedDistance => &[include_str!("../shaders/matched_distance.wgsl"), CHUNKS],
            Family::Pull => &[include_str!("../shaders/pull.wgsl"), MATCHED, MAPS],
            Family::Sample => &[include_str!("../shaders/sample.wgsl"), MAPS],
            Family::Dots => &[include_str!("../shaders/dots.wgsl"), PAIRS],
            Family::AddScaled => &[include_str!("../shaders/add_scaled.wgsl"), PAIRS],
            Family::Halve => &[include_str!("../shaders/halve.wgsl"), LEVELS],
            Family::Weigh => &[include_str!("../shaders/weigh.wgsl"), LEVELS],
            Family::Apex => &[include_str!("../shaders/apex.wgsl")],
        };
        let storage = match storage {
            Storage::Single => include_str!("../shaders/storage_f32.wgsl"),
            Storage::Half => include_str!("../shaders/storage_f16.wgsl"),
        };
        let tile = tile.map_or("", Tile::source);
        [files, &[tile, storage, include_str!("../shaders/nan.wgsl")]].concat().concat()
    }

    /// Its buffers, binding 1 first; binding 0 is the dispatch's parameters.
    pub fn buffers(self) -> &'static [Access] {
        use Access::{Read, Write};
        match self {
            Family::Forward => &[Read, Read, Read, Write, Write, Write, Write, Read],
            Family::Backward => &[Read, Read, Read, Read, Read, Write, Read],
            Family::Pixels => &[Read, Read, Read, Write],
            Family::Accumulate | Family::Means | Family::Choose | Family::MatchedDistance | Family::Sample => {
                &[Read, Write]
            }
            Family::AddScaled => &[Read, Read, Write],
            Family::Moments | Family::Distance | Family::Dots | Family::Search => &[Read, Read, Read, Write],
            Family::Cosines => &[Read, Read, Read, Read, Write],
            Family::Pull => &[Read, Read, Read, Read, Read, Write],
            Family::Halve | Family::Weigh => &[Write, Write, Read],
            Family::Apex => &[Write],
            Family::Injection => &[Read, Read, Read, Read, Read, Read, Write],
        }
    }
}
