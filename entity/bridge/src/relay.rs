//! What a relay does: it hands messages on untouched, and keeps them for who is absent.
//!
//! [`Relay`] is one relay as pure state. It never looks into a message: whom it is for says the header.
//!
//! | module | what it holds |
//! |---|---|
//! | `vocabulary` | the bounds, what goes in and comes out |
//! | `book` | who is registered |
//! | `registering` | how that comes about |
//! | `mailbox` | mail, and what there may be of it |
//! | `handing` | which way a message goes on, and what becomes of it |
//! | `seen` | where a loop ends |
//! | `kept` | what survives a restart |
//!
//! Source: `docs/protocol/1.1.md#relay`.

mod book;
mod handing;
mod kept;
mod mailbox;
mod registering;
mod seen;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use entity_crypto::entropy::Entropy;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_flaw::{Flaw, planted};
use entity_journal::{Batch, Stored, Write};
use entity_wire::relay::ForwardId;
use entity_wire::time::Timestamp;

use crate::route::ConnectionId;
use book::Book;
use handing::Attempt;
use kept::Kept;
pub use kept::{DamagedRecord, SPACE};
use mailbox::Mailboxes;
pub use mailbox::Usage;
use registering::Conversation;
use seen::Seen;
pub use seen::{SEEN_FOR, SEEN_MAX};
pub use vocabulary::{
    Answer, Arrival, AttemptId, Config, Outcome, Output, Quota, Sender, Ticket, Way,
};

/// Mail that is on its way to a recipient at a moment.
///
/// Source: `docs/protocol/1.1.md#relay-mail`.
pub const MAIL_UNDER_WAY_MAX: usize = 64;

/// One relay.
#[derive(Debug)]
pub struct Relay {
    config: Config,
    key: SigningKey,
    entropy: Entropy,
    book: Book,
    mail: Mailboxes,
    conversations: BTreeMap<ConnectionId, Conversation>,
    /// Where recipients were last said to be by the roster.
    bases: BTreeMap<PublicKey, String>,
    seen: Seen,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Those that somebody waits for, by the id of the message.
    live: BTreeMap<ForwardId, AttemptId>,
    /// What is handed on live, until its sending has ended.
    under_way: Usage,
    timeouts: BTreeSet<(Timestamp, AttemptId)>,
    /// When mail is posted again to a recipient whose base did not answer, and how often it did not.
    again: BTreeMap<PublicKey, (Timestamp, u32)>,
    last: u64,
    writes: Vec<Write>,
    outputs: VecDeque<Output>,
}

/// A mailbox, as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxView {
    /// Whose.
    pub recipient: PublicKey,
    /// Its name, where it is registered.
    pub entity_id: Option<PeerId>,
    /// Whether it is connected.
    pub is_connected: bool,
    /// What is kept for it.
    pub mail: Usage,
    /// When the oldest of it came; `None` where there is none.
    pub oldest_at: Option<Timestamp>,
    /// When the oldest of it is dropped.
    pub expires_at: Option<Timestamp>,
}

impl Relay {
    /// A relay that keeps nothing yet. `seed` is all its randomness.
    pub fn new(config: Config, key: SigningKey, seed: [u8; 32]) -> Self {
        Self {
            config,
            key,
            entropy: Entropy::from_seed(seed),
            book: Book::default(),
            mail: Mailboxes::default(),
            conversations: BTreeMap::new(),
            bases: BTreeMap::new(),
            seen: Seen::default(),
            attempts: BTreeMap::new(),
            live: BTreeMap::new(),
            under_way: Usage::default(),
            timeouts: BTreeSet::new(),
            again: BTreeMap::new(),
            last: 0,
            writes: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A relay that goes on with what was kept.
    ///
    /// # Errors
    ///
    /// [`DamagedRecord`].
    pub fn restore(
        config: Config,
        (key, seed): (SigningKey, [u8; 32]),
        stored: &mut Stored,
    ) -> Result<Self, DamagedRecord> {
        let mut relay = Self::new(config, key, seed);
        for record in stored.take(SPACE) {
            match Kept::read(&record)? {
                Kept::Member(key, member) => relay.book.set(key, member),
                Kept::Mail(..) if planted(Flaw::ForgetsMailOnRestart) => {}
                Kept::Mail((_, number), mail) => {
                    // Tickets go on after it: they are the order of arrival.
                    relay.last = relay.last.max(number);
                    relay.mail.insert(number, mail);
                }
            }
        }
        Ok(relay)
    }

    /// The roster says where a recipient can be reached by HTTP.
    pub fn handle_base(&mut self, recipient: PublicKey, base: String, now: Timestamp) {
        if handing::is_mailbox(&base) {
            return;
        }
        if self.bases.insert(recipient, base.clone()) != Some(base) {
            self.again.remove(&recipient);
        }
        self.pump(&recipient, now);
        self.keep_writes();
    }

    /// A new name for a message that came without one.
    pub fn fresh_id(&mut self) -> ForwardId {
        ForwardId::from_bytes(self.entropy.bytes())
    }

    /// What there is to do, drained after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Relay::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let timeout = self.timeouts.first().map(|(at, _)| *at);
        let again = self.again.values().map(|(at, _)| *at).min();
        [timeout, again, self.mail.next_expiry(), self.book.first_expiry()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Ends what waited too long, and drops what has expired.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        while let Some((at, attempt)) = self.timeouts.first().copied()
            && at <= now
        {
            self.timeouts.remove(&(at, attempt));
            self.timed_out(attempt, now);
        }
        while let Some(place) = self.mail.expired(now) {
            self.drop_mail(place, now);
        }
        let due: Vec<_> =
            self.again.iter().filter(|(_, (at, _))| *at <= now).map(|(key, _)| *key).collect();
        for recipient in due {
            // The count of failures stays until one is answered.
            if let Some((at, _)) = self.again.get_mut(&recipient) {
                *at = Timestamp::MAX;
            }
            self.pump(&recipient, now);
        }
        self.expire_members(now);
        self.keep_writes();
    }

    /// The mailboxes and members there are.
    pub fn boxes(&self) -> impl Iterator<Item = BoxView> {
        let members = self.book.iter().map(|(key, _)| *key);
        let keys: BTreeSet<PublicKey> =
            members.chain(self.mail.recipients().map(|(key, _)| *key)).collect();
        keys.into_iter().map(|recipient| {
            let member = self.book.get(&recipient);
            let expires_at = self.mail.first_expiry_of(&recipient);
            BoxView {
                recipient,
                entity_id: member.map(|member| member.entity_id.clone()),
                is_connected: member.is_some_and(|member| member.connection.is_some()),
                mail: self.mail.usage_of(&recipient),
                oldest_at: expires_at.map(|at| at.minus(self.config.mail_lifetime)),
                expires_at,
            }
        })
    }

    /// What is kept in all.
    pub fn usage(&self) -> Usage {
        self.mail.usage()
    }

    /// What is handed on live: neither kept nor answered, or answered while its sending has not ended.
    pub fn under_way(&self) -> Usage {
        self.under_way
    }

    /// Everything that one input changed is one batch.
    fn keep_writes(&mut self) {
        if !self.writes.is_empty() {
            let batch = Batch::from(std::mem::take(&mut self.writes));
            // Before whatever of this input rests on it.
            let at = self
                .outputs
                .iter()
                .position(|output| matches!(output, Output::Answer { rests_on_disk: true, .. }));
            self.outputs.insert(at.unwrap_or(self.outputs.len()), Output::Persist(batch));
        }
    }
}

#[cfg(test)]
mod tests;
