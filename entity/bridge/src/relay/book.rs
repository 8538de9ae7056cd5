//! Who is registered, under which name, over which connection.

use std::collections::{BTreeMap, BTreeSet};

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;

use crate::route::ConnectionId;

/// A key that has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) entity_id: PeerId,
    pub(crate) expires_at: Timestamp,
    pub(crate) connection: Option<ConnectionId>,
}

/// All members.
#[derive(Debug, Default)]
pub(crate) struct Book {
    members: BTreeMap<PublicKey, Member>,
    names: BTreeMap<PeerId, PublicKey>,
    /// When registrations expire; without those that were taken for expired and stay for their mail.
    expiry: BTreeSet<(Timestamp, PublicKey)>,
}

impl Book {
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn get(&self, key: &PublicKey) -> Option<&Member> {
        self.members.get(key)
    }

    /// Whose a name is.
    pub(crate) fn owner(&self, name: &PeerId) -> Option<PublicKey> {
        self.names.get(name).copied()
    }

    /// Sets what is known of a key. A key has one name: the latest.
    pub(crate) fn set(&mut self, key: PublicKey, member: Member) {
        self.names.insert(member.entity_id.clone(), key);
        self.expiry.insert((member.expires_at, key));
        let (name, expires_at) = (member.entity_id.clone(), member.expires_at);
        let Some(before) = self.members.insert(key, member) else { return };
        if before.entity_id != name {
            self.names.remove(&before.entity_id);
        }
        if before.expires_at != expires_at {
            self.expiry.remove(&(before.expires_at, key));
        }
    }

    pub(crate) fn remove(&mut self, key: &PublicKey) {
        if let Some(member) = self.members.remove(key) {
            self.names.remove(&member.entity_id);
            self.expiry.remove(&(member.expires_at, *key));
        }
    }

    /// When the next registration expires.
    pub(crate) fn first_expiry(&self) -> Option<Timestamp> {
        self.expiry.first().map(|(at, _)| *at)
    }

    /// A key whose registration has expired; each is told once.
    pub(crate) fn pop_expired(&mut self, now: Timestamp) -> Option<PublicKey> {
        let first = self.expiry.first().copied().filter(|(at, _)| *at <= now)?;
        self.expiry.remove(&first);
        Some(first.1)
    }

    /// The connection of a member whose registration holds.
    pub(crate) fn connection(&self, key: &PublicKey, now: Timestamp) -> Option<ConnectionId> {
        self.get(key).filter(|member| member.expires_at > now)?.connection
    }

    /// A connection is gone; says whether it was that of the member.
    pub(crate) fn disconnect(&mut self, key: &PublicKey, connection: ConnectionId) -> bool {
        let Some(member) = self.members.get_mut(key) else { return false };
        let is_its = member.connection == Some(connection);
        if is_its {
            member.connection = None;
        }
        is_its
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PublicKey, &Member)> {
        self.members.iter()
    }
}
