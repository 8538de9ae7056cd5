//! How a key becomes a member.
//!
//! Source: `docs/protocol/1.1.md#relay-registration`.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_wire::code::ErrorCode;
use entity_wire::relay::{Challenge, Control, Registered, Registration};
use entity_wire::time::Timestamp;

use super::book::Member;
use super::mailbox::Place;
use super::vocabulary::Output;
use super::{Relay, kept};
use crate::route::ConnectionId;

/// How far ahead a registration may reach.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
pub(super) const REGISTERED_FOR_MAX: Duration = Duration::from_hours(24);

/// Between two registrations of one connection there is as much: each costs a check of a signature.
pub(super) const REGISTERING_PAUSE: Duration = Duration::from_millis(200);

/// What was said on a connection.
#[derive(Debug)]
pub(super) struct Conversation {
    challenge: Challenge,
    pub(super) member: Option<PublicKey>,
    registered_at: Option<Timestamp>,
}

impl Relay {
    /// Somebody has connected. There are as many as the transport lets in.
    pub fn handle_opened(&mut self, connection: ConnectionId) {
        let challenge = Challenge { nonce: self.entropy.bytes(), relay_key: self.key.public_key() };
        let conversation = Conversation { challenge, member: None, registered_at: None };
        self.conversations.insert(connection, conversation);
        let control = Control::Challenge(challenge);
        self.outputs.push_back(Output::Control { connection, control });
    }

    /// A connection is gone. What was on its way over it and has no answer is kept.
    pub fn handle_closed(&mut self, connection: ConnectionId, now: Timestamp) {
        self.bring_back(connection, now);
        let member = self.conversations.remove(&connection).and_then(|one| one.member);
        if let Some(key) = member
            && self.book.disconnect(&key, connection)
        {
            self.mail.all_back(&key);
        }
        self.keep_writes();
    }

    /// A control object came.
    pub fn handle_control(&mut self, connection: ConnectionId, control: Control, now: Timestamp) {
        match control {
            Control::Register(registration) => {
                match self.register(connection, &registration, now) {
                    Ok(registered) => {
                        let control = Control::Registered(registered);
                        self.outputs.push_back(Output::Control { connection, control });
                        self.pump(&registration.public_key, now);
                    }
                    Err(code) => {
                        let control = Control::Refused { code };
                        self.outputs.push_back(Output::Control { connection, control });
                    }
                }
            }
            Control::Ack { id } => {
                let member = self.conversations.get(&connection).and_then(|one| one.member);
                // Only over the connection of the registration that holds.
                let member =
                    member.filter(|key| self.book.connection(key, now) == Some(connection));
                match member.map(|key| self.mail.find(&key, id)) {
                    Some(Some(place)) => {
                        self.drop_mail(place, now);
                        self.pump(&place.0, now);
                    }
                    Some(None) => self.acknowledge_live(id, connection),
                    None => {}
                }
            }
            // What only a relay says.
            Control::Challenge(_) | Control::Registered(_) | Control::Refused { .. } => {}
        }
        self.keep_writes();
    }

    /// Who has registered on a connection.
    pub fn member_on(&self, connection: ConnectionId) -> Option<PublicKey> {
        self.conversations.get(&connection)?.member
    }

    fn register(
        &mut self,
        connection: ConnectionId,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Registered, ErrorCode> {
        let conversation =
            self.conversations.get_mut(&connection).ok_or(ErrorCode::InvalidState)?;
        let is_hasty =
            conversation.registered_at.is_some_and(|at| now.since(at) < REGISTERING_PAUSE);
        if is_hasty {
            return Err(ErrorCode::RateLimited);
        }
        conversation.registered_at = Some(now);
        let challenge = conversation.challenge;
        let key = registration.public_key;
        let expires_at = registration.expires_at;
        if expires_at <= now || expires_at > now.plus(REGISTERED_FOR_MAX) {
            return Err(ErrorCode::ExpiredTimestamp);
        }
        // A connection has one member, and a renewal reaches further.
        let is_other = conversation.member.is_some_and(|member| member != key);
        if is_other || !registration.is_genuine(&challenge) {
            return Err(ErrorCode::InvalidSignature);
        }
        self.make_room(registration, now)?;
        if let Some(conversation) = self.conversations.get_mut(&connection) {
            conversation.member = Some(key);
        }
        let before = self.book.get(&key).and_then(|member| member.connection);
        if before != Some(connection) {
            // The new connection replaces the old one, and everything goes over it again, from the oldest on.
            if let Some(before) = before {
                self.bring_back(before, now);
            }
            self.mail.all_back(&key);
        }
        let entity_id = registration.entity_id.clone();
        let member = Member { entity_id, expires_at, connection: Some(connection) };
        self.writes.push(kept::write_member(&key, &member));
        self.book.set(key, member);
        Ok(Registered::sign(&challenge, registration, &self.key))
    }

    /// A name belongs to its first key, and there are so many members.
    fn make_room(&mut self, registration: &Registration, now: Timestamp) -> Result<(), ErrorCode> {
        if let Some(owner) = self.book.owner(&registration.entity_id)
            && owner != registration.public_key
        {
            if !self.has_lapsed(&owner, now) {
                return Err(ErrorCode::UnknownSender);
            }
            self.forget(&owner);
        }
        let is_new = self.book.get(&registration.public_key).is_none();
        if is_new && self.book.len() >= self.config.members_max {
            self.expire_members(now);
            if self.book.len() >= self.config.members_max {
                return Err(ErrorCode::ServiceUnavailable);
            }
        }
        Ok(())
    }

    fn has_lapsed(&self, key: &PublicKey, now: Timestamp) -> bool {
        self.book.get(key).is_none_or(|member| member.expires_at <= now) && self.mail.is_empty(key)
    }

    fn forget(&mut self, key: &PublicKey) {
        self.book.remove(key);
        self.writes.push(kept::delete_member(key));
    }

    /// Forgets members whose registration has expired. One with mail stays as long as that does.
    pub(super) fn expire_members(&mut self, now: Timestamp) {
        while let Some(key) = self.book.pop_expired(now) {
            if self.mail.is_empty(&key) {
                self.forget(&key);
            }
        }
    }

    /// Takes mail out for good, and with the last of it a member whose registration has expired.
    pub(super) fn drop_mail(&mut self, place: Place, now: Timestamp) {
        self.mail.take(place);
        self.writes.push(kept::delete_mail(place));
        if self.book.get(&place.0).is_some() && self.has_lapsed(&place.0, now) {
            self.forget(&place.0);
        }
    }
}

#[cfg(test)]
impl Conversation {
    pub(super) fn challenge_of_tests(&self) -> Challenge {
        self.challenge
    }
}
