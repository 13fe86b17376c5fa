//! JPEGs of every sampling and order of scans, for those that zune-jpeg does not read right (`jpeg.rs` says which), and
//! for files without an end, where one has to know whether the last row came.
//!
//! All coefficients are kept until the file's end, however many scans bring them, and made into pixels then.

use super::BLOCK;
use super::arithmetic::Arithmetic;
use super::huffman::{Band, Huffman, NoCode};
use super::outline::{Component, Frame, next_marker, segment};
use super::tables::Tables;
use crate::image_file::read::{Failure, filled};

/// Scans of a file that are read: a few bytes can make one over all of the picture, and no program writes a hundred.
const MOST_SCANS: usize = 500;

/// The coefficients of one component.
pub(super) struct Grid {
    /// Blocks that hold some of the picture, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Blocks of a row as they are kept: the picture's smallest units are whole.
    pub(super) stride: usize,
    pub(super) blocks: Vec<[i16; BLOCK]>,
    /// What the coefficients are multiplied by, from the first scan on.
    pub(super) quantisation: Option<[u16; BLOCK]>,
    /// For each coefficient the place of the last bit that came; `None` where nothing has.
    lowest_bits: [Option<u32>; BLOCK],
}

/// A picture's coefficients, and why they are not all there, where they are not.
pub(super) struct Coefficients {
    pub(super) grids: Vec<Grid>,
    pub(super) failure: Option<Failure>,
}

/// Reads all scans of a file.
///
/// # Errors
/// [`Failure::Memory`]; what is wrong with the file stands beside what could be read.
pub(super) fn coefficients(bytes: &[u8], frame: &Frame) -> Result<Coefficients, Failure> {
    let units = units(frame);
    let mut grids = Vec::new();
    for component in &frame.components {
        let samples = |pixels: usize, share: usize, most: usize| (pixels * share).div_ceil(most);
        let stride = units.across * component.across;
        grids.push(Grid {
            across: samples(frame.width, component.across, units.most_across).div_ceil(8),
            down: samples(frame.height, component.down, units.most_down).div_ceil(8),
            stride,
            blocks: filled([0; BLOCK], stride * units.down * component.down)?,
            quantisation: None,
            lowest_bits: [None; BLOCK],
        });
    }
    let mut reader = Reader { frame, units, grids, tables: Tables::default(), interval: 0 };
    let failure = reader.read(bytes).err();
    Ok(Coefficients { grids: reader.grids, failure })
}

/// The smallest units that hold whole blocks of every component.
struct Units {
    most_across: usize,
    most_down: usize,
    across: usize,
    down: usize,
}

fn units(frame: &Frame) -> Units {
    let most = |share: fn(&Component) -> usize| frame.components.iter().map(share).max().unwrap_or(1);
    let (most_across, most_down) = (most(|component| component.across), most(|component| component.down));
    Units {
        most_across,
        most_down,
        across: frame.width.div_ceil(8 * most_across),
        down: frame.height.div_ceil(8 * most_down),
    }
}

struct Reader<'frame> {
    frame: &'frame Frame,
    units: Units,
    grids: Vec<Grid>,
    tables: Tables,
    /// Units between two restarts, 0 where there are none.
    interval: usize,
}

/// A component of a scan, and the tables that it is coded with.
struct Coded {
    grid: usize,
    component: Component,
    first: usize,
    others: usize,
}

fn damaged(what: &str) -> Failure {
    Failure::Damaged(what.into())
}

impl From<NoCode> for Failure {
    fn from(_: NoCode) -> Failure {
        damaged("its coded pixels make no sense")
    }
}

impl Reader<'_> {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut rest = bytes.get(2..).unwrap_or_default();
        let (mut has_frame, mut scans) = (false, 0);
        while let Some((marker, behind)) = next_marker(rest) {
            rest = behind;
            match marker {
                0xd9 if self.grids.iter().all(|grid| grid.lowest_bits[0].is_some()) => return Ok(()),
                0xd9 => return Err(damaged("a component of its colours is missing")),
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let (body, behind) = segment(rest).ok_or(Failure::Truncated)?;
            rest = behind;
            match marker {
                0xdb => self.tables.set_quantisation(body)?,
                0xc4 => self.tables.set_codes(body)?,
                0xcc => self.tables.set_conditioning(body)?,
                0xdd => match body {
                    [high, low, ..] => self.interval = u16::from_be_bytes([*high, *low]).into(),
                    _ => return Err(damaged("its restart interval is missing")),
                },
                0xc0..=0xc2 | 0xc9 | 0xca if has_frame => return Err(damaged("it has two frame headers")),
                0xc0..=0xc2 | 0xc9 | 0xca => has_frame = true,
                0xda if scans == MOST_SCANS => {
                    return Err(Failure::Unsupported(format!("more than {MOST_SCANS} scans")));
                }
                0xda if !has_frame => return Err(damaged("a scan comes before its frame header")),
                0xda => {
                    scans += 1;
                    rest = self.scan(body, rest)?;
                }
                _ => {}
            }
        }
        // Without a marker of its end, a file is whole if the last bit of every coefficient has come.
        let is_complete = |grid: &Grid| grid.lowest_bits.iter().all(|lowest| *lowest == Some(0));
        if self.grids.iter().all(is_complete) { Ok(()) } else { Err(Failure::Truncated) }
    }

    /// One scan; what lies behind it.
    fn scan<'bytes>(&mut self, header: &[u8], bytes: &'bytes [u8]) -> Result<&'bytes [u8], Failure> {
        let (coded, band) = self.header(header)?;
        let coder = match self.frame.process.is_arithmetic {
            true => Coder::Arithmetic(Box::new(Arithmetic::new(bytes, self.tables.conditioning))),
            false => Coder::Huffman(Huffman::new(bytes)),
        };
        let mut scan = Scan { coder, coded: &coded, band, is_progressive: self.frame.process.is_progressive };
        let is_single = coded.len() == 1;
        let (across, down) = match coded.as_slice() {
            // A scan of one component has that one's blocks, and no more than hold some of the picture.
            [one] => (self.grids[one.grid].across, self.grids[one.grid].down),
            _ => (self.units.across, self.units.down),
        };
        let mut until_restart = self.interval;
        for unit in 0..across * down {
            if self.interval > 0 {
                if until_restart == 0 {
                    scan.restart()?;
                    until_restart = self.interval;
                }
                until_restart -= 1;
            }
            let (x, y) = (unit % across, unit / across);
            for (place, coded) in coded.iter().enumerate() {
                let grid = &mut self.grids[coded.grid];
                let (columns, rows) = if is_single { (1, 1) } else { (coded.component.across, coded.component.down) };
                for row in y * rows..(y + 1) * rows {
                    for column in x * columns..(x + 1) * columns {
                        let block = &mut grid.blocks[row * grid.stride + column];
                        scan.block(block, place, &self.tables)?;
                    }
                }
            }
            scan.coder.check()?;
        }
        for coded in &coded {
            let lowest_bits = &mut self.grids[coded.grid].lowest_bits;
            lowest_bits[band.first..=band.last].fill(Some(band.low));
        }
        Ok(scan.coder.rest())
    }

    /// The components of a scan, and what it brings of them.
    fn header(&mut self, header: &[u8]) -> Result<(Vec<Coded>, Band), Failure> {
        let wrong = || damaged("a scan's header makes no sense");
        let (&count, specifications) = header.split_first().ok_or_else(wrong)?;
        let count = usize::from(count);
        if !(1..=4).contains(&count) {
            return Err(wrong());
        }
        let mut coded: Vec<Coded> = Vec::new();
        for specification in specifications.chunks_exact(2).take(count) {
            let (id, tables) = (specification[0], specification[1]);
            let grid = self.frame.components.iter().position(|component| component.id == id).ok_or_else(wrong)?;
            let (first, others) = (usize::from(tables >> 4), usize::from(tables & 15));
            if coded.iter().any(|other| other.grid == grid) || first > 3 || others > 3 {
                return Err(wrong());
            }
            coded.push(Coded { grid, component: self.frame.components[grid], first, others });
        }
        let Some(&[first, last, bits, ..]) = specifications.get(2 * count..) else { return Err(wrong()) };
        let band = match self.frame.process.is_progressive {
            true => Band { first: first.into(), last: last.into(), high: (bits >> 4).into(), low: (bits & 15).into() },
            false => Band { first: 0, last: BLOCK - 1, high: 0, low: 0 },
        };
        let is_sound = !self.frame.process.is_progressive
            || (if band.first == 0 { band.last == 0 } else { coded.len() == 1 })
                && band.first <= band.last
                && band.last < BLOCK
                && band.low <= 13
                && (band.high == 0 || band.high == band.low + 1);
        if !is_sound || coded.len() != count {
            return Err(wrong());
        }
        for coded in &coded {
            let grid = &mut self.grids[coded.grid];
            if grid.quantisation.is_none() {
                let table = self.tables.quantisation[coded.component.quantisation];
                grid.quantisation = Some(table.ok_or_else(|| damaged("a quantisation table is missing"))?);
            }
        }
        Ok((coded, band))
    }
}

/// What the coded pixels are read by.
enum Coder<'bytes> {
    Huffman(Huffman<'bytes>),
    Arithmetic(Box<Arithmetic<'bytes>>),
}

impl<'bytes> Coder<'bytes> {
    /// Whether there were coded pixels for all that was read.
    fn check(&self) -> Result<(), Failure> {
        let is_at_end = || next_marker(self.rest()).is_none();
        match self {
            Coder::Huffman(coder) if coder.bits.has_run_out() && is_at_end() => Err(Failure::Truncated),
            Coder::Huffman(coder) if coder.bits.has_run_out() => Err(damaged("coded pixels are missing")),
            // Its encoders leave out zeros before a marker; at the file's end nobody knows whether they did.
            Coder::Arithmetic(coder) if coder.has_run_out() && is_at_end() => Err(Failure::Truncated),
            _ => Ok(()),
        }
    }

    fn rest(&self) -> &'bytes [u8] {
        match self {
            Coder::Huffman(coder) => coder.bits.rest(),
            Coder::Arithmetic(coder) => coder.rest(),
        }
    }
}

/// A scan while it is read.
struct Scan<'bytes, 'coded> {
    coder: Coder<'bytes>,
    coded: &'coded [Coded],
    band: Band,
    is_progressive: bool,
}

impl Scan<'_, '_> {
    /// The next block, of the component at that place in the scan.
    fn block(&mut self, block: &mut [i16; BLOCK], place: usize, tables: &Tables) -> Result<(), Failure> {
        let Coded { first, others, .. } = self.coded[place];
        let missing = || damaged("a table of codes is missing");
        let first_codes = || tables.first[first].as_ref().ok_or_else(missing);
        let other_codes = || tables.others[others].as_ref().ok_or_else(missing);
        let band = self.band;
        let is_refined = band.high > 0;
        match (&mut self.coder, self.is_progressive, band.first, is_refined) {
            (Coder::Huffman(coder), false, ..) => coder.sequential(block, place, first_codes()?, other_codes()?)?,
            (Coder::Huffman(coder), true, 0, false) => coder.first(block, place, first_codes()?, band.low)?,
            (Coder::Huffman(coder), true, 0, true) => coder.refine_first(block, band.low),
            (Coder::Huffman(coder), true, _, false) => coder.band(block, other_codes()?, band)?,
            (Coder::Huffman(coder), true, _, true) => coder.refine_band(block, other_codes()?, band)?,
            (Coder::Arithmetic(coder), false, ..) => {
                coder.first(block, place, first, 0)?;
                coder.band(block, others, Band { first: 1, ..band })?;
            }
            (Coder::Arithmetic(coder), true, 0, false) => coder.first(block, place, first, band.low)?,
            (Coder::Arithmetic(coder), true, 0, true) => coder.refine_first(block, band.low),
            (Coder::Arithmetic(coder), true, _, false) => coder.band(block, others, band)?,
            (Coder::Arithmetic(coder), true, _, true) => coder.refine_band(block, others, band)?,
        }
        Ok(())
    }

    /// Goes on behind the restart marker that has to be here.
    fn restart(&mut self) -> Result<(), Failure> {
        match (next_marker(self.coder.rest()), &mut self.coder) {
            (Some((0xd0..=0xd7, behind)), Coder::Huffman(coder)) => coder.restart(behind),
            (Some((0xd0..=0xd7, behind)), Coder::Arithmetic(coder)) => coder.restart(behind),
            (Some(_), _) => return Err(damaged("a restart marker is missing")),
            (None, _) => return Err(Failure::Truncated),
        }
        Ok(())
    }
}
