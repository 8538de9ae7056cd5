//! The roster as it is kept: space `roster`, one record a peer, under its name.
//!
//! ```text
//! {"address", "came": "operator" | "stranger" | "guest", "connect": bool, "key"?, "proved"?, "trust": "pinned" | "first_use",
//!  "capabilities"?}
//! ```
//!
//! Versions before the table do not read a `guest`. A record is written when one of these changes, never for a message.

use entity_crypto::signing::PublicKey;
use entity_journal::{Space, Stored, Write};
use entity_wire::json::{Fields, Object};
use entity_wire::version::Version;

use super::{Entry, Origin, Roster};
use crate::name::PeerName;
use crate::record::{self, damaged};
use crate::restore::RestoreError;
use crate::view::KeyTrust;

/// Whom we know.
pub(crate) const SPACE: Space = Space::state("roster");

const FIELDS: [&str; 7] = ["address", "came", "capabilities", "connect", "key", "proved", "trust"];

impl Roster {
    /// Makes a roster of what was kept, for at most `count_max` peers.
    ///
    /// More than that are taken where they were kept under a higher limit: nobody is forgotten in silence.
    pub(crate) fn restore(stored: &mut Stored, count_max: usize) -> Result<Self, RestoreError> {
        let mut roster = Self::new(count_max);
        for record in stored.take(SPACE) {
            let name = std::str::from_utf8(&record.key).ok().and_then(|key| key.parse().ok());
            let name = name.ok_or_else(|| damaged(SPACE, &record, "its key is no name"))?;
            let entry = record::read(SPACE, &record, &FIELDS, read)?;
            roster.entries.insert(name, entry);
        }
        Ok(roster)
    }
}

impl Roster {
    /// Returns what is to be kept of a peer; `None` of one that is not known.
    pub(crate) fn record(&self, name: &PeerName) -> Option<Write> {
        self.get(name.as_str()).map(|entry| put(name, entry))
    }
}

/// Keeps a peer as it is now.
fn put(name: &PeerName, entry: &Entry) -> Write {
    let mut object = Object::new()
        .with("address", entry.address.as_str())
        .with("came", entry.came.as_str())
        .with("connect", entry.connect)
        .with("trust", entry.trust.as_str());
    if let Some(key) = &entry.key {
        object.insert("key", key.to_hex());
    }
    if let Some(proved) = entry.proved {
        object.insert("proved", proved.as_str());
    }
    if let Some(capabilities) = &entry.capabilities {
        object.insert("capabilities", capabilities.clone());
    }
    record::put(SPACE, name.as_str(), &object)
}

/// Forgets a peer.
pub(super) fn delete(name: &PeerName) -> Write {
    Write::delete(SPACE, name.as_str())
}

fn read(fields: Fields<'_>) -> Result<Entry, entity_wire::json::FieldError> {
    let mut entry = Entry::new(
        fields.text("address")?.to_owned(),
        fields.read_optional("key", "a public key", |text| PublicKey::from_hex(text).ok())?,
        fields.read("came", "`operator`, `stranger` or `guest`", Origin::from_text)?,
    );
    entry.trust = fields.read("trust", "`pinned` or `first_use`", KeyTrust::from_text)?;
    entry.proved = fields.read_optional("proved", "a version", Version::from_text)?;
    entry.connect = fields.flag("connect")?;
    if fields.optional("capabilities").is_some() {
        entry.capabilities = Some(fields.object("capabilities")?.clone());
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;
    use entity_journal::{Journal, MemoryJournal, Record};

    use super::*;

    fn written(write: &Write) -> (String, String) {
        let Write::Put { key, value, .. } = write else { panic!("{write:?}") };
        (String::from_utf8(key.clone()).unwrap(), String::from_utf8(value.clone()).unwrap())
    }

    fn full() -> Entry {
        let key = SigningKey::from_seed([7; 32]).public_key();
        let mut entry = Entry::new("http://b:1".to_owned(), Some(key), Origin::Operator);
        entry.prove(Version::V1_1);
        entry.connect = true;
        entry.capabilities = Some(Object::new().with("protocol_version", "1.0"));
        entry
    }

    #[test]
    fn the_record_of_a_peer_has_these_bytes() {
        let name = "b".parse().unwrap();
        let expected = concat!(
            r#"{"address":"http://b:1","came":"operator","capabilities":{"protocol_version":"1.0"},"connect":true,"#,
            r#""key":"ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","proved":"1.1","trust":"pinned"}"#,
        );
        assert_eq!(written(&put(&name, &full())), ("b".to_owned(), expected.to_owned()));
        let stranger = Entry::new("http://c".to_owned(), None, Origin::Stranger);
        let expected =
            r#"{"address":"http://c","came":"stranger","connect":false,"trust":"first_use"}"#;
        assert_eq!(written(&put(&"c".parse().unwrap(), &stranger)).1, expected);
    }

    #[test]
    fn a_record_reads_back() {
        let name: PeerName = "b".parse().unwrap();
        let mut journal = MemoryJournal::default();
        let write = put(&name, &full());
        journal.commit(&[vec![write.clone()].into()]).unwrap();
        let roster = Roster::restore(&mut journal.load().unwrap(), 0).unwrap();
        assert_eq!(put(&name, roster.get("b").unwrap()), write);
    }

    #[test]
    fn a_damaged_record_is_named() {
        let mut stored = Stored::default();
        let value = br#"{"address":"a","came":"nobody","connect":false,"trust":"pinned"}"#.to_vec();
        stored.put("roster", Record { key: b"b".to_vec(), value });
        let error = Roster::restore(&mut stored, 1).unwrap_err().to_string();
        assert_eq!(
            error,
            "the record b of roster is damaged: field came: not `operator`, `stranger` or `guest`"
        );
    }
}
