//! What both protocol versions share.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_flaw::{Flaw, planted};
use entity_journal::{Batch, Stored, Write};
use entity_session::v1_1::session::ChunkData;
use entity_wire::code::ErrorCode;
use entity_wire::id::{MessageId, SessionId};
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk::TransferId;
use entity_wire::payload::dht::RequestId;
use entity_wire::payload::task::Capability;
use entity_wire::reply::Answer;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::capabilities;
use crate::command::{self, CommandError, CommandId, CommandResult, Receipt};
use crate::config::Config;
use crate::durable::Place;
use crate::inbox::{Inbox, Seen};
use crate::name::PeerName;
use crate::outbox::{Attempts, Outbox, Outcome, Parcel};
use crate::output::{About, Output, PeerEvent, Received, Request};
use crate::restore::RestoreError;
use crate::roster::{Origin, Roster};
use crate::routing::{destination, feature};
use crate::v1_0;
use crate::v1_1;
use crate::view::{CircuitState, Role, SessionName};

/// Everything of a peer that is not the state of one version.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) key: SigningKey,
    pub(crate) public_key: PublicKey,
    pub(crate) entropy: Entropy,
    pub(crate) clock_offset_us: i64,
    pub(crate) roster: Roster,
    pub(crate) outbox: Outbox<Purpose>,
    pub(crate) inbox: Inbox,
    pub(crate) seen: Seen,
    /// What tasks we are able to do.
    pub(crate) able: BTreeSet<Capability>,
    pub(crate) queries: VecDeque<Query>,
    pub(crate) outputs: VecDeque<Output>,
    /// What the input at hand wants kept.
    batch: Batch,
    news: VecDeque<News>,
    /// No peer is to be asked for a sign of life before; there need not be one then. With it an input need not look at every peer.
    pub(crate) probe_from: Option<Timestamp>,
}

/// What the outcome of a parcel means.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A liveness probe.
    Health,
    /// A message of protocol 1.0.
    V1_0(v1_0::Purpose),
    /// A message of protocol 1.1.
    V1_1(v1_1::Purpose),
}

/// Why a message is sent, which is who wants to hear of its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A [`crate::command::Command::Send`].
    Send(CommandId),
    /// A [`crate::command::Command::Ping`], sent at this time.
    Ping(CommandId, Timestamp),
    /// A [`crate::command::Command::QueryCapabilities`]; its end is the answering message.
    Query(CommandId),
    /// An answer to a message; nobody waits.
    Answer,
    /// A question of a feature that asks again by itself; nobody waits.
    Question,
    /// A message of a chunked transfer.
    Transfer(TransferId, Part),
    /// A piece of a message of 1.0.
    Piece(u64),
    /// A heartbeat.
    Heartbeat,
    /// A [`crate::command::Command::Wake`]; its end is the acknowledgement.
    Wake(CommandId),
    /// An attempt to send a durable message, which are counted.
    Durable(MessageId, u32),
    /// A question of the table to a node.
    Dht(RequestId),
}

/// Which message of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its offer.
    Init,
    /// A chunk.
    Chunk(u32),
    /// What its receiver says, or its end.
    Answer,
}

/// A capability query that is not answered yet.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) command: CommandId,
    pub(crate) peer: PeerName,
    pub(crate) deadline: Timestamp,
}

/// What a version module tells the rest of the peer.
#[derive(Debug)]
pub(crate) enum News {
    /// A session is ready.
    Ready { id: SessionName, peer: PeerName, version: Version, role: Role },
    /// A session has resumed.
    Resumed { id: SessionName, peer: PeerName, generation: u16 },
    /// A handshake that we opened failed.
    OpenFailed { peer: PeerName, version: Version, error: CommandError },
    /// A session came to its end by itself, or the peer does not know it.
    Gone { peer: PeerName },
    /// A session of 1.1 is not held any more.
    Ended { session: SessionId, peer: PeerName },
    /// A message for a feature was accepted.
    Message(Received),
    /// A chunk was accepted that came as bytes.
    Chunk { from: PeerName, chunk: ChunkData },
    /// A message that a feature sent under a reason of its own came to its end.
    Finished(Reason, Result<Receipt, CommandError>),
    /// A feature wants a message sent.
    Send(Reason, command::Send),
    /// A durable message is to be sent again under its number.
    Resend(Reason, Place, command::Send),
    /// A durable message got its number.
    Numbered { id: MessageId, place: Place },
    /// A message of a peer was accepted.
    Heard { peer: PeerName },
    /// A peer that could not be reached may be reached again.
    Reachable { peer: PeerName },
    /// A peer that nobody named is to be forgotten, unless something of it is still needed.
    Forget { peer: PeerName },
    /// A message is too large for one envelope of 1.1: these are the bytes of its body.
    Oversized { reason: Reason, to: PeerName, kind: MessageKind, body: Vec<u8> },
}

impl Purpose {
    /// Says whether it is a message of the peer that brings this about, and not a decision of ours.
    fn is_answer(&self) -> bool {
        match self {
            Self::V1_0(v1_0::Purpose::Message { reason, .. })
            | Self::V1_1(v1_1::Purpose::Message { reason, .. }) => {
                matches!(reason, Reason::Answer | Reason::Transfer(_, Part::Answer))
            }
            Self::V1_0(v1_0::Purpose::Ack { .. })
            | Self::V1_1(v1_1::Purpose::Repeat { .. } | v1_1::Purpose::Control) => true,
            Self::V1_1(v1_1::Purpose::Step { kind, .. }) => *kind != MessageKind::HandshakeInit,
            Self::Health
            | Self::V1_0(v1_0::Purpose::Handshake { .. } | v1_0::Purpose::Confirm { .. })
            | Self::V1_1(v1_1::Purpose::Resume { .. }) => false,
        }
    }

    /// Says what it is about, for whoever chooses its way.
    fn about(&self) -> About {
        match self {
            Self::Health => About::Life,
            Self::V1_0(v1_0::Purpose::Handshake { .. })
            | Self::V1_1(v1_1::Purpose::Step { kind: MessageKind::HandshakeInit, .. }) => {
                About::Begins
            }
            Self::V1_0(v1_0::Purpose::Message { reason, .. })
            | Self::V1_1(v1_1::Purpose::Message { reason, .. }) => match reason {
                Reason::Durable(id, _) => About::Durable(*id),
                Reason::Heartbeat => About::Life,
                Reason::Send(_)
                | Reason::Ping(..)
                | Reason::Query(_)
                | Reason::Answer
                | Reason::Question
                | Reason::Transfer(..)
                | Reason::Piece(_)
                | Reason::Wake(_)
                | Reason::Dht(_) => About::Other,
            },
            Self::V1_0(v1_0::Purpose::Ack { .. } | v1_0::Purpose::Confirm { .. })
            | Self::V1_1(
                v1_1::Purpose::Step { .. }
                | v1_1::Purpose::Resume { .. }
                | v1_1::Purpose::Repeat { .. }
                | v1_1::Purpose::Control,
            ) => About::Other,
        }
    }

    /// Returns why a message is sent, to change; `None` for what no command waits for.
    fn reason_mut(&mut self) -> Option<&mut Reason> {
        match self {
            Self::V1_0(v1_0::Purpose::Message { reason, .. })
            | Self::V1_1(v1_1::Purpose::Message { reason, .. }) => Some(reason),
            Self::Health | Self::V1_0(_) | Self::V1_1(_) => None,
        }
    }
}

impl Reason {
    /// Returns the command that waits, or `None` where nobody does.
    pub(crate) fn command(self) -> Option<CommandId> {
        match self {
            Self::Send(command)
            | Self::Ping(command, _)
            | Self::Query(command)
            | Self::Wake(command) => Some(command),
            Self::Answer
            | Self::Question
            | Self::Heartbeat
            | Self::Durable(..)
            | Self::Dht(..)
            | Self::Transfer(..)
            | Self::Piece(_) => None,
        }
    }
}

impl Core {
    /// Puts a configuration, a key, a seed and what was kept together.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        config: Config,
        key: SigningKey,
        seed: [u8; 32],
        stored: &mut Stored,
    ) -> Result<Self, RestoreError> {
        let limits = &config.limits;
        Ok(Self {
            public_key: key.public_key(),
            key,
            entropy: Entropy::from_seed(seed),
            clock_offset_us: 0,
            roster: Roster::restore(stored, limits.peers_max)?,
            outbox: Outbox::new(limits.deliveries_max),
            inbox: Inbox::restore(stored, limits.inbox_messages_max, limits.inbox_bytes_max)?,
            seen: Seen::restore(stored)?,
            able: capabilities::restore(stored)?,
            queries: VecDeque::new(),
            outputs: VecDeque::new(),
            batch: Batch::default(),
            news: VecDeque::new(),
            probe_from: None,
            config,
        })
    }

    /// Returns the time to stamp on messages and to check theirs against.
    pub(crate) fn wall(&self, now: Timestamp) -> Timestamp {
        now.offset(self.clock_offset_us)
    }

    /// Queues an event.
    pub(crate) fn event(&mut self, event: PeerEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Ends a command.
    pub(crate) fn done(&mut self, command: CommandId, result: Result<CommandResult, CommandError>) {
        self.outputs.push_back(Output::Done { command, result });
    }

    /// Queues any output.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Wants something kept, together with everything else that this input wants kept.
    pub(crate) fn persist(&mut self, write: Write) {
        self.batch.push(write);
    }

    /// Takes a peer out of the roster, and what is remembered of its messages with it.
    pub(crate) fn forget_peer(&mut self, peer: &PeerName) {
        self.seen.forget(peer, &mut self.batch);
        if let Some(write) = self.roster.remove(peer) {
            self.batch.push(write);
        }
    }

    /// Says whether a WebSocket leads to a peer: both sides have agreed on them, or nothing else leads there.
    pub(crate) fn has_socket(&self, peer: &PeerName) -> bool {
        let entry = self.roster.get(peer.as_str());
        entry.is_some_and(|entry| entry.takes_sockets || entry.address.starts_with("ws://"))
    }

    /// Puts a peer that nobody configured into the roster; says whether there was room.
    pub(crate) fn add_stranger(&mut self, peer: &PeerName, address: String, came: Origin) -> bool {
        let added = self.roster.add(peer.clone(), address, None, came).is_ok();
        if added {
            self.keep_peer(peer);
        }
        added
    }

    /// Takes the address that a peer named in a completed handshake, where nobody configured another one.
    pub(crate) fn note_address(&mut self, peer: &PeerName, address: Option<String>) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        if let Some(address) = address.filter(|address| *address != entry.address)
            && entry.came != Origin::Operator
        {
            entry.address = address;
            self.keep_peer(peer);
        }
    }

    /// Keeps what the roster knows of a peer.
    pub(crate) fn keep_peer(&mut self, peer: &PeerName) {
        if let Some(write) = self.roster.record(peer) {
            self.batch.push(write);
        }
    }

    /// Takes the next output. What is to be kept comes first: whatever else an input brought about may rest on it.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if self.batch.is_empty() {
            return self.outputs.pop_front();
        }
        Some(Output::Persist(std::mem::take(&mut self.batch)))
    }

    /// Tells the rest of the peer something.
    pub(crate) fn tell(&mut self, news: News) {
        self.news.push_back(news);
    }

    /// Takes the next piece of news.
    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Posts a message to a peer of the roster.
    ///
    /// # Errors
    ///
    /// The peer is unknown, or too much is under way.
    pub(crate) fn post(
        &mut self,
        peer: &PeerName,
        body: Bytes,
        attempts: Attempts,
        purpose: Purpose,
    ) -> Result<(), CommandError> {
        self.post_to(peer, None, (Request::Message(body), attempts), purpose)
    }

    /// Posts a message to a peer at its address in the roster, else at `address`.
    ///
    /// # Errors
    ///
    /// No address is known, or too much is under way.
    pub(crate) fn post_to(
        &mut self,
        peer: &PeerName,
        address: Option<&str>,
        (request, attempts): (Request, Attempts),
        purpose: Purpose,
    ) -> Result<(), CommandError> {
        let mut entry = self.roster.get_mut(peer.as_str());
        let configured = entry.as_ref().map(|entry| entry.address.as_str());
        let Some(address) = configured.or(address) else {
            return Err(CommandError::UnknownPeer { name: peer.clone() });
        };
        let parcel = Parcel {
            peer: peer.clone(),
            address: address.to_owned(),
            takes_sockets: entry.as_ref().is_some_and(|entry| entry.takes_sockets),
            key: entry.as_ref().and_then(|entry| entry.key),
            is_named: entry.as_ref().is_some_and(|entry| entry.came == Origin::Operator),
            about: purpose.about(),
            request,
            attempts,
            is_answer: purpose.is_answer(),
            purpose,
        };
        match self.outbox.queue(parcel) {
            Ok(transmit) => {
                if let Some(entry) = &mut entry {
                    entry.stats.messages_sent += 1;
                }
                self.outputs.push_back(Output::Transmit(transmit));
                Ok(())
            }
            Err(_) => Err(CommandError::Overloaded { limit: "deliveries_max" }),
        }
    }

    /// Counts one attempt more as a message.
    pub(crate) fn count_attempt(&mut self, peer: &PeerName) {
        if let Some(entry) = self.roster.get_mut(peer.as_str()) {
            entry.stats.messages_sent += 1;
        }
    }

    /// Writes the outcome of a message to a peer into its counters.
    pub(crate) fn count_outcome(&mut self, peer: &PeerName, outcome: &Outcome, now: Timestamp) {
        let wall = self.wall(now);
        let failures_max = self.config.circuit_failures_max.max(1);
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        if is_reached(outcome) {
            entry.circuit.succeeded();
        } else {
            entry.circuit.failed(failures_max, now, &mut self.entropy);
        }
        let stats = &mut entry.stats;
        match outcome {
            Outcome::Accepted => {
                stats.deliveries_successful += 1;
                stats.last_seen = Some(wall);
            }
            Outcome::Refused { .. } | Outcome::Unreachable { .. } => {
                stats.deliveries_failed += 1;
                stats.last_error = refusal(outcome).map(|error| error.to_string());
            }
        }
    }

    /// Ends whatever waited for a message that was sent, or could not be.
    pub(crate) fn finish_send(
        &mut self,
        reason: Reason,
        result: Result<Receipt, CommandError>,
        now: Timestamp,
    ) {
        match (reason, result) {
            (Reason::Send(command), Ok(receipt)) => {
                self.done(command, Ok(CommandResult::Sent(receipt)));
            }
            (Reason::Ping(command, sent_at), Ok(_)) => {
                self.done(command, Ok(CommandResult::RoundTrip(now.since(sent_at))));
            }
            (Reason::Query(command), Err(error)) => {
                // A query that ran into its time limit has had its end already.
                if self.forget_query(command) {
                    self.done(command, Err(error));
                }
            }
            (Reason::Send(command) | Reason::Ping(command, _), Err(error)) => {
                self.done(command, Err(error));
            }
            (Reason::Query(_), Ok(_))
            | (Reason::Answer | Reason::Question | Reason::Heartbeat, _) => {}
            (
                reason @ (Reason::Durable(..)
                | Reason::Dht(..)
                | Reason::Wake(_)
                | Reason::Transfer(..)
                | Reason::Piece(_)),
                result,
            ) => {
                self.tell(News::Finished(reason, result));
            }
        }
    }

    /// Ends a command that waits for an answer, and says whether there was one. What was sent for it stays sent.
    pub(crate) fn cancel(&mut self, command: CommandId) -> bool {
        let mut found = self.forget_query(command);
        for reason in self.outbox.purposes_mut().filter_map(Purpose::reason_mut) {
            if reason.command() == Some(command) {
                *reason = Reason::Answer;
                found = true;
            }
        }
        found
    }

    /// Forgets a capability query; says whether it was still waited for.
    fn forget_query(&mut self, command: CommandId) -> bool {
        let count = self.queries.len();
        self.queries.retain(|query| query.command != command);
        self.queries.len() < count
    }

    /// Ends the capability queries that were not answered in time.
    pub(crate) fn expire_queries(&mut self, now: Timestamp) {
        while let Some(query) = self.queries.pop_front_if(|query| query.deadline <= now) {
            let error = CommandError::TimedOut { what: "the capabilities" };
            self.done(query.command, Err(error));
        }
    }

    /// Returns when something of this is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let query = self.queries.front().map(|query| query.deadline);
        [self.outbox.next_deadline(), query, self.next_probe()].into_iter().flatten().min()
    }

    /// Hands an accepted message to its feature, or keeps it in the inbox and says so.
    ///
    /// A durable message that came before, in whichever session, ends here.
    pub(crate) fn deliver(&mut self, received: Received, len_bytes: usize) {
        if let Some(id) = received.durable
            && !self.seen.note(&received.from, id, &mut self.batch)
            && !planted(Flaw::HandlesMovedAgain)
        {
            return;
        }
        let (is_kept, is_handled) = destination(feature(&received.kind));
        if is_handled {
            self.tell(News::Message(received.clone()));
        }
        if is_kept {
            if planted(Flaw::DeliversDurableTwice) && received.durable.is_some() {
                self.keep(received.clone(), len_bytes);
            }
            self.keep(received, len_bytes);
        }
    }

    /// Keeps an accepted message in the inbox and says so.
    pub(crate) fn keep(&mut self, received: Received, len_bytes: usize) {
        let received = self.inbox.keep(received, len_bytes, &mut self.batch);
        self.event(PeerEvent::MessageReceived(received));
    }

    /// Counts an accepted message of a peer.
    pub(crate) fn count_received(&mut self, peer: &PeerName, now: Timestamp) {
        let wall = self.wall(now);
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        entry.stats.messages_received += 1;
        entry.stats.last_seen = Some(wall);
        self.tell(News::Heard { peer: peer.clone() });
        self.note_reachable(peer, now);
        self.note_alive(peer);
    }

    /// Lets what waits for a peer that could not be reached be tried at once.
    pub(crate) fn note_reachable(&mut self, peer: &PeerName, now: Timestamp) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        if entry.circuit.heard(now) {
            self.tell(News::Reachable { peer: peer.clone() });
        }
    }

    /// Lets a delivery to a peer through, or says how long nothing is to be tried.
    ///
    /// # Errors
    ///
    /// Its circuit is open; when that may change.
    pub(crate) fn admit(&mut self, peer: &PeerName, now: Timestamp) -> Result<(), Duration> {
        match self.roster.get_mut(peer.as_str()) {
            Some(entry) => entry.circuit.admit(now),
            None => Ok(()),
        }
    }

    /// Says whether deliveries to a peer are tried without restraint.
    pub(crate) fn is_closed(&self, peer: &PeerName) -> bool {
        let entry = self.roster.get(peer.as_str());
        entry.is_none_or(|entry| entry.circuit.state() == CircuitState::Closed)
    }

    /// Pins a key shown by a completed handshake, and remembers which version it proved.
    pub(crate) fn prove(&mut self, peer: &PeerName, key: PublicKey, version: Version) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        let pinned = entry.pin_first_use(key);
        let is_news = entry.prove(version) || pinned;
        if is_news {
            self.keep_peer(peer);
        }
        if pinned {
            self.event(PeerEvent::KeyPinned { peer: peer.clone(), key });
        }
    }
}

/// Says whether there is somebody who answers. Whoever refuses a message does; whoever is broken or overloaded does not.
fn is_reached(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Accepted => true,
        Outcome::Refused { status, .. } => *status < 500,
        Outcome::Unreachable { .. } => false,
    }
}

/// Returns what an outcome means for a command, or `None` where it is a good one.
pub(crate) fn refusal(outcome: &Outcome) -> Option<CommandError> {
    match outcome {
        Outcome::Accepted => None,
        Outcome::Unreachable { kind } => Some(CommandError::Unreachable { kind: *kind }),
        Outcome::Refused { status, body } => {
            let answer = Answer::read(*status, body);
            let detail = answer.detail.unwrap_or_default();
            let code = answer.code.or_else(|| implied_code(&detail));
            Some(CommandError::Refused { status: *status, detail, code })
        }
    }
}

/// Returns the code that stands behind one of the fixed texts of 1.0.
///
/// Source: docs/protocol/1.0.md#error-texts
fn implied_code(detail: &str) -> Option<ErrorCode> {
    let beginning = |prefix: &str| detail.starts_with(prefix);
    Some(match detail {
        "Invalid JSON" | "Unknown message format" | "Handler error" => ErrorCode::InvalidMessage,
        "Missing signature" | "Invalid signature" => ErrorCode::InvalidSignature,
        "Unknown recipient" => ErrorCode::UnknownRecipient,
        "Timestamp too old" => ErrorCode::ExpiredTimestamp,
        "Replay detected" => ErrorCode::ReplayDetected,
        "SESSION_EXPIRED" => ErrorCode::SessionExpired,
        "SEQUENCE_ERROR" => ErrorCode::SequenceError,
        "Decryption failed" => ErrorCode::DecryptionFailed,
        "Message too large" => ErrorCode::MessageTooLarge,
        "Transfer refused" => ErrorCode::TransferRefused,
        "rate_limited" => ErrorCode::RateLimited,
        _ if beginning("Unsupported version: ") => ErrorCode::InvalidVersion,
        _ if beginning("Unknown sender: ") => ErrorCode::UnknownSender,
        _ if beginning("E2E decryption error: ") => ErrorCode::DecryptionFailed,
        _ if beginning("Signature verification error: ") => ErrorCode::InvalidMessage,
        _ if beginning("Missing required field: ") => ErrorCode::InvalidMessage,
        _ => return None,
    })
}
