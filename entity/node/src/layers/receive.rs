//! What comes over a connection.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use entity_peer::PeerName;
use entity_transport::http::Answer;
use entity_transport::ws::{
    Answers, Connection, Incoming, Outcome, Passage, Receiver, Settled, Verdict,
};
use entity_wire::code::ErrorCode;
use entity_wire::reply::Reply;
use entity_wire::socket::BinaryKind;

use crate::node::{Judged, Node, WeakNode};

/// Takes what comes over one connection.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The connection must not keep the node alive.
    node: WeakNode,
    /// Whom we dialled.
    dialled: Option<PeerName>,
    /// Whether it is known whose the connection is.
    is_known: AtomicBool,
}

impl Socket {
    /// Of a connection that somebody else opened.
    pub(crate) fn accepted(node: WeakNode) -> Self {
        Self { node, dialled: None, is_known: AtomicBool::new(false) }
    }

    /// Of a connection that we open to `peer`.
    pub(super) fn dialled(node: WeakNode, peer: PeerName) -> Self {
        Self { node, dialled: Some(peer), is_known: AtomicBool::new(true) }
    }

    /// What becomes of one message, and what its answer rests on.
    fn take(
        &self,
        node: &Node,
        connection: &Connection,
        message: Incoming,
    ) -> (Verdict, Option<crate::node::Passage>) {
        let judged = match message {
            Incoming::Text(body) => node.judge(&body, self.unknown(connection)),
            Incoming::Binary(bytes) if BinaryKind::of(&bytes) == BinaryKind::Frame => {
                node.judge_frame(&bytes, self.unknown(connection))
            }
            Incoming::Binary(bytes) => return (foreign(node, connection, bytes), None),
        };
        let Judged { reply, passage } = judged;
        let verdict = match reply.status {
            200 => Verdict::Accepted,
            _ => Verdict::Refused(Answer::from(reply)),
        };
        (verdict, passage)
    }

    /// The connection, where it is not known yet whose it is.
    fn unknown<'a>(&'a self, connection: &'a Connection) -> Option<(&'a Self, &'a Connection)> {
        (!self.is_known.load(Ordering::Relaxed)).then_some((self, connection))
    }

    /// Notes that an accepted message was of this peer.
    pub(crate) fn heard_of(&self, node: &Node, connection: &Connection, peer: &PeerName) {
        self.is_known.store(true, Ordering::Relaxed);
        node.layers().table().belongs(connection, peer);
        node.layers().changed.notify_waiters();
    }
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
        let relay = {
            let mut table = node.layers().table();
            table.opened(connection);
            if let Some(peer) = &self.dialled {
                table.belongs(connection, peer);
            }
            table.relay.clone()
        };
        node.layers().changed.notify_waiters();
        if let Some(relay) = relay {
            relay.opened(connection);
        }
    }

    fn receive(&self, connection: &Connection, batch: Vec<Incoming>) -> Answers {
        let Some(node) = self.node.upgrade() else { return Answers::default() };
        let mut answers = Answers::default();
        let mut rests_on = None;
        for message in batch {
            let (verdict, passage) = self.take(&node, connection, message);
            answers.verdicts.push(verdict);
            // What is durable last has everything before it durable, too.
            rests_on = passage.or(rests_on);
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

    fn outcomes(&self, _: &Connection, outcomes: Vec<(u64, Outcome)>) {
        if let Some(node) = self.node.upgrade() {
            node.take_outcomes(outcomes);
        }
    }

    fn closed(&self, connection: &Connection) {
        let Some(node) = self.node.upgrade() else { return };
        let relay = {
            let mut table = node.layers().table();
            table.closed(connection);
            table.relay.clone()
        };
        node.layers().changed.notify_waiters();
        if let Some(relay) = relay {
            relay.closed(connection);
        }
    }
}
