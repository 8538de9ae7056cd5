//! What the operator sees of relays, and of being one.

use entity_bridge::Relay;
use entity_bridge::relay::{BoxView, Usage};

use super::Bridge;

impl Bridge {
    /// The mailboxes by the key of their owner, and what is in all of them; `None` where this node is no relay.
    pub(crate) fn mailboxes(&self) -> Option<(Vec<BoxView>, Usage)> {
        let state = self.state();
        state.relay.as_ref().map(|relay| (Relay::boxes(relay).collect(), relay.usage()))
    }
}
