//! Ctrl-C: the first ends the run in order, the second ends handfast.

use tokio::sync::watch;

/// Tells that the run is to end; clones hear the same.
#[derive(Debug, Clone)]
pub struct Interrupt {
    pulled: watch::Receiver<bool>,
}

/// Ends runs.
#[derive(Debug)]
pub struct Lever {
    pull: watch::Sender<bool>,
}

impl Lever {
    /// A lever and what it moves.
    pub fn new() -> (Self, Interrupt) {
        let (pull, pulled) = watch::channel(false);
        (Self { pull }, Interrupt { pulled })
    }

    /// Ends the run in order: no further unit begins, those under way are closed.
    pub fn pull(&self) {
        self.pull.send_replace(true);
    }

    /// Whether it has been pulled.
    pub fn is_pulled(&self) -> bool {
        *self.pull.borrow()
    }
}

impl Interrupt {
    /// Waits until the run is to end; for ever, if it is not.
    pub async fn pulled(&mut self) {
        if self.pulled.wait_for(|pulled| *pulled).await.is_err() {
            // Nobody is left who could end the run.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the run is to end.
    pub fn is_pulled(&self) -> bool {
        *self.pulled.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pulled_lever_is_heard_by_all_clones() {
        let (lever, interrupt) = Lever::new();
        let mut clone = interrupt.clone();
        assert!(!interrupt.is_pulled());
        lever.pull();
        clone.pulled().await;
        assert!(interrupt.is_pulled());
    }
}
