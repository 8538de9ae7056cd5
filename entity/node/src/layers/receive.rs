//! What comes over a connection.

use std::iter::Peekable;
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec;

use bytes::Bytes;
use entity_peer::PeerName;
use entity_transport::http::Answer;
use entity_transport::ws::{
    Answers, Connection, Incoming, Outcome, Passage, Receiver, Settled, Verdict,
};
use entity_wire::code::ErrorCode;
use entity_wire::reply::Reply;
use entity_wire::socket::BinaryKind;

use super::name_of;
use crate::node::{Node, Origin, WeakNode};

/// Takes what comes over one connection.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The connection must not keep the node alive.
    node: WeakNode,
    /// Whom we dialled.
    dialled: Option<PeerName>,
    /// Whether it is known whose the connection is.
    is_known: AtomicBool,
    /// Whether a message came, or was answered.
    has_carried: AtomicBool,
}

impl Socket {
    /// Of a connection that somebody else opened.
    pub(crate) fn accepted(node: WeakNode) -> Self {
        Self {
            node,
            dialled: None,
            is_known: AtomicBool::new(false),
            has_carried: AtomicBool::new(false),
        }
    }

    /// Of a connection to a relay. Whoever a message is of that is shown on it, the connection is the relay's: who has it may
    /// show what others have not read yet, and would be their way.
    pub(crate) fn of_relay(node: WeakNode) -> Self {
        Self { is_known: AtomicBool::new(true), ..Self::accepted(node) }
    }

    /// Of a connection that we open to `peer`.
    pub(super) fn dialled(node: WeakNode, peer: PeerName) -> Self {
        Self {
            node,
            dialled: Some(peer),
            is_known: AtomicBool::new(true),
            has_carried: AtomicBool::new(false),
        }
    }

    /// Notes that the connection was good for something: a message came, or was answered.
    fn note_carried(&self, node: &Node, connection: &Connection) {
        if !self.has_carried.swap(true, Ordering::Relaxed) {
            node.layers().table().router.handle_carried(name_of(connection));
        }
    }

    /// The connection, where it is not known yet whose it is.
    fn unknown<'a>(&'a self, connection: &'a Connection) -> Option<Unknown<'a>> {
        let is_known = self.is_known.load(Ordering::Relaxed);
        (!is_known).then_some(Unknown { socket: self, connection })
    }
}

/// A connection of which it is not known yet whose it is.
struct Unknown<'a> {
    socket: &'a Socket,
    connection: &'a Connection,
}

impl Origin for Unknown<'_> {
    fn heard_of(&self, node: &Node, peer: &PeerName) {
        self.socket.is_known.store(true, Ordering::Relaxed);
        self.connection.belongs_to(peer.as_str());
        let (now, of_peer) = (node.now(), (peer.as_str(), false));
        // Under the lock of the peer: what comes of it is carried out with the next input.
        node.layers().table().router.handle_connected(name_of(self.connection), of_peer, now);
        node.layers().changed.notify_waiters();
    }
}

fn verdict(reply: Reply) -> Verdict {
    match reply.status {
        200 => Verdict::Accepted,
        _ => Verdict::Refused(Answer::from(reply)),
    }
}

/// The frames at the beginning of what is left of a batch.
fn leading_frames(batch: &mut Peekable<vec::IntoIter<Incoming>>) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let is_frame = |message: &Incoming| matches!(message, Incoming::Binary(bytes) if BinaryKind::of(bytes) == BinaryKind::Frame);
    while let Some(Incoming::Binary(frame)) = batch.next_if(is_frame) {
        frames.push(frame);
    }
    frames
}

/// The envelopes at the beginning of what is left of a batch.
fn leading_texts(batch: &mut Peekable<vec::IntoIter<Incoming>>) -> Vec<Bytes> {
    let mut texts = Vec::new();
    let is_text = |message: &Incoming| matches!(message, Incoming::Text(_));
    while let Some(Incoming::Text(text)) = batch.next_if(is_text) {
        texts.push(text);
    }
    texts
}

/// What becomes of a message that is not for this node, or that nobody knows.
fn foreign(node: &Node, connection: &Connection, bytes: Bytes) -> Verdict {
    match BinaryKind::of(&bytes) {
        BinaryKind::Forward => {
            let relay = node.layers().table().relay.clone();
            match relay {
                Some(relay) => relay.forwarded(connection, bytes),
                None => refused(ErrorCode::UnknownRecipient),
            }
        }
        BinaryKind::Frame | BinaryKind::Unknown | BinaryKind::Notice | BinaryKind::Control => {
            refused(ErrorCode::InvalidMessage)
        }
    }
}

fn refused(code: ErrorCode) -> Verdict {
    Verdict::Refused(Reply::error(code).into())
}

impl Receiver for Socket {
    fn opened(&self, connection: &Connection) {
        let Some(node) = self.node.upgrade() else { return connection.close() };
        let now = node.now();
        let relay = node.routed(|table| {
            table.opened(connection);
            if let Some(peer) = &self.dialled {
                connection.belongs_to(peer.as_str());
                let of_peer = (peer.as_str(), true);
                table.router.handle_connected(name_of(connection), of_peer, now);
            }
            table.relay.clone()
        });
        node.layers().changed.notify_waiters();
        if let Some(relay) = relay {
            relay.opened(connection);
        }
    }

    fn receive(&self, connection: &Connection, batch: Vec<Incoming>) -> Answers {
        let Some(node) = self.node.upgrade() else { return Answers::default() };
        self.note_carried(&node, connection);
        let mut answers = Answers::default();
        let mut rests_on = None;
        let mut batch = batch.into_iter().peekable();
        while batch.peek().is_some() {
            let frames = leading_frames(&mut batch);
            if !frames.is_empty() {
                let unknown = self.unknown(connection);
                let unknown = unknown.as_ref().map(|end| end as &dyn Origin);
                let (replies, passage) = node.judge_frames(&frames, unknown);
                answers.verdicts.extend(replies.into_iter().map(verdict));
                // What is durable last has everything before it durable, too.
                rests_on = passage.or(rests_on);
            }
            let texts = leading_texts(&mut batch);
            if !texts.is_empty() {
                let unknown = self.unknown(connection);
                let unknown = unknown.as_ref().map(|end| end as &dyn Origin);
                let (replies, passage) = node.judge_texts(&texts, unknown);
                answers.verdicts.extend(replies.into_iter().map(verdict));
                rests_on = passage.or(rests_on);
            }
            let is_foreign = |message: &Incoming| matches!(message, Incoming::Binary(bytes) if BinaryKind::of(bytes) != BinaryKind::Frame);
            if let Some(Incoming::Binary(bytes)) = batch.next_if(is_foreign) {
                answers.verdicts.push(foreign(&node, connection, bytes));
            }
        }
        answers.rests_on = rests_on.map(|passage| -> Passage {
            Box::pin(
                async move { if passage.await.is_ok() { Settled::Kept } else { Settled::Lost } },
            )
        });
        answers
    }

    fn control(&self, connection: &Connection, object: Bytes) {
        let relay = self.node.upgrade().and_then(|node| node.layers().table().relay.clone());
        if let Some(relay) = relay {
            relay.control(connection, object);
        }
    }

    fn outcomes(&self, connection: &Connection, outcomes: Vec<(u64, Outcome)>) {
        let Some(node) = self.node.upgrade() else { return };
        if outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Answered(_))) {
            self.note_carried(&node, connection);
        }
        node.take_outcomes(outcomes);
    }

    fn closed(&self, connection: &Connection) {
        let Some(node) = self.node.upgrade() else { return };
        let now = node.now();
        let relay = node.routed(|table| {
            table.closed(connection, now);
            table.relay.clone()
        });
        node.layers().changed.notify_waiters();
        if let Some(relay) = relay {
            relay.closed(connection);
        }
    }
}
