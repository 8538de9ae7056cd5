//! Entities by id and by capability, as records of the table.
//!
//! Source: `docs/protocol/1.1.md#registry`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_wire::payload::dht::{
    Contact, Presence, Record, RecordError, RecordKey, RecordKind, RecordName, RecordVersion, Terms,
};
use entity_wire::time::Timestamp;

use crate::checked::CheckedRecord;

/// Where the records of an entity lie.
pub fn key_of_entity(id: &PeerId) -> RecordKey {
    RecordKey::of(RecordKind::Entity, &RecordName::of_entity(id))
}

/// Where the records of those that have a capability lie; `None` for a text that is none.
pub fn key_of_capability(capability: &str) -> Option<RecordKey> {
    let name = RecordName::of_capability(capability)?;
    Some(RecordKey::of(RecordKind::Capability, &name))
}

/// Somebody that was found, in its own words.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Whose word it is. Anybody can sign a record for any name, so this is what a reader compares with its pin.
    pub owner: PublicKey,
    /// What it says.
    pub presence: Presence,
    /// Until when.
    pub expires_at: Timestamp,
}

impl Resolved {
    /// Where it can be asked.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        let of = |address: &_| {
            Contact::new(self.presence.entity_id.clone(), self.owner, Clone::clone(address))
        };
        self.presence.addresses.iter().map(of)
    }
}

/// Reads what was found under a name: every owner whose record is a presence. With a pinned key only that owner.
pub fn resolve<'a>(
    records: impl IntoIterator<Item = &'a Arc<CheckedRecord>>,
    pinned: Option<&PublicKey>,
) -> Vec<Resolved> {
    let one = |record: &'a Arc<CheckedRecord>| {
        let terms = record.record().terms();
        let presence = Presence::from_object(&terms.value).ok()?;
        let is_named = match terms.kind {
            // A record for a name speaks of that name only.
            RecordKind::Entity => terms.name.as_str() == presence.entity_id.as_str(),
            RecordKind::Capability => true,
        };
        let is_pinned = pinned.is_none_or(|pinned| *pinned == terms.owner);
        let resolved = Resolved { owner: terms.owner, presence, expires_at: terms.expires_at };
        (is_named && is_pinned).then_some(resolved)
    };
    records.into_iter().filter_map(one).collect()
}

/// Keeps the records of one entity alive: it makes new ones when half of their lifetime is over.
///
/// It holds no key: what [`Announcer::poll_draft`] gives is signed elsewhere.
#[derive(Debug)]
pub struct Announcer {
    owner: PublicKey,
    lifetime: Duration,
    presence: Option<Presence>,
    announced: BTreeMap<(RecordKind, RecordName), Announced>,
}

#[derive(Debug, Clone, Copy)]
struct Announced {
    version: RecordVersion,
    renew_at: Timestamp,
}

/// What cannot be announced. It is our caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// More capabilities than a list has.
    #[error("{count} capabilities: at most {CAPABILITIES_MAX}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A capability that is no name.
    #[error("a capability that is empty, too long, or has control characters")]
    Capability,
    /// It does not go into a record.
    #[error("what is announced makes no record")]
    Record(#[from] RecordError),
}

/// Most capabilities that are announced.
pub const CAPABILITIES_MAX: usize = entity_wire::limits::LIST_LEN_MAX;

impl Announcer {
    /// How long a record lives where nothing else is said.
    pub const LIFETIME: Duration = Duration::from_hours(2);

    /// Announces nothing yet. `lifetime` is 1 s to 24 h; what is beyond is taken as that.
    pub fn new(owner: PublicKey, lifetime: Duration) -> Self {
        let longest = entity_wire::payload::dht::LIFETIME_MAX;
        let lifetime = lifetime.clamp(Duration::from_secs(1), longest);
        Self { owner, lifetime, presence: None, announced: BTreeMap::new() }
    }

    /// Announces this from now on, at once. What is not announced any more expires.
    ///
    /// # Errors
    ///
    /// A bound is broken; what was announced before stays.
    pub fn announce(&mut self, presence: Presence, now: Timestamp) -> Result<(), AnnounceError> {
        let capabilities = presence.capabilities.as_deref().unwrap_or_default();
        if capabilities.len() > CAPABILITIES_MAX {
            return Err(AnnounceError::TooMany { count: capabilities.len() });
        }
        let names: Option<Vec<_>> =
            capabilities.iter().map(|text| RecordName::of_capability(text)).collect();
        let names = names.ok_or(AnnounceError::Capability)?.into_iter();
        let names = names.map(|name| (RecordKind::Capability, name));
        let entity = (RecordKind::Entity, RecordName::of_entity(&presence.entity_id));
        let mut announced = BTreeMap::new();
        for (kind, name) in names.chain([entity]) {
            self.draft((kind, &name), &presence, RecordVersion::FIRST, now)?;
            let before = self.announced.get(&(kind, name.clone()));
            let version = before.map_or(RecordVersion::FIRST, |before| before.version);
            announced.insert((kind, name), Announced { version, renew_at: now });
        }
        (self.presence, self.announced) = (Some(presence), announced);
        Ok(())
    }

    /// The next record to be signed, if one is due.
    pub fn poll_draft(&mut self, now: Timestamp) -> Option<Record> {
        let due = self.announced.iter().find(|(_, one)| one.renew_at <= now);
        let ((kind, name), before) = due.map(|(place, one)| (place.clone(), *one))?;
        // The time is a version that survives the loss of every state: in microseconds it fits until the year 2255.
        let of_time = u64::try_from(now.micros()).ok().and_then(RecordVersion::new);
        let version = before.version.next().max(of_time).unwrap_or(RecordVersion::MAX);
        let renew_at = now.plus(self.lifetime / 2);
        self.announced.insert((kind, name.clone()), Announced { version, renew_at });
        let presence = self.presence.clone()?;
        // It was a record when it was announced, and only version and times are others.
        self.draft((kind, &name), &presence, version, now).ok()
    }

    /// When the next record is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.announced.values().map(|one| one.renew_at).min()
    }

    fn draft(
        &self,
        (kind, name): (RecordKind, &RecordName),
        presence: &Presence,
        version: RecordVersion,
        now: Timestamp,
    ) -> Result<Record, RecordError> {
        let capabilities = match kind {
            RecordKind::Entity => presence.capabilities.clone(),
            RecordKind::Capability => None,
        };
        let value = Presence { capabilities, ..presence.clone() }.to_object();
        let expires_at = now.plus(self.lifetime);
        let (name, owner) = (name.clone(), self.owner);
        Record::new(Terms { kind, name, owner, value, version, issued_at: now, expires_at })
    }
}

#[cfg(test)]
mod tests;
