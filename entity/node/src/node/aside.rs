//! What rooms beside the peer need of its node: the clock, and a place in its journal.

use entity_bridge::route::Suspicion;
use entity_journal::Batch;
use entity_wire::time::Timestamp;
use tokio::time::Instant;

use super::{Node, NodeEvent};

impl Node {
    /// The time on the node's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The same time for who waits.
    pub(crate) fn instant_of(&self, at: Timestamp) -> Instant {
        self.shared.clock.instant_of(at)
    }

    /// Tells who listens what is held against a relay.
    pub(crate) fn tell_suspicion(&self, suspicion: Suspicion) {
        self.state().number(NodeEvent::RelaySuspected(suspicion));
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
