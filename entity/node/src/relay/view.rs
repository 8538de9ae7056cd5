//! What the operator sees of relays, and of being one.

use std::sync::Arc;

use entity_bridge::relay::{BoxView, Usage};
use entity_bridge::route::{RelayId, RelayView, Target};
use entity_bridge::{Relay, Router};
use entity_wire::time::Timestamp;

use super::Bridge;

impl Bridge {
    /// The relays it is a member of, the preferred first.
    pub(crate) fn relays(&self) -> Vec<RelayView> {
        Router::relays(&self.state().router).collect()
    }

    /// The address of the relay whose connection a transmission would take now.
    pub(crate) fn relay_to(&self, target: &Target<'_>, now: Timestamp) -> Option<Arc<str>> {
        let state = self.state();
        let RelayId(index) = state.router.way_round(target, now)?;
        state.members.get(index).map(|one| Arc::clone(&one.target.address))
    }

    /// The mailboxes by the key of their owner, and what is in all of them; `None` where this node is no relay.
    pub(crate) fn mailboxes(&self) -> Option<(Vec<BoxView>, Usage)> {
        let state = self.state();
        state.relay.as_ref().map(|relay| (Relay::boxes(relay).collect(), relay.usage()))
    }
}
