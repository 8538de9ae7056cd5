//! Mail, by recipient, within its bounds.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use entity_crypto::signing::PublicKey;
use entity_wire::relay::{ForwardId, Header, forward};
use entity_wire::time::Timestamp;

use super::vocabulary::{Config, Quota, Sender};

/// A message that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) header: Header,
    pub(crate) message: Bytes,
    pub(crate) sender: Sender,
    pub(crate) expires_at: Timestamp,
}

impl Mail {
    fn len_bytes(&self) -> usize {
        forward::HEADER_LEN + self.message.len()
    }
}

/// The name of a piece of mail: whose, and its place in the order of arrival.
pub(crate) type Place = (PublicKey, u64);

/// All mailboxes.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    boxes: BTreeMap<PublicKey, Mailbox>,
    senders: BTreeMap<Sender, Usage>,
    expiry: BTreeSet<(Timestamp, PublicKey, u64)>,
    usage: Usage,
}

#[derive(Debug, Default)]
struct Mailbox {
    mail: BTreeMap<u64, Mail>,
    by_id: BTreeMap<ForwardId, u64>,
    /// Sent over the connection of now, and not acknowledged.
    sent: BTreeSet<u64>,
    usage: Usage,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Messages.
    pub messages: usize,
    /// Bytes, with their headers.
    pub bytes: usize,
}

impl Usage {
    pub(super) fn has_room(self, bytes: usize, quota: Quota) -> bool {
        self.messages < quota.messages && self.bytes + bytes <= quota.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.messages -= 1;
        self.bytes -= bytes;
    }
}

impl Mailboxes {
    /// Whether mail has room within all bounds.
    pub(crate) fn has_room(&self, mail: &Mail, config: &Config) -> bool {
        let bytes = mail.len_bytes();
        let recipient = self.usage_of(&mail.header.recipient);
        let sender = self.senders.get(&mail.sender).copied().unwrap_or_default();
        recipient.has_room(bytes, config.recipient)
            && sender.has_room(bytes, config.sender)
            && self.usage.has_room(bytes, config.total)
    }

    /// Puts mail at its place, whatever the bounds.
    pub(crate) fn insert(&mut self, number: u64, mail: Mail) {
        let (recipient, bytes) = (mail.header.recipient, mail.len_bytes());
        self.usage.add(bytes);
        self.senders.entry(mail.sender).or_default().add(bytes);
        self.expiry.insert((mail.expires_at, recipient, number));
        let mailbox = self.boxes.entry(recipient).or_default();
        mailbox.usage.add(bytes);
        mailbox.by_id.insert(mail.header.id, number);
        mailbox.mail.insert(number, mail);
    }

    /// Takes mail out.
    pub(crate) fn take(&mut self, (recipient, number): Place) -> Option<Mail> {
        let mailbox = self.boxes.get_mut(&recipient)?;
        let mail = mailbox.mail.remove(&number)?;
        let bytes = mail.len_bytes();
        if mailbox.by_id.get(&mail.header.id) == Some(&number) {
            mailbox.by_id.remove(&mail.header.id);
        }
        mailbox.sent.remove(&number);
        mailbox.usage.take(bytes);
        if mailbox.mail.is_empty() {
            self.boxes.remove(&recipient);
        }
        self.usage.take(bytes);
        if let Some(usage) = self.senders.get_mut(&mail.sender) {
            usage.take(bytes);
            if usage.messages == 0 {
                self.senders.remove(&mail.sender);
            }
        }
        self.expiry.remove(&(mail.expires_at, recipient, number));
        Some(mail)
    }

    /// The place of the mail with this id.
    pub(crate) fn find(&self, recipient: &PublicKey, id: ForwardId) -> Option<Place> {
        Some((*recipient, *self.boxes.get(recipient)?.by_id.get(&id)?))
    }

    /// What is to be sent next, marked as sent: the oldest that is not, while fewer than `most` are.
    pub(crate) fn next(&mut self, recipient: &PublicKey, most: usize) -> Option<(u64, &Mail)> {
        let mailbox = self.boxes.get_mut(recipient)?;
        if mailbox.sent.len() >= most {
            return None;
        }
        // They are sent in order, so those that are not come after the last that is; but for those that came back.
        let number = mailbox.mail.keys().find(|number| !mailbox.sent.contains(number)).copied()?;
        mailbox.sent.insert(number);
        mailbox.mail.get(&number).map(|mail| (number, mail))
    }

    /// Notes that mail is on its way already.
    pub(crate) fn mark_sent(&mut self, (recipient, number): Place) {
        if let Some(mailbox) = self.boxes.get_mut(&recipient) {
            mailbox.sent.insert(number);
        }
    }

    /// Nothing of a mailbox is on its way any more.
    pub(crate) fn all_back(&mut self, recipient: &PublicKey) {
        if let Some(mailbox) = self.boxes.get_mut(recipient) {
            mailbox.sent.clear();
        }
    }

    /// Whether something waits that is not on its way.
    pub(crate) fn has_waiting(&self, recipient: &PublicKey) -> bool {
        self.boxes.get(recipient).is_some_and(|mailbox| mailbox.sent.len() < mailbox.mail.len())
    }

    pub(crate) fn is_empty(&self, recipient: &PublicKey) -> bool {
        !self.boxes.contains_key(recipient)
    }

    pub(crate) fn usage_of(&self, recipient: &PublicKey) -> Usage {
        self.boxes.get(recipient).map(|mailbox| mailbox.usage).unwrap_or_default()
    }

    /// When the oldest mail of a recipient expires.
    pub(crate) fn first_expiry_of(&self, recipient: &PublicKey) -> Option<Timestamp> {
        let (_, oldest) = self.boxes.get(recipient)?.mail.first_key_value()?;
        Some(oldest.expires_at)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    pub(crate) fn recipients(&self) -> impl Iterator<Item = (&PublicKey, Usage)> {
        self.boxes.iter().map(|(key, mailbox)| (key, mailbox.usage))
    }

    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.first().map(|(at, ..)| *at)
    }

    /// The place of mail that has expired.
    pub(crate) fn expired(&self, now: Timestamp) -> Option<Place> {
        let (at, recipient, number) = self.expiry.first()?;
        (*at <= now).then_some((*recipient, *number))
    }
}
