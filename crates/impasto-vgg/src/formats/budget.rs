//! Sizes and memory: the only arithmetic that a reader does on numbers from a file, and the only door to allocation.
//!
//! A weights file says how long its parts are, and a hostile one lies. So a number from a file is a [`Size`], whose
//! arithmetic fails where it would wrap, and memory is asked of a [`Budget`], which knows how much one file may take:
//! the tensors that are wanted, and [`WORKING_BYTES`] beside them. (Nearly every published hole in a reader of models is
//! one of these two: a product that wrapped, or an allocation that believed the file.)

use super::WeightsError;

/// The longest weights file, and the most bytes that a compressed one may unpack to: 1 GiB. (The release of VGG-19 with
/// its fully connected layers is 535 MB.)
pub const FILE_LIMIT_BYTES: u64 = 1 << 30;

/// The longest table of contents (safetensors header, pickle, zip directory): 1 MiB.
pub const HEADER_LIMIT_BYTES: u64 = 1 << 20;

/// The most tensors, groups or zip entries in a file.
pub const ENTRY_LIMIT: u64 = 1_000;

/// How deep cells, structs, groups and containers may nest.
pub const NESTING_LIMIT: u32 = 32;

/// What a reader may take beside the tensors that it returns: 64 MiB.
pub const WORKING_BYTES: u64 = 64 << 20;

/// A count or a length in bytes that came from a file. Its arithmetic never wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// A size as the file gives it.
    pub const fn new(value: u64) -> Size {
        Size(value)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// Where it takes more than 64 bits.
    pub fn plus(self, other: u64) -> Result<Size, WeightsError> {
        self.0.checked_add(other).map(Size).ok_or_else(too_long)
    }

    /// The difference.
    ///
    /// # Errors
    /// Where it is negative.
    pub fn minus(self, other: u64) -> Result<Size, WeightsError> {
        self.0.checked_sub(other).map(Size).ok_or_else(|| WeightsError::malformed("a part reaches beyond its end"))
    }

    /// The product.
    ///
    /// # Errors
    /// Where it takes more than 64 bits.
    pub fn times(self, other: u64) -> Result<Size, WeightsError> {
        self.0.checked_mul(other).map(Size).ok_or_else(too_long)
    }

    /// The next multiple of `unit`, a power of two; a size that is one already stays.
    ///
    /// # Errors
    /// Where it takes more than 64 bits.
    pub fn rounded_up(self, unit: u64) -> Result<Size, WeightsError> {
        self.0.checked_next_multiple_of(unit).map(Size).ok_or_else(too_long)
    }

    /// The product of all of a shape's sides; 1 for none.
    ///
    /// # Errors
    /// Where it takes more than 64 bits.
    pub fn product(sides: &[u64]) -> Result<Size, WeightsError> {
        sides.iter().try_fold(Size(1), |product, &side| product.times(side))
    }

    /// As an index of memory.
    ///
    /// # Errors
    /// Where this machine's addresses are shorter.
    pub fn index(self) -> Result<usize, WeightsError> {
        usize::try_from(self.0).map_err(|_| too_long())
    }
}

fn too_long() -> WeightsError {
    WeightsError::malformed("a length beyond what any file can have")
}

/// The length of something in memory, as a file counts.
pub fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// What one file may still take of memory, and of work.
#[derive(Debug)]
pub struct Budget {
    limit_bytes: u64,
    left_bytes: u64,
    left_work_bytes: u64,
}

impl Budget {
    /// A budget for tensors of `tensor_bytes` in all, with [`WORKING_BYTES`] on top.
    pub fn for_tensors(tensor_bytes: u64) -> Budget {
        let limit_bytes = tensor_bytes.saturating_add(WORKING_BYTES);
        Budget { limit_bytes, left_bytes: limit_bytes, left_work_bytes: FILE_LIMIT_BYTES }
    }

    /// Charges `bytes` of memory.
    ///
    /// # Errors
    /// Where that is more than is left.
    pub fn take(&mut self, bytes: u64) -> Result<(), WeightsError> {
        self.left_bytes = self
            .left_bytes
            .checked_sub(bytes)
            .ok_or(WeightsError::TooMuchMemory { limit_mib: self.limit_bytes.div_euclid(1 << 20) })?;
        Ok(())
    }

    /// Returns memory that was charged and has been freed.
    pub fn give_back(&mut self, bytes: u64) {
        self.left_bytes = self.left_bytes.saturating_add(bytes).min(self.limit_bytes);
    }

    /// Charges `bytes` of work: what came out of a decompressor, whether it is kept or not, and what was read of tables
    /// that point to other tables. It ends every circle and every bomb.
    ///
    /// # Errors
    /// Beyond [`FILE_LIMIT_BYTES`] in all.
    pub fn work(&mut self, bytes: u64) -> Result<(), WeightsError> {
        self.left_work_bytes = self.left_work_bytes.checked_sub(bytes).ok_or(WeightsError::TooLong)?;
        Ok(())
    }

    /// `len` zero bytes, charged.
    ///
    /// # Errors
    /// Where the budget or the machine has less.
    pub fn zeros(&mut self, len: u64) -> Result<Vec<u8>, WeightsError> {
        self.take(len)?;
        let len = Size::new(len).index()?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| WeightsError::out_of_memory())?;
        bytes.resize(len, 0);
        Ok(bytes)
    }

    /// An empty list with room for `len` values, charged.
    ///
    /// # Errors
    /// Where the budget or the machine has less.
    pub fn room_for<T>(&mut self, len: u64) -> Result<Vec<T>, WeightsError> {
        let element = u64::try_from(size_of::<T>()).unwrap_or(u64::MAX);
        self.take(Size::new(len).times(element)?.get())?;
        let mut values = Vec::new();
        values.try_reserve_exact(Size::new(len).index()?).map_err(|_| WeightsError::out_of_memory())?;
        Ok(values)
    }
}
