//! What can be seen of a peer; nothing here has an effect.

use entity_crypto::signing::PublicKey;
use entity_ledger::Ledger;
use entity_transfer::View as TransferView;
use entity_wire::decode::DecodeRules;
use entity_wire::json::Object;
use entity_wire::payload::chunk::TransferId;
use entity_wire::time::Timestamp;

use super::Peer;
use crate::config::Config;
use crate::dht::DhtView;
use crate::name::PeerName;
use crate::output::Received;
use crate::view::{ErrorView, KeptView, PeerStats, PeerView, QueueStats, SessionView, TaskView};

impl Peer {
    /// Returns the base address of a peer of the roster.
    pub fn address_of(&self, peer: &PeerName) -> Option<String> {
        self.core.roster.get(peer.as_str()).map(|entry| entry.address.clone())
    }

    /// Returns the base address of the peer with a key; of several that of the first by name.
    pub fn address_of_key(&self, key: &PublicKey) -> Option<&str> {
        self.core.roster.by_key(key).map(|(_, entry)| entry.address.as_str())
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// Returns what [`crate::inbound::decode`] needs; it never changes.
    pub fn decode_rules(&self) -> DecodeRules {
        self.core.config.decode_rules()
    }

    /// Returns our key.
    pub fn public_key(&self) -> PublicKey {
        self.core.public_key
    }

    /// Returns our wall clock, shifted as commanded.
    pub fn wall_clock(&self, now: Timestamp) -> Timestamp {
        self.core.wall(now)
    }

    /// Returns the roster, by name.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> {
        self.core.roster.iter().map(|(name, entry)| entry.view(name))
    }

    /// Returns one peer of the roster.
    pub fn peer(&self, name: &PeerName) -> Option<PeerView> {
        self.core.roster.get(name.as_str()).map(|entry| entry.view(name))
    }

    /// Returns the counters of every peer, by name.
    pub fn stats(&self) -> impl Iterator<Item = (PeerView, &PeerStats)> {
        self.core.roster.iter().map(|(name, entry)| (entry.view(name), &entry.stats))
    }

    /// Returns the counters of what is sent.
    pub fn queue_stats(&self) -> QueueStats {
        self.core.outbox.stats()
    }

    /// Returns the last errors that others told us of, oldest first.
    pub fn errors(&self) -> impl Iterator<Item = &ErrorView> {
        self.features.signals.errors()
    }

    /// Returns the durable messages that are not acknowledged, by peer and in order.
    pub fn kept(&self) -> impl Iterator<Item = KeptView> {
        self.features.durable.views()
    }

    /// Returns how many durable messages are not acknowledged.
    pub fn kept_count(&self) -> usize {
        self.features.durable.len()
    }

    /// Returns what a peer said it can do, where it was asked.
    pub fn capabilities(&self, name: &PeerName) -> Option<&Object> {
        self.core.roster.get(name.as_str())?.capabilities.as_ref()
    }

    /// Returns the tasks of both directions, oldest first.
    pub fn tasks(&self) -> impl Iterator<Item = TaskView> {
        self.features.tasks.iter()
    }

    /// Returns the transfers: ended ones in the order of their end, then open ones by id.
    pub fn transfers(&self) -> impl Iterator<Item = TransferView> {
        self.features.transfers.views()
    }

    /// Returns the open transfers on their way in: those whose files are still needed.
    pub fn incoming_transfers(&self) -> impl Iterator<Item = TransferId> {
        self.features.transfers.incoming()
    }

    /// Returns the ledger that this peer takes part in.
    pub fn ledger(&self) -> Option<&Ledger> {
        self.features.tokens.ledger()
    }

    /// Returns what can be seen of the part in the distributed hash table; `None` where there is none.
    pub fn dht(&self) -> Option<DhtView> {
        self.features.dht.view()
    }

    /// Returns the accounts of this identity that are in use, by number; 0 is the identity's own key.
    pub fn accounts(&self) -> impl Iterator<Item = (u32, PublicKey)> {
        self.features.tokens.accounts()
    }

    /// Returns the sessions, half-open ones included.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.v1_0.sessions(&self.core).chain(self.v1_1.sessions()).collect()
    }

    /// Returns kept messages with an index above `after`, of one sender where `from` says so, oldest first.
    pub fn inbox<'a>(
        &'a self,
        from: Option<&'a PeerName>,
        after: u64,
    ) -> impl Iterator<Item = &'a Received> {
        self.core.inbox.after(after, from)
    }
}
