//! One face for whoever wants to find a peer, whichever way it is known.
//!
//! Asked for an id, it names at once whom the operator has named and which bootstrap contacts are known, and looks into
//! the table only where neither knows it: what a person wrote down counts more than what anybody signed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_wire::payload::dht::{Contact, Presence, SignedRecord};
use entity_wire::time::Timestamp;

use crate::checked::{CheckedRecord, Forged, Judge};
use crate::dht::Dht;
use crate::node::Node;
use crate::registry::{self, AnnounceError, Announcer, Resolved};
use crate::vocabulary::{BeginError, Event, OperationId, Output};

/// Who knows a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The operator has named it.
    Static,
    /// It is a bootstrap contact.
    Bootstrap,
    /// The table.
    Table,
}

/// A way to a peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Who and where. The key is to be proved by a session, as always.
    pub contact: Contact,
    /// Who says so.
    pub source: Source,
}

/// What is sought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A peer by its id; with its key, where that is pinned.
    Entity(PeerId, Option<PublicKey>),
    /// Peers that have a capability.
    Capability(String),
}

/// What became of a search, at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Search {
    /// It is over.
    Known(Vec<Way>),
    /// The table is looked into: [`Discovered`] follows.
    Begun(OperationId),
}

/// The end of a search in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Discovered {
    /// Which.
    pub operation: OperationId,
    /// What was sought.
    pub wanted: Wanted,
    /// What was found, in the words of those who were.
    pub found: Vec<Resolved>,
    /// The ways to them, nearest source first.
    pub ways: Vec<Way>,
}

/// What comes out: that of the table, the ends of searches, and records to be signed.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// An output of the table.
    Table(Output),
    /// A search is over.
    Discovered(Discovered),
    /// A record of this entity to be signed, and handed back to [`Discovery::handle_signed`].
    Sign(Box<entity_wire::payload::dht::Record>),
}

/// Static contacts, bootstrap contacts and the table.
#[derive(Debug)]
pub struct Discovery {
    named: BTreeMap<PeerId, Contact>,
    bootstrap: Vec<Arc<Node>>,
    table: Dht,
    announcer: Announcer,
    searches: BTreeMap<OperationId, Wanted>,
    told: VecDeque<Told>,
}

/// Why a signed record is not published. It is our caller's fault, or a bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// The signature does not hold.
    #[error(transparent)]
    Forged(#[from] Forged),
    /// It cannot be published now.
    #[error(transparent)]
    Begin(#[from] BeginError),
}

/// Static contacts at most.
pub const STATIC_MAX: usize = 1_024;

/// There are [`STATIC_MAX`] static contacts already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {STATIC_MAX} static contacts are taken")]
pub struct StaticsFull;

impl Discovery {
    /// Puts the face before a table.
    pub fn new(table: Dht, announcer: Announcer) -> Self {
        Self {
            named: BTreeMap::new(),
            bootstrap: Vec::new(),
            table,
            announcer,
            searches: BTreeMap::new(),
            told: VecDeque::new(),
        }
    }

    /// Takes a contact that the operator names; it replaces another one of the same id.
    ///
    /// # Errors
    ///
    /// There are too many.
    pub fn name(&mut self, contact: Contact) -> Result<(), StaticsFull> {
        let id = contact.entity_id().clone();
        if self.named.len() >= STATIC_MAX && !self.named.contains_key(&id) {
            return Err(StaticsFull);
        }
        self.named.insert(id, contact);
        Ok(())
    }

    /// Joins the table through bootstrap contacts.
    ///
    /// # Errors
    ///
    /// The node has left.
    pub fn join(&mut self, bootstrap: Vec<Contact>, now: Timestamp) -> Result<(), BeginError> {
        self.bootstrap = bootstrap.into_iter().map(Node::new).collect();
        self.table.join(self.bootstrap.iter().map(Arc::clone), now)
    }

    /// Announces what this entity is from now on.
    ///
    /// # Errors
    ///
    /// A bound is broken.
    pub fn announce(&mut self, presence: Presence, now: Timestamp) -> Result<(), AnnounceError> {
        self.announcer.announce(presence, now)?;
        self.sign_due(now);
        Ok(())
    }

    /// Takes a record that was signed, and publishes it.
    ///
    /// # Errors
    ///
    /// The signature does not hold, or a bound is reached; the record is due again later by itself.
    pub fn handle_signed(
        &mut self,
        record: SignedRecord,
        judge: &impl Judge,
        now: Timestamp,
    ) -> Result<OperationId, SignedError> {
        let record = CheckedRecord::check(record, judge)?;
        Ok(self.table.publish(record, now)?)
    }

    /// Looks for a peer, or for peers.
    ///
    /// # Errors
    ///
    /// Nothing nearer knows it, and the table cannot be looked into.
    pub fn find(&mut self, wanted: Wanted, now: Timestamp) -> Result<Search, BeginError> {
        let key = match &wanted {
            Wanted::Entity(id, pinned) => {
                let ways = self.ways_known(id, pinned.as_ref());
                if !ways.is_empty() {
                    return Ok(Search::Known(ways));
                }
                registry::key_of_entity(id)
            }
            Wanted::Capability(capability) => match registry::key_of_capability(capability) {
                Some(key) => key,
                // No record can have such a name.
                None => return Ok(Search::Known(Vec::new())),
            },
        };
        let operation = self.table.find_records(key, now)?;
        self.searches.insert(operation, wanted);
        Ok(Search::Begun(operation))
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<Told> {
        if let Some(told) = self.told.pop_front() {
            return Some(told);
        }
        let output = self.table.poll_output()?;
        if let Output::Event(Event::FoundRecords { operation, records, .. }) = &output
            && let Some(wanted) = self.searches.remove(operation)
        {
            return Some(Told::Discovered(discovered(*operation, wanted, records)));
        }
        Some(Told::Table(output))
    }

    /// When something is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [self.table.next_deadline(), self.announcer.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due. Calling early is harmless.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        self.sign_due(now);
        self.table.handle_deadline(now);
    }

    /// The table, for messages: what comes from others goes there.
    pub fn table_mut(&mut self) -> &mut Dht {
        &mut self.table
    }

    /// The table, to look at.
    pub fn table(&self) -> &Dht {
        &self.table
    }

    fn sign_due(&mut self, now: Timestamp) {
        while let Some(record) = self.announcer.poll_draft(now) {
            self.told.push_back(Told::Sign(Box::new(record)));
        }
    }

    fn ways_known(&self, id: &PeerId, pinned: Option<&PublicKey>) -> Vec<Way> {
        let named = self.named.get(id).map(|contact| (contact, Source::Static));
        let bootstrap = self.bootstrap.iter().map(|node| (node.contact(), Source::Bootstrap));
        let bootstrap = bootstrap.filter(|(contact, _)| contact.entity_id() == id);
        let all = named.into_iter().chain(bootstrap);
        let wanted =
            all.filter(|(contact, _)| pinned.is_none_or(|pinned| pinned == contact.public_key()));
        wanted.map(|(contact, source)| Way { contact: contact.clone(), source }).collect()
    }
}

fn discovered(
    operation: OperationId,
    wanted: Wanted,
    records: &[Arc<CheckedRecord>],
) -> Discovered {
    let pinned = match &wanted {
        Wanted::Entity(_, pinned) => pinned.as_ref(),
        Wanted::Capability(_) => None,
    };
    let found = registry::resolve(records, pinned);
    let ways = found.iter().flat_map(|one| one.contacts().collect::<Vec<_>>());
    let ways = ways.map(|contact| Way { contact, source: Source::Table }).collect();
    Discovered { operation, wanted, found, ways }
}

#[cfg(test)]
mod tests;
