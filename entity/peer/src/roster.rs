//! The peers we know.
//!
//! - this file: what is known of each.
//! - [`record`]: how it is kept.

pub(crate) mod record;

use std::collections::BTreeMap;

use entity_crypto::signing::PublicKey;
use entity_journal::Write;
use entity_wire::json::Object;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::circuit::Circuit;
use crate::name::PeerName;
use crate::view::{Health, KeyTrust, PeerStats, PeerView};

/// One peer.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where it listens.
    pub(crate) address: String,
    /// Its key, once known. Once set it is never replaced.
    pub(crate) key: Option<PublicKey>,
    /// How we came to it.
    pub(crate) trust: KeyTrust,
    /// The highest version proved by the key.
    pub(crate) proved: Option<Version>,
    /// Liveness.
    pub(crate) liveness: Liveness,
    /// Whether deliveries are tried.
    pub(crate) circuit: Circuit,
    /// Counters.
    pub(crate) stats: PeerStats,
    /// What it said it can do.
    pub(crate) capabilities: Option<Object>,
    /// Whether we have agreed on WebSockets in the latest handshake.
    pub(crate) takes_sockets: bool,
    /// Whether a session with it is wanted at all times.
    pub(crate) connect: bool,
    /// How it came here.
    pub(crate) came: Origin,
}

/// How a peer came into the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An operator named it.
    Operator,
    /// It came by itself.
    Stranger,
    /// It was met through the table, and may be forgotten where there are too many of those.
    Guest,
}

impl Origin {
    /// Returns the word used in records.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Stranger => "stranger",
            Self::Guest => "guest",
        }
    }

    /// Reads the word.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Operator, Self::Stranger, Self::Guest]
            .into_iter()
            .find(|origin| origin.as_str() == text)
    }
}

/// What liveness knows of one peer.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// The verdict.
    pub(crate) health: Health,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// When to ask next; `None` where nobody is asked.
    pub(crate) probe_at: Option<Timestamp>,
    /// Whether `GET /health` is under way.
    pub(crate) is_probed: bool,
    /// Whether nothing was heard since it got a heartbeat.
    pub(crate) awaits_heartbeat: bool,
    /// How many heartbeats it got.
    pub(crate) heartbeats: u64,
}

/// All peers, by name.
#[derive(Debug)]
pub(crate) struct Roster {
    entries: BTreeMap<PeerName, Entry>,
    count_max: usize,
}

impl Roster {
    /// Makes an empty roster for at most `count_max` peers.
    pub(crate) fn new(count_max: usize) -> Self {
        Self { entries: BTreeMap::new(), count_max }
    }

    /// Puts a peer in, or updates the address of a known one.
    ///
    /// # Errors
    ///
    /// Refuses another key for a known peer, and a peer too many; the roster is unchanged then.
    pub(crate) fn add(
        &mut self,
        name: PeerName,
        address: String,
        key: Option<PublicKey>,
        came: Origin,
    ) -> Result<Added, AddError> {
        if let Some(entry) = self.entries.get_mut(&name) {
            return entry.update(address, key, came);
        }
        if self.entries.len() >= self.count_max {
            return Err(AddError::Full);
        }
        self.entries.insert(name, Entry::new(address, key, came));
        Ok(Added::New)
    }

    /// Puts a peer in that the table has told of, under a key that it has to prove; says whether there was room.
    pub(crate) fn add_guest(
        &mut self,
        name: PeerName,
        address: String,
        key: Option<PublicKey>,
    ) -> bool {
        let is_added = self.add(name.clone(), address, key, Origin::Guest).is_ok();
        if let Some(entry) = self.entries.get_mut(&name).filter(|_| is_added) {
            // No operator has vouched for it.
            entry.trust = KeyTrust::FirstUse;
        }
        is_added
    }

    /// Forgets a peer, and returns what is to be done so that it stays forgotten.
    pub(crate) fn remove(&mut self, name: &PeerName) -> Option<Write> {
        self.entries.remove(name).map(|_| record::delete(name))
    }

    /// Says whether a peer that nobody configured may be added. Half of the room is the operator's.
    pub(crate) fn has_room_for_strangers(&self) -> bool {
        self.entries.len() < self.count_max / 2
    }

    /// Returns a peer.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Returns a peer with its name as stored.
    pub(crate) fn get_named(&self, name: &str) -> Option<(&PeerName, &Entry)> {
        self.entries.get_key_value(name)
    }

    /// Returns the peer with a key; of several the first by name.
    pub(crate) fn by_key(&self, key: &PublicKey) -> Option<(&PeerName, &Entry)> {
        self.entries.iter().find(|(_, entry)| entry.key.as_ref() == Some(key))
    }

    /// Returns a peer to change.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.get_mut(name)
    }

    /// Returns all peers by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PeerName, &Entry)> {
        self.entries.iter()
    }

    /// Returns all peers by name, to change.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&PeerName, &mut Entry)> {
        self.entries.iter_mut()
    }
}

impl Entry {
    /// Makes an entry of which nothing is known beyond this.
    fn new(address: String, key: Option<PublicKey>, came: Origin) -> Self {
        Self {
            address,
            key,
            trust: if key.is_some() { KeyTrust::Pinned } else { KeyTrust::FirstUse },
            proved: None,
            liveness: Liveness::default(),
            circuit: Circuit::default(),
            stats: PeerStats::default(),
            capabilities: None,
            takes_sockets: false,
            connect: false,
            came,
        }
    }

    /// Stores the key that a completed handshake showed. A key that is stored already stays.
    ///
    /// Returns whether it was stored.
    pub(crate) fn pin_first_use(&mut self, key: PublicKey) -> bool {
        let is_new = self.key.is_none();
        if is_new {
            self.key = Some(key);
            self.trust = KeyTrust::FirstUse;
        }
        is_new
    }

    /// Remembers that the key has completed a handshake of `version`. Never goes down. Says whether that is news.
    pub(crate) fn prove(&mut self, version: Version) -> bool {
        let before = self.proved;
        self.proved = before.max(Some(version));
        self.proved != before
    }

    /// Returns what can be seen from outside.
    pub(crate) fn view(&self, name: &PeerName) -> PeerView {
        PeerView {
            name: name.clone(),
            address: self.address.clone(),
            takes_sockets: self.takes_sockets,
            key: self.key,
            trust: self.trust,
            proved: self.proved,
            health: self.liveness.health,
            circuit: self.circuit.state(),
        }
    }

    fn update(
        &mut self,
        address: String,
        key: Option<PublicKey>,
        came: Origin,
    ) -> Result<Added, AddError> {
        match (self.key, key) {
            (Some(stored), Some(given)) if stored != given => return Err(AddError::OtherKey),
            // The operator names the key: it counts as pinned whether or not it was met before.
            (_, Some(given)) => {
                self.key = Some(given);
                self.trust = KeyTrust::Pinned;
            }
            (_, None) => {}
        }
        self.address = address;
        // Whom an operator has named is the operator's from then on.
        if came == Origin::Operator {
            self.came = came;
        }
        Ok(Added::Known)
    }
}

/// Whether an added peer is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It was not known.
    New,
    /// It was.
    Known,
}

/// Why a peer was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddError {
    /// It is stored with another key.
    OtherKey,
    /// There are too many.
    Full,
}

#[cfg(test)]
mod tests;
