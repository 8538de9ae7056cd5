//! Waits that can be broken off.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ends every wait of those who have a copy of it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<(Mutex<bool>, Condvar)>);

impl Cancel {
    /// Ends all waits, also those to come.
    pub fn cancel(&self) {
        let (over, changed) = &*self.0;
        *over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }

    /// Whether it is over.
    pub fn is_cancelled(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time`. Returns whether it was broken off.
    pub fn wait(&self, time: Duration) -> bool {
        let (over, changed) = &*self.0;
        let guard = over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, time, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_broken_off_from_another_thread() {
        let cancel = Cancel::default();
        assert!(!cancel.wait(Duration::from_millis(1)));
        let other = cancel.clone();
        let waiting = std::thread::spawn(move || other.wait(Duration::from_mins(10)));
        cancel.cancel();
        assert!(waiting.join().unwrap());
        assert!(cancel.is_cancelled() && cancel.wait(Duration::from_mins(10)), "and those to come");
    }
}
