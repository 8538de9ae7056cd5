//! What the registry has to say, in a few lines: for each key and owner, the newest record that everybody could know.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_dht::CheckedRecord;
use entity_wire::payload::dht::{RecordKey, RecordVersion};

/// The reference: what a reader has to find at least, and at most.
#[derive(Debug, Default)]
pub struct Model {
    slots: BTreeMap<(RecordKey, PublicKey), Versions>,
}

/// Versions of one slot.
#[derive(Debug, Clone, Copy, Default)]
struct Versions {
    /// The newest whose publication is over.
    published: Option<RecordVersion>,
    /// The newest that was begun.
    begun: Option<RecordVersion>,
}

impl Model {
    /// Takes that a publication has begun.
    pub fn begun(&mut self, record: &CheckedRecord) {
        let versions = self.slots.entry(place(record)).or_default();
        versions.begun = versions.begun.max(Some(record.record().terms().version));
    }

    /// Takes that a publication is over, and that somebody has the record.
    pub fn published(&mut self, record: &CheckedRecord) {
        let versions = self.slots.entry(place(record)).or_default();
        versions.published = versions.published.max(Some(record.record().terms().version));
    }

    /// What a reader who begins now has to find of a key at least.
    pub fn expected(&self, key: RecordKey) -> Vec<(PublicKey, RecordVersion)> {
        let of_key = self.slots.iter().filter(|((of, _), _)| *of == key);
        of_key.filter_map(|((_, owner), one)| Some((*owner, one.published?))).collect()
    }

    /// Whether what was found holds everything that was expected and nothing that nobody has published.
    pub fn is_met(
        &self,
        key: RecordKey,
        expected: &[(PublicKey, RecordVersion)],
        found: &[Arc<CheckedRecord>],
    ) -> bool {
        let version = |owner: &PublicKey| {
            let of_owner = found.iter().find(|record| record.record().terms().owner == *owner);
            of_owner.map(|record| record.record().terms().version)
        };
        let nothing_lost = expected.iter().all(|(owner, least)| version(owner) >= Some(*least));
        let nothing_made_up = found.iter().all(|record| {
            let begun = self.slots.get(&(key, record.record().terms().owner));
            begun.is_some_and(|one| Some(record.record().terms().version) <= one.begun)
        });
        nothing_lost && nothing_made_up
    }
}

fn place(record: &CheckedRecord) -> (RecordKey, PublicKey) {
    (record.record().key(), record.record().terms().owner)
}
