//! Which way a message goes on, and what becomes of it.

use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::PublicKey;
use entity_wire::code::ErrorCode;
use entity_wire::relay::{ForwardId, Header, forward};
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;

use super::mailbox::{Mail, Place};
use super::seen::Sight;
use super::vocabulary::{Answer, Arrival, AttemptId, Outcome, Output, Sender, Ticket, Way};
use super::{MAIL_UNDER_WAY_MAX, Relay, kept};
use crate::route::ConnectionId;

/// A message that is handed on.
#[derive(Debug)]
pub(super) struct Attempt {
    what: What,
    way: Way,
    timeout_at: Timestamp,
    /// What it takes of the room for what is live.
    live_bytes: Option<usize>,
}

#[derive(Debug)]
enum What {
    /// Somebody waits for the answer.
    Live(Live),
    /// It is kept.
    Mail(Place),
    /// What becomes of it is decided, and its sending has not ended.
    Over,
}

/// A message whose sender waits.
#[derive(Debug, Clone)]
struct Live {
    ticket: Ticket,
    header: Header,
    message: Bytes,
    sender: Sender,
    /// The recipient is one for whom mail is kept.
    is_known: bool,
    /// The recipient has disposed of it, and its answer is on its way.
    is_acknowledged: bool,
}

/// How long a base or a further relay may take. Guessed: as long as a client of HTTP waits.
const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses before a base is asked again that did not answer.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_mins(1);

impl Relay {
    /// A message for somebody has come. Its answer is an [`Output::Answer`] of this ticket.
    pub fn handle_arrival(&mut self, arrival: Arrival, now: Timestamp) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        let Arrival { header, message, connection, host, base } = arrival;
        let member = connection.and_then(|id| self.conversations.get(&id)?.member);
        let sender = member.map_or_else(|| Sender::host(host), Sender::Member);
        let recipient = header.recipient;
        match base.filter(|base| !is_mailbox(base)) {
            Some(base) => {
                self.bases.insert(recipient, base);
            }
            None => {
                self.bases.remove(&recipient);
            }
        }
        let is_known = self.bases.contains_key(&recipient)
            || self.book.get(&recipient).is_some_and(|member| member.expires_at > now);
        match self.seen.note(header.id, now) {
            Sight::New => {
                let live =
                    Live { ticket, header, message, sender, is_known, is_acknowledged: false };
                let way = self.first_way(&live, now);
                self.go(live, way, now);
            }
            Sight::Taken => self.answer((ticket, header.id), seen(), false),
            // Whoever asks goes by the answer: where nobody has taken it, nobody may be told so.
            Sight::Known if is_known => {
                self.answer((ticket, header.id), refused(ErrorCode::ServiceUnavailable), false);
            }
            Sight::Known => {
                self.answer((ticket, header.id), refused(ErrorCode::UnknownRecipient), false);
            }
        }
        self.keep_writes();
        ticket
    }

    /// An attempt has come to its end.
    pub fn handle_outcome(&mut self, attempt: AttemptId, outcome: Outcome, now: Timestamp) {
        let decided = self.decide(attempt);
        let ended = self.attempts.remove(&attempt);
        if let Some(bytes) = ended.and_then(|ended| ended.live_bytes) {
            self.under_way.take(bytes);
        }
        if let Some((what, way)) = decided {
            self.ended(what, &way, outcome, now);
        }
        self.keep_writes();
    }

    /// Takes what an attempt is about, once. The attempt itself stays until its sending has ended, so that what is held counts.
    fn decide(&mut self, attempt: AttemptId) -> Option<(What, Way)> {
        let held = self.attempts.get_mut(&attempt)?;
        self.timeouts.remove(&(held.timeout_at, attempt));
        let (what, way) = (std::mem::replace(&mut held.what, What::Over), held.way.clone());
        if let What::Live(live) = &what {
            self.live.remove(&live.header.id);
        }
        Some((what, way))
    }

    /// A recipient has disposed of what is on its way to it. Its answer may still come; where none does it is not kept, since
    /// nobody would acknowledge it once more.
    pub(super) fn acknowledge_live(&mut self, id: ForwardId, connection: ConnectionId) {
        let attempt = self.live.get(&id).and_then(|attempt| self.attempts.get_mut(attempt));
        if let Some(Attempt { what: What::Live(live), way, .. }) = attempt
            && *way == Way::Connection(connection)
        {
            live.is_acknowledged = true;
        }
    }

    fn ended(&mut self, what: What, way: &Way, outcome: Outcome, now: Timestamp) {
        match what {
            What::Live(live) => self.live_ended(live, way, outcome, now),
            What::Mail(place) => self.mail_ended(place, way, &outcome, now),
            What::Over => {}
        }
    }

    pub(super) fn timed_out(&mut self, attempt: AttemptId, now: Timestamp) {
        let Some((what, way)) = self.decide(attempt) else { return };
        match (what, &way) {
            // It has it, perhaps: its acknowledgement comes later, or it gets it again after the next registration.
            (What::Live(live), Way::Connection(connection)) => {
                let is_sent = self.is_of(&live.header.recipient, *connection, now);
                self.keep(live, is_sent, now);
            }
            (What::Live(live), Way::Http(_) | Way::Relay(_)) => {
                self.live_ended(live, &way, Outcome::Failed, now);
            }
            (What::Mail(place), _) => self.mail_ended(place, &way, &Outcome::Failed, now),
            (What::Over, _) => {}
        }
    }

    fn live_ended(&mut self, live: Live, way: &Way, outcome: Outcome, now: Timestamp) {
        match (outcome, way) {
            // A further relay that does not know the recipient either, or cannot.
            (Outcome::Answered(answer), Way::Relay(index)) if answer.status != 200 => {
                match self.relay_after(&live, Some(*index)) {
                    Some(way) => self.go(live, Some(way), now),
                    None => self.answer((live.ticket, live.header.id), answer, false),
                }
            }
            (Outcome::Answered(answer), Way::Http(_)) if is_to_come_again(answer.status) => {
                self.base_failed(&live.header.recipient, now);
                self.keep(live, false, now);
            }
            (Outcome::Answered(answer), _) => {
                self.answer((live.ticket, live.header.id), answer, false);
            }
            (Outcome::Failed, Way::Connection(connection)) => {
                // It may have arrived; a connection that has ended brings everything back.
                let is_sent = self.is_of(&live.header.recipient, *connection, now);
                self.keep(live, is_sent, now);
            }
            (Outcome::Failed, Way::Http(_)) => {
                self.base_failed(&live.header.recipient, now);
                self.keep(live, false, now);
            }
            (Outcome::Failed, Way::Relay(index)) => {
                let way = self.relay_after(&live, Some(*index));
                self.go(live, way, now);
            }
        }
    }

    fn is_of(&self, recipient: &PublicKey, connection: ConnectionId, now: Timestamp) -> bool {
        self.book.connection(recipient, now) == Some(connection)
    }

    /// Ends everything that is on its way over a connection.
    pub(super) fn bring_back(&mut self, connection: ConnectionId, now: Timestamp) {
        let way = Way::Connection(connection);
        let over = self.attempts.iter().filter(|(_, attempt)| attempt.way == way);
        let over: Vec<_> = over.map(|(id, _)| *id).collect();
        for attempt in over {
            if let Some((what, way)) = self.decide(attempt) {
                self.ended(what, &way, Outcome::Failed, now);
            }
        }
    }

    fn mail_ended(&mut self, place: Place, way: &Way, outcome: &Outcome, now: Timestamp) {
        match (way, outcome) {
            // It acknowledges by itself; and a connection that broke brings everything back. What found no room on a
            // connection that stays is on its way, too, as far as is known here, and waits for the next registration.
            (Way::Connection(_), _) => {}
            (Way::Http(_) | Way::Relay(_), Outcome::Answered(answer))
                if !is_to_come_again(answer.status) =>
            {
                self.again.remove(&place.0);
                self.drop_mail(place, now);
                self.pump(&place.0, now);
            }
            (Way::Http(_) | Way::Relay(_), Outcome::Answered(_) | Outcome::Failed) => {
                self.mail.all_back(&place.0);
                self.base_failed(&place.0, now);
            }
        }
    }

    fn base_failed(&mut self, recipient: &PublicKey, now: Timestamp) {
        let failures = self.again.get(recipient).map_or(0, |(_, failures)| *failures);
        let pause = AGAIN_MIN.saturating_mul(1 << failures.min(16)).min(AGAIN_MAX);
        self.again.insert(*recipient, (now.plus(pause), failures.saturating_add(1)));
    }

    /// The first of the ways that there is; behind mail that waits there is none.
    fn first_way(&self, live: &Live, now: Timestamp) -> Option<Way> {
        let recipient = &live.header.recipient;
        if self.mail.has_waiting(recipient) {
            return None;
        }
        if let Some(connection) = self.book.connection(recipient, now) {
            return Some(Way::Connection(connection));
        }
        match self.bases.get(recipient) {
            Some(_) if self.again.contains_key(recipient) => None,
            Some(base) => Some(Way::Http(base.clone())),
            None => self.relay_after(live, None),
        }
    }

    /// The next relay to ask. For a recipient of our own none is: it would only come back here, be taken for seen, and so
    /// be answered as if somebody had it.
    fn relay_after(&self, live: &Live, asked: Option<usize>) -> Option<Way> {
        let next = asked.map_or(0, |asked| asked + 1);
        let may =
            !live.is_known && live.header.hops < forward::HOPS_MAX && next < self.config.relays;
        may.then_some(Way::Relay(next))
    }

    /// Sends a message on this way, or keeps it.
    fn go(&mut self, live: Live, way: Option<Way>, now: Timestamp) {
        let bytes = forward::HEADER_LEN + live.message.len();
        match way.filter(|_| self.under_way.has_room(bytes, self.config.under_way)) {
            Some(way) => {
                let (header, message) = (live.header, live.message.clone());
                self.attempt(What::Live(live), way, (header, message), now);
            }
            None => self.keep(live, false, now),
        }
    }

    fn attempt(
        &mut self,
        what: What,
        way: Way,
        (header, message): (Header, Bytes),
        now: Timestamp,
    ) {
        self.last += 1;
        let attempt = AttemptId(self.last);
        let patience = match way {
            Way::Connection(_) => self.config.answer_timeout,
            Way::Http(_) | Way::Relay(_) => POST_TIMEOUT,
        };
        let timeout_at = now.plus(patience);
        // What has passed as many as may be reaches its recipient, and no further relay.
        let header = Header { hops: (header.hops + 1).min(forward::HOPS_MAX), ..header };
        self.timeouts.insert((timeout_at, attempt));
        let is_live = matches!(what, What::Live(_));
        let live_bytes = is_live.then_some(forward::HEADER_LEN + message.len());
        if let Some(bytes) = live_bytes {
            self.under_way.add(bytes);
            self.live.insert(header.id, attempt);
        }
        self.attempts.insert(attempt, Attempt { what, way: way.clone(), timeout_at, live_bytes });
        self.outputs.push_back(Output::Send { attempt, way, header, message });
    }

    /// Keeps a message at the place of its arrival, and answers so. `is_sent`: it went over the connection of now already.
    fn keep(&mut self, live: Live, is_sent: bool, now: Timestamp) {
        let Live { ticket, header, message, sender, is_known, is_acknowledged } = live;
        if is_acknowledged {
            return self.answer((ticket, header.id), stored(), false);
        }
        if !is_known {
            return self.answer((ticket, header.id), refused(ErrorCode::UnknownRecipient), false);
        }
        let expires_at = now.plus(self.config.mail_lifetime);
        // Its id names mail that is here: it is that mail, and its acknowledgement would be one for both.
        if self.mail.find(&header.recipient, header.id).is_some() {
            return self.answer((ticket, header.id), stored(), true);
        }
        let mail = Mail { header, message, sender, expires_at };
        if !self.mail.has_room(&mail, &self.config) {
            return self.answer((ticket, header.id), refused(ErrorCode::ServiceUnavailable), false);
        }
        let place = (header.recipient, ticket.0);
        self.writes.push(kept::write_mail(place, &mail));
        self.mail.insert(place.1, mail);
        if is_sent {
            self.mail.mark_sent(place);
        }
        self.answer((ticket, header.id), stored(), true);
        self.pump(&place.0, now);
    }

    /// Sends the mail of a recipient that can be reached.
    pub(super) fn pump(&mut self, recipient: &PublicKey, now: Timestamp) {
        let connection = self.book.connection(recipient, now).map(Way::Connection);
        let is_due = self.again.get(recipient).is_none_or(|(at, _)| *at == Timestamp::MAX);
        let base = self.bases.get(recipient).filter(|_| is_due).cloned().map(Way::Http);
        let most = if connection.is_some() { MAIL_UNDER_WAY_MAX } else { 1 };
        let Some(way) = connection.or(base) else { return };
        while let Some((number, mail)) = self.mail.next(recipient, most) {
            let parcel = (mail.header, mail.message.clone());
            self.attempt(What::Mail((*recipient, number)), way.clone(), parcel, now);
        }
    }

    /// Answers whoever brought the message of this id.
    fn answer(&mut self, (ticket, id): (Ticket, ForwardId), answer: Answer, rests_on_disk: bool) {
        if answer.status == 200 {
            self.seen.take(id);
        }
        self.outputs.push_back(Output::Answer { ticket, answer, rests_on_disk });
    }
}

/// Whether a base is itself somebody's mailbox at a relay. What is posted there may come back, and by HTTP neither hops nor
/// ids would end that.
///
/// Source: `docs/protocol/1.1.md#relay`.
pub(super) fn is_mailbox(base: &str) -> bool {
    let base = base.trim_end_matches('/');
    let mut segments = base.rsplit('/');
    let (last, before) = (segments.next(), segments.next());
    let is_key = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    last.is_some_and(is_key) && before.is_some_and(|text| text.eq_ignore_ascii_case("relay"))
}

/// Too many, or not able at the moment: the same message may pass later.
fn is_to_come_again(status: u16) -> bool {
    status == 429 || status >= 500
}

fn refused(code: ErrorCode) -> Answer {
    let Reply { status, body, .. } = Reply::error(code);
    Answer { status, body: body.into() }
}

/// Source: `docs/protocol/1.1.md#relay`.
fn stored() -> Answer {
    Answer { status: 200, body: Bytes::from_static(br#"{"status":"stored"}"#) }
}

fn seen() -> Answer {
    Answer { status: 200, body: Bytes::from_static(br#"{"status":"seen"}"#) }
}
