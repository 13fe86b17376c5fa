//! What only this machine's user knows: the token in the address, and what a browser gets in exchange for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use impasto_job::Failure;

/// Bytes of a token: 128 bits.
const TOKEN_BYTES: usize = 16;

/// Browsers that are remembered; the oldest goes when another comes.
const SESSIONS: usize = 64;

/// The least letters of a token that somebody chose.
const LEAST_LETTERS: usize = 16;

/// A new token: 32 hexadecimal digits from the system's random numbers.
///
/// # Errors
/// The system has none.
pub fn new_token() -> Result<String, Failure> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::failed(format_args!("the system gives no random numbers ({error}); try again")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A token that somebody chose, where it is long enough and may stand in an address.
///
/// # Errors
/// It may not.
pub fn chosen_token(token: &str) -> Result<String, Failure> {
    let is_plain = token.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
    match is_plain && token.len() >= LEAST_LETTERS && token.len() <= 128 {
        true => Ok(token.to_owned()),
        false => Err(Failure::usage(format_args!(
            "--token has to be {LEAST_LETTERS} to 128 letters, digits, - and _; leave it out, and one is made"
        ))),
    }
}

/// Whether both are the same, in a time that does not tell where they differ.
pub fn is_same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |found, (one, other)| found | (one ^ other));
    one.len() == other.len() && differences == 0
}

/// The browsers that have shown the token.
#[derive(Debug, Default)]
pub struct Sessions {
    open: Mutex<VecDeque<String>>,
}

impl Sessions {
    /// Remembers a new browser, and gives what its cookie holds.
    ///
    /// # Errors
    /// As [`new_token`].
    pub fn begin(&self) -> Result<String, Failure> {
        let session = new_token()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= SESSIONS {
            open.pop_front();
        }
        open.push_back(session.clone());
        Ok(session)
    }

    /// Whether a browser with this in its cookie is one of them.
    pub fn knows(&self, session: &str) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Each is looked at, whichever it is.
        open.iter().fold(false, |found, known| is_same(known, session) | found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_new_each_time_and_compared_whole() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_eq!((one.len(), one == other), (32, false));
        assert!(is_same(&one, &one.clone()) && !is_same(&one, &other));
        assert!(!is_same(&one, &one[1..]) && !is_same(&one, "") && !is_same("", &one));
        assert!(chosen_token("a-token_of_letters1").is_ok());
        for wrong in ["", "short", "with spaces in it, and long", "é-token-of-letters"] {
            assert!(chosen_token(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_oldest_browser_goes_first() {
        let sessions = Sessions::default();
        let first = sessions.begin().unwrap();
        assert!(sessions.knows(&first) && !sessions.knows(&new_token().unwrap()) && !sessions.knows(""));
        for _ in 0..SESSIONS {
            sessions.begin().unwrap();
        }
        assert!(!sessions.knows(&first));
    }
}
