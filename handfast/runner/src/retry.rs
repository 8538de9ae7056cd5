//! How much of what fails is tried once more.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left of `--retry`: a run in which more fails than that is broken, not flaky, and ends the sooner for it.
#[derive(Debug)]
pub struct Retries {
    left: AtomicUsize,
}

impl Retries {
    /// So many.
    pub fn new(count: usize) -> Self {
        Self { left: AtomicUsize::new(count) }
    }

    /// Takes one; whether there was one.
    pub fn take(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_than_were_given() {
        let retries = Retries::new(2);
        assert_eq!([retries.take(), retries.take(), retries.take()], [true, true, false]);
        assert!(!Retries::new(0).take());
    }
}
