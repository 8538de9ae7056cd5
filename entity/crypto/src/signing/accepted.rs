//! Encodings of public keys that passed every check before: the same few come with every message, and finding the point of
//! one costs a tenth of verifying a signature.
//!
//! A place of its own for each value of the first bytes, so that whoever sends keys that share them makes this slower and
//! nothing else. A thread has its own, so that nobody waits.

use std::cell::RefCell;

use super::PUBLIC_KEY_LEN;

type Encoding = [u8; PUBLIC_KEY_LEN];

/// Encodings remembered by a thread: 16 KiB of them. Guessed: the accounts of a busy wallet and a committee.
const PLACES: usize = 512;

thread_local! {
    /// All zeros is the encoding of a point of order 4, which is no key: so an empty place matches nothing that is asked for.
    static ACCEPTED: RefCell<Vec<Encoding>> = RefCell::new(vec![[0; PUBLIC_KEY_LEN]; PLACES]);
}

/// Tells whether this thread has accepted these bytes as a key.
pub(super) fn contains(bytes: &Encoding) -> bool {
    *bytes != [0; PUBLIC_KEY_LEN]
        && ACCEPTED.with_borrow(|accepted| accepted.get(place(bytes)) == Some(bytes))
}

/// Remembers bytes that are a key.
pub(super) fn insert(bytes: &Encoding) {
    ACCEPTED.with_borrow_mut(|accepted| {
        if let Some(held) = accepted.get_mut(place(bytes)) {
            *held = *bytes;
        }
    });
}

fn place(bytes: &Encoding) -> usize {
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % PLACES
}
