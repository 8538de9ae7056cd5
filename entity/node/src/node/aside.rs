//! What rooms beside the peer need of its node: the clock, and a place in its journal.

use entity_journal::Batch;
use entity_wire::time::Timestamp;

use super::Node;

impl Node {
    /// The time on the node's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Sleeps until then on the node's clock.
    pub(crate) async fn sleep_until(&self, at: Timestamp) {
        tokio::time::sleep_until(self.shared.clock.instant_of(at)).await;
    }

    /// Keeps a batch behind everything that the peer wants kept; [`Node::settled`] says when it is durable.
    pub(crate) fn keep_batch(&self, batch: Batch) {
        let kept = self.state().keep(batch);
        if let Err(error) = kept {
            self.fail(error);
        }
    }
}
