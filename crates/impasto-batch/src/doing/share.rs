//! Which tasks a program does.

use impasto_job::Failure;

use crate::tasks::TaskList;

/// Which tasks a program does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// All of them; other programs may be at work on the same.
    #[default]
    All,
    /// The one of this number.
    One(u32),
    /// Every so many-th.
    Part {
        /// Which part, from 1.
        part: u32,
        /// Of how many.
        of: u32,
    },
}

impl Share {
    /// The places of its tasks. One that was there and is no more has none.
    ///
    /// # Errors
    /// A number that no task has had.
    pub fn positions(self, list: &TaskList) -> Result<Vec<usize>, Failure> {
        let entries = list.entries();
        let last = entries.last().map_or(0, |last| last.number);
        match self {
            Share::All => Ok((0..entries.len()).collect()),
            Share::One(number) if !(1..=last).contains(&number) => {
                Err(Failure::usage(format_args!("--index {number}: the batch has tasks 1 to {last}; give one of them")))
            }
            Share::One(number) => Ok(list.position(number).into_iter().collect()),
            Share::Part { part, of } => {
                let is_of_part = |position: &usize| (entries[*position].number - 1) % of.max(1) == part.max(1) - 1;
                Ok((0..entries.len()).filter(is_of_part).collect())
            }
        }
    }
}
