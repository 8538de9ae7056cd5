//! The memberships at relays of this node: connecting, registering, mail for us.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use entity_bridge::member::{Member, Step};
use entity_bridge::route::{RefusedBy, RelayId, RelayTarget};
use entity_transport::http::{Address, Answer};
use entity_transport::ws::{Answers, Connection, Incoming, Outcome, Receiver, Verdict, connect};
use entity_wire::code::ErrorCode;
use entity_wire::relay::{Control, Form, Header};
use entity_wire::reply::{self, Reply};
use entity_wire::time::Timestamp;
use tracing::{debug, info, warn};

use super::{Bridge, say};
use crate::layers::{Socket, name_of};
use crate::node::Node;
use crate::seed;

/// The membership at one relay.
pub(super) struct Membership {
    pub(super) member: Member,
    pub(super) target: RelayTarget,
    /// The connection to it, registered or not.
    pub(super) opened: Option<Connection>,
    /// Whether the connection that there is, or was last, led to a registration.
    pub(super) has_registered: bool,
    /// The connection that we are registered on.
    pub(super) connection: Option<Connection>,
}

impl Membership {
    /// Registers again where half of the time is over, and leaves a relay that does not answer.
    pub(super) fn renew(&mut self, now: Timestamp) {
        let step = self.member.handle_deadline(now);
        let Some(connection) = &self.opened else { return };
        match step {
            Step::Say(control) => say(connection, &control),
            Step::Unanswered => {
                warn!(relay = %self.target.address, "relay sends no challenge, or does not answer a registration");
                connection.close();
            }
            Step::Nothing | Step::Registered | Step::Refused(_) | Step::Impersonated => {}
        }
    }
}

/// What comes over a connection to a relay.
struct RelaySocket {
    socket: Socket,
    bridge: Weak<Bridge>,
    index: usize,
}

impl Receiver for RelaySocket {
    fn opened(&self, connection: &Connection) {
        self.socket.opened(connection);
        if let Some(bridge) = self.bridge.upgrade()
            && let Some(node) = bridge.node.upgrade()
            && let Some(one) = bridge.state().members.get_mut(self.index)
        {
            one.member.handle_opened(node.now());
            one.opened = Some(connection.clone());
            one.has_registered = false;
            bridge.moved.notify_one();
        }
    }

    fn receive(&self, connection: &Connection, batch: Vec<Incoming>) -> Answers {
        self.socket.receive(connection, batch)
    }

    fn control(&self, connection: &Connection, object: Bytes) {
        if let (Some(bridge), Ok(control)) = (self.bridge.upgrade(), Control::read(&object)) {
            bridge.relay_said(self.index, connection, &control);
        }
    }

    fn outcomes(&self, connection: &Connection, outcomes: Vec<(u64, Outcome)>) {
        self.socket.outcomes(connection, outcomes);
    }

    fn closed(&self, connection: &Connection) {
        if let Some(bridge) = self.bridge.upgrade()
            && let Some(one) = bridge.state().members.get_mut(self.index)
        {
            one.opened = None;
            one.connection = None;
        }
        self.socket.closed(connection);
    }
}

impl Bridge {
    /// Stays a member of every relay, as long as the node lives.
    pub(crate) fn keep_memberships(bridge: &Arc<Self>) {
        let targets: Vec<_> = bridge.state().members.iter().map(|one| one.target.clone()).collect();
        for (index, target) in targets.into_iter().enumerate() {
            tokio::spawn(keep(Arc::downgrade(bridge), index, target));
        }
    }

    fn has_registered(&self, index: usize) -> bool {
        self.state().members.get(index).is_some_and(|one| one.has_registered)
    }

    fn relay_said(&self, index: usize, connection: &Connection, control: &Control) {
        let Some(node) = self.node.upgrade() else { return };
        let now = node.now();
        let mut state = self.state();
        let Some(one) = state.members.get_mut(index) else { return };
        let address = Arc::clone(&one.target.address);
        match one.member.handle_control(control, now) {
            Step::Nothing => {}
            Step::Say(control) => say(connection, &control),
            Step::Registered => {
                info!(relay = %address, "registered at a relay");
                one.connection = Some(connection.clone());
                connection.belongs_to(&one.target.key.to_string());
                one.has_registered = true;
                let relay = (RelayId(index), name_of(connection));
                node.router(|router| router.handle_registered(relay.0, relay.1));
                // Who waits for a way may have one now.
                node.layers().tell_changed();
            }
            Step::Unanswered => connection.close(),
            Step::Refused(code) => {
                warn!(relay = %address, code = code.as_str(), "relay refuses us");
                connection.close();
            }
            Step::Impersonated => {
                node.router(|router| router.handle_impersonation(RelayId(index), now));
                connection.close();
            }
        }
        drop(state);
        self.moved.notify_one();
    }

    /// A message for us came by a relay. It is acknowledged when it is dealt with, whatever the answer.
    pub(super) fn take_own(
        &self,
        node: &Node,
        connection: &Connection,
        header: Header,
        message: Bytes,
    ) -> Verdict {
        let judged = match header.form {
            Form::Envelope => node.judge(&message, None),
            Form::Frame => node.judge_frame(&message, None),
        };
        self.note_refusal(node, connection, &judged.reply);
        let ack = Control::Ack { id: header.id };
        let connection = connection.clone();
        Verdict::Later(Box::pin(async move {
            if let Some(passage) = judged.passage
                && passage.await.is_err()
            {
                return Answer::from(Reply::error(ErrorCode::ServiceUnavailable));
            }
            // A connection that has ended brings it again; one that stays, and heard nothing, would not.
            say(&connection, &ack);
            Answer::from(judged.reply)
        }))
    }

    /// What does not hold and came by a relay is held against it.
    fn note_refusal(&self, node: &Node, connection: &Connection, answer: &Reply) {
        if answer.status == 200 {
            return;
        }
        let Some(code) = reply::Answer::read(answer.status, &answer.body).code else { return };
        let now = node.now();
        let of = |held: &Connection| held.id() == connection.id();
        let is_it = |one: &Membership| one.connection.as_ref().is_some_and(of);
        let index = self.state().members.iter().position(is_it);
        if let Some(index) = index {
            node.router(|router| router.handle_refused(RelayId(index), (code, RefusedBy::Us), now));
        }
    }
}

async fn keep(bridge: Weak<Bridge>, index: usize, target: RelayTarget) {
    let Ok(address) = target.address.parse::<Address>() else {
        warn!(relay = %target.address, "not an address of a relay");
        return;
    };
    let mut failures = 0;
    loop {
        let Some(node) = bridge.upgrade().and_then(|held| held.node.upgrade()) else { return };
        if node.layers().is_closed() {
            return;
        }
        let limits = node.layers().limits_of_sockets();
        let turns = node.layers().turns().clone();
        let socket = Socket::of_relay(node.downgrade());
        let receiver = Arc::new(RelaySocket { socket, bridge: bridge.clone(), index });
        drop(node);
        match connect(&address, limits, receiver, &turns).await {
            Ok(connection) => {
                connection.closed().await;
                // Whoever upgrades, and no more, is asked ever more seldom.
                if bridge.upgrade().is_some_and(|held| held.has_registered(index)) {
                    failures = 0;
                }
            }
            Err(error) => debug!(relay = %target.address, %error, "no connection to a relay"),
        }
        let jitter = seed::from_system().map_or(0, |random| random[0]);
        tokio::time::sleep(pause(failures, jitter)).await;
        failures += 1;
    }
}

/// Half fixed, half drawn, from 250 ms to 30 s (`docs/protocol/1.1.md#layers`).
fn pause(failures: u32, jitter: u8) -> Duration {
    let whole = entity_bridge::route::PAUSE_MIN
        .saturating_mul(1 << failures.min(16))
        .min(entity_bridge::route::PAUSE_MAX);
    whole / 2 + whole * u32::from(jitter) / 512
}
