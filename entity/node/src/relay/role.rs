//! The relay: carries out what the pure machine wants.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use entity_bridge::relay::{self, Arrival, AttemptId, Outcome, Output, Way};
use entity_crypto::signing::PublicKey;
use entity_transport::http::{Address, Answer, Call, Method};
use entity_transport::ws::{self, Connection, Outgoing};
use entity_wire::code::ErrorCode;
use entity_wire::frame::batch;
use entity_wire::relay::{Form, Header};
use entity_wire::reply::{self, Reply};
use tokio::sync::oneshot;

use super::{Bridge, Given, State, say};
use crate::flaws;
use crate::layers::name_of;
use crate::node::Node;

/// How long a connection or a base has; the machine has its own, shorter patience. Guessed: more than any of that.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

impl Bridge {
    /// A message was posted to somebody's mailbox here.
    pub(crate) async fn post(
        self: &Arc<Self>,
        node: &Node,
        (recipient, form): (PublicKey, Form),
        (body, host): (Bytes, IpAddr),
    ) -> Answer {
        let unknown = || Answer::from(Reply::error(ErrorCode::UnknownRecipient));
        let post_one = |message: Bytes| {
            let id = self.state().relay.as_mut()?.fresh_id();
            let header = Header { hops: 0, id, recipient, form };
            self.take(node, (header, message), (None, host))
        };
        if form == Form::Envelope {
            return match post_one(body) {
                Some(answer) => answer.await,
                None => unknown(),
            };
        }
        let frames = match batch::split(&body) {
            Ok(frames) => frames,
            Err(error) => return Reply::error(error.code()).into(),
        };
        // All are on their way before the first is waited for.
        let posted: Vec<_> =
            frames.into_iter().map(|frame| post_one(Bytes::copy_from_slice(frame))).collect();
        let mut outcomes = Vec::with_capacity(posted.len());
        for posted in posted {
            let answer = match posted {
                Some(answer) => answer.await,
                None => unknown(),
            };
            let code = || reply::Answer::read(answer.status, &answer.body).code;
            let refused = || Err(code().unwrap_or(ErrorCode::ServiceUnavailable));
            outcomes.push(if answer.status == 200 { Ok(()) } else { refused() });
        }
        Answer::new(200, batch::results(&outcomes))
    }

    /// A message came over a connection; its answer comes later. `None` where this node is no relay.
    pub(super) fn arrive(
        &self,
        node: &Node,
        parcel: (Header, Bytes),
        connection: &Connection,
    ) -> Option<impl Future<Output = Answer> + Send + use<>> {
        // Who has not registered shares what its host has.
        self.take(node, parcel, (Some(connection), connection.remote().ip()))
    }

    fn take(
        &self,
        node: &Node,
        (header, message): (Header, Bytes),
        (connection, host): (Option<&Connection>, IpAddr),
    ) -> Option<impl Future<Output = Answer> + Send + use<>> {
        if message.is_empty() {
            return None;
        }
        if flaws::drops(&message) {
            let (give, given) = oneshot::channel();
            drop(give.send((Answer::new(200, Bytes::new()), false)));
            return Some(Self::answer(node.clone(), given));
        }
        let base = base_of(node, &header.recipient);
        let now = node.now();
        let given = self.with_relay(|state| {
            let relay = state.relay.as_mut()?;
            let connection = connection.map(name_of);
            let arrival = Arrival { header, message, connection, host, base };
            let ticket = relay.handle_arrival(arrival, now);
            let (give, given) = oneshot::channel();
            state.waiting.insert(ticket, give);
            Some(given)
        })?;
        Some(Self::answer(node.clone(), given))
    }

    /// What the bringer of a message is answered, once that rests on the disk where it has to.
    async fn answer(node: Node, given: oneshot::Receiver<Given>) -> Answer {
        match given.await {
            Ok((answer, true)) if node.settled().await.is_ok() => answer,
            Ok((answer, false)) => answer,
            Ok((_, true)) | Err(_) => Answer::from(Reply::error(ErrorCode::ServiceUnavailable)),
        }
    }

    /// Gives one input under the lock, and carries out what comes of it.
    pub(super) fn with_relay<T>(&self, input: impl FnOnce(&mut State) -> T) -> T {
        let Some(node) = self.node.upgrade() else { return input(&mut self.state()) };
        let mut state = self.state();
        let outcome = input(&mut state);
        while let Some(output) = state.relay.as_mut().and_then(relay::Relay::poll_output) {
            Self::carry_out(&node, &mut state, output);
        }
        drop(state);
        self.moved.notify_one();
        outcome
    }

    fn carry_out(node: &Node, state: &mut State, output: Output) {
        match output {
            Output::Persist(batch) => node.keep_batch(batch),
            Output::Control { connection, control } => {
                if let Some(connection) = state.connections.get(&connection) {
                    say(connection, &control);
                }
            }
            Output::Answer { ticket, answer, rests_on_disk } => {
                if let Some(waiting) = state.waiting.remove(&ticket) {
                    let answer = Answer::new(answer.status, answer.body);
                    drop(waiting.send((answer, rests_on_disk)));
                }
            }
            Output::Send { attempt, way, header, message } => {
                let over = match &way {
                    Way::Connection(id) => state.connections.get(id).cloned(),
                    Way::Relay(index) => {
                        state.members.get(*index).and_then(|member| member.connection.clone())
                    }
                    Way::Http(_) => None,
                };
                Self::send(node, attempt, (way, over), (header, message));
            }
        }
    }

    fn send(
        node: &Node,
        attempt: AttemptId,
        (way, over): (Way, Option<Connection>),
        (header, message): (Header, Bytes),
    ) {
        let message = flaws::handed_on(message);
        // Queued before this returns: what is handed on later goes after it.
        let sent = over.map(|connection| {
            let forward = Outgoing::binary(header.write(&message).into());
            connection.send(forward, SEND_TIMEOUT)
        });
        let node = node.clone();
        tokio::spawn(async move {
            let outcome = match (way, sent) {
                (Way::Http(base), _) => post(&node, &base, header.form, message).await,
                (Way::Connection(_) | Way::Relay(_), Some(sent)) => match sent.await {
                    ws::Outcome::Answered(answer) => answered(answer.status, answer.body),
                    ws::Outcome::TimedOut | ws::Outcome::Broken => Outcome::Failed,
                },
                (Way::Connection(_) | Way::Relay(_), None) => Outcome::Failed,
            };
            if let Some(bridge) = node.layers().bridge() {
                let now = node.now();
                bridge.with_relay(|state| {
                    if let Some(relay) = &mut state.relay {
                        relay.handle_outcome(attempt, outcome, now);
                    }
                });
            }
        });
    }

    /// Keeps the deadlines of all machines of the bridge, as long as the node lives.
    pub(super) fn keep_deadlines(bridge: &Arc<Self>) {
        let bridge = Arc::downgrade(bridge);
        tokio::spawn(async move {
            loop {
                let Some(held) = bridge.upgrade() else { return };
                let Some(node) = held.node.upgrade() else { return };
                let deadline = {
                    let state = held.state();
                    let relay = state.relay.as_ref().and_then(relay::Relay::next_deadline);
                    let members = state.members.iter().filter_map(|one| one.member.next_deadline());
                    members.chain(relay).min()
                };
                // Looked at now and then, so that the task ends with its node.
                let latest = node.now().plus(Duration::from_secs(5));
                let until = deadline.map_or(latest, |deadline| deadline.min(latest));
                tokio::select! {
                    () = node.sleep_until(until) => {}
                    () = held.moved.notified() => continue,
                }
                let now = node.now();
                held.with_relay(|state| {
                    if let Some(relay) = &mut state.relay {
                        relay.handle_deadline(now);
                    }
                    for member in &mut state.members {
                        member.renew(now);
                    }
                });
            }
        });
    }
}

/// Where the roster says that a key is reached by HTTP.
fn base_of(node: &Node, recipient: &PublicKey) -> Option<String> {
    node.look(|peer, _| {
        let address = peer.address_of_key(recipient);
        address.filter(|address| address.starts_with("http://")).map(str::to_owned)
    })
}

async fn post(node: &Node, base: &str, form: Form, message: Bytes) -> Outcome {
    let Ok(address) = base.parse::<Address>() else { return Outcome::Failed };
    let (path, body) = match form {
        Form::Envelope => ("/message", message),
        Form::Frame => ("/frame", alone(&message)),
    };
    let call = Call { method: Method::POST, path, body, timeout: SEND_TIMEOUT };
    match node.client().call(&address, call).await {
        Ok(answer) if form == Form::Frame && answer.status == 200 => {
            match batch::read_results(&answer.body, 1).unwrap_or_default().first() {
                Some(Ok(())) => answered(200, Bytes::new()),
                Some(Err(code)) => answered(code.status(), Reply::error(*code).body.into()),
                None => Outcome::Failed,
            }
        }
        Ok(answer) => answered(answer.status, answer.body),
        Err(_) => Outcome::Failed,
    }
}

/// One frame as the body of `POST /frame`.
fn alone(frame: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(4 + frame.len());
    batch::push(&mut body, frame);
    body.into()
}

fn answered(status: u16, body: Bytes) -> Outcome {
    Outcome::Answered(relay::Answer { status, body })
}
