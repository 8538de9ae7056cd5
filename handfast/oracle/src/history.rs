//! What oracles look at: the events of one unit, taken apart.
//!
//! The names of methods, events and fields are those of the peer contract and of the envelope:
//! `message.send`, `message.received`, `session.ready`; `session_id`, `sequence_num`, `nonce`, `signature`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_scenario::event::{CallOutcome, SearchPlace, WireBytes, WireTaken};
use handfast_scenario::name::RoleName;
use handfast_scenario::{Recorded, RunEvent};
use serde_json::Value;

/// What a scenario calls the way over a connection that stays open.
pub(crate) const WEBSOCKET: &str = "websocket";

/// The events of one unit.
#[derive(Debug)]
pub struct History<'a> {
    events: &'a [Recorded],
}

/// A message that a scenario asked a role to send.
#[derive(Debug)]
pub struct Send<'a> {
    /// When the call began.
    pub began_us: u64,
    /// When it was answered; `None` if it was not.
    pub ended_us: Option<u64>,
    /// Who sent.
    pub from: &'a str,
    /// To whom, as the call names it.
    pub to: &'a str,
    /// The body of the message.
    pub body: &'a Value,
    /// Whether it is kept until the other side has it.
    pub is_durable: bool,
    /// What came of it; `None` if the history ends before.
    pub outcome: Option<&'a CallOutcome>,
}

/// A request to a role.
#[derive(Debug)]
pub struct Call<'a> {
    /// When it was made.
    pub began_us: u64,
    /// Who was asked.
    pub role: &'a str,
    /// With which parameters.
    pub params: &'a Value,
    /// What came of it; `None` if the history ends before.
    pub outcome: Option<&'a CallOutcome>,
}

/// A search of what a role keeps.
#[derive(Debug)]
pub struct Search<'a> {
    /// Whose.
    pub role: &'a str,
    /// Where.
    pub place: SearchPlace,
    /// For what.
    pub marker: &'a str,
    /// Files or lines that were looked at.
    pub count: u64,
    /// Where it was found.
    pub found: Option<&'a str>,
}

/// A message that a role says it received.
#[derive(Debug)]
pub struct Received<'a> {
    /// When.
    pub at_us: u64,
    /// Who received it.
    pub by: &'a str,
    /// From whom, as the receiver names the sender.
    pub from: &'a str,
    /// The body.
    pub body: &'a Value,
    /// The session's id, if it came in one.
    pub session: Option<&'a str>,
    /// The sequence of its envelope.
    pub sequence: Option<i64>,
    /// Its number in the session, where the protocol has one: unlike the sequence it survives a change of keys.
    pub number: Option<i64>,
}

impl Received<'_> {
    /// What counts the messages of its sender in its session.
    pub fn count(&self) -> Option<i64> {
        self.number.or(self.sequence)
    }
}

/// A role's word that a session is ready.
#[derive(Debug)]
pub struct Ready<'a> {
    /// When.
    pub at_us: u64,
    /// Who says so.
    pub by: &'a str,
    /// The session's id.
    pub id: &'a str,
    /// With whom.
    pub peer: &'a str,
    /// The protocol version.
    pub version: Option<&'a str>,
    /// `initiator` or `responder`.
    pub role: Option<&'a str>,
}

/// A message on the wire.
#[derive(Debug)]
pub struct Wire<'a> {
    /// When its exchange was over, in microseconds since the run started.
    pub at_us: u64,
    /// Who sent it.
    pub from: &'a str,
    /// Who was to receive it.
    pub to: &'a str,
    /// Its number in this direction.
    pub index: u64,
    /// Method and path.
    pub target: &'a str,
    /// Its type, where the tap can tell.
    pub message_type: Option<&'a str>,
    /// The body as it was sent.
    pub request: &'a WireBytes,
    /// The body as it was delivered, where that is another.
    pub delivered: Option<&'a WireBytes>,
    /// The answer's status and body.
    pub response: Option<(u16, &'a WireBytes)>,
    /// What the tap did.
    pub action: &'a WireTaken,
}

/// Which message of which session: the place in the order of one direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Who sent it.
    pub from: String,
    /// In which session.
    pub session: String,
    /// With which number.
    pub sequence: i64,
}

impl<'a> History<'a> {
    /// The history that these events are.
    pub fn new(events: &'a [Recorded]) -> Self {
        Self { events }
    }

    /// Everything that happened, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'a RunEvent> + use<'a> {
        self.events.iter().map(|recorded| &recorded.event)
    }

    /// The same with their times, in microseconds.
    pub(crate) fn timed(&self) -> impl Iterator<Item = (u64, &'a RunEvent)> + use<'a> {
        self.events.iter().map(|recorded| (recorded.at_us, &recorded.event))
    }

    /// The key of each role, as it told at its last start.
    pub(crate) fn keys(&self) -> BTreeMap<&'a str, &'a str> {
        let key = |event: &'a RunEvent| {
            let RunEvent::PeerStarted { role, key: Some(key), .. } = event else { return None };
            Some((role.as_str(), key.as_str()))
        };
        self.events().filter_map(key).collect()
    }

    /// When the last thing happened.
    pub(crate) fn ended_us(&self) -> u64 {
        self.events.last().map_or(0, |recorded| recorded.at_us)
    }

    /// All calls of `message.send`, in the order they began.
    pub fn sends(&self) -> Vec<Send<'a>> {
        let mut sends = Vec::new();
        let mut open: BTreeMap<u64, usize> = BTreeMap::new();
        for recorded in self.events {
            if let RunEvent::CallStarted { call, role, method, params, .. } = &recorded.event
                && method.as_str() == "message.send"
            {
                open.insert(*call, sends.len());
                sends.push(Send {
                    began_us: recorded.at_us,
                    ended_us: None,
                    from: role.as_str(),
                    to: params["to"].as_str().unwrap_or_default(),
                    body: &params["body"],
                    is_durable: params["durable"] == true,
                    outcome: None,
                });
            }
            if let RunEvent::CallEnded { call, outcome, .. } = &recorded.event
                && let Some(at) = open.remove(call)
            {
                let send: &mut Send<'_> = &mut sends[at];
                send.ended_us = Some(recorded.at_us);
                send.outcome = Some(outcome);
            }
        }
        sends
    }

    /// All calls of `method`, in the order they began.
    pub fn calls(&self, method: &str) -> impl Iterator<Item = Call<'a>> + use<'a> {
        let mut calls = Vec::new();
        let mut open: BTreeMap<u64, usize> = BTreeMap::new();
        for recorded in self.events {
            if let RunEvent::CallStarted { call, role, method: called, params, .. } =
                &recorded.event
                && called.as_str() == method
            {
                open.insert(*call, calls.len());
                let (began_us, role) = (recorded.at_us, role.as_str());
                calls.push(Call { began_us, role, params, outcome: None });
            }
            if let RunEvent::CallEnded { call, outcome, .. } = &recorded.event
                && let Some(at) = open.remove(call)
            {
                let call: &mut Call<'_> = &mut calls[at];
                call.outcome = Some(outcome);
            }
        }
        calls.into_iter()
    }

    /// The parameters of every call of every role.
    pub fn asked(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.events.iter().filter_map(|recorded| {
            let RunEvent::CallStarted { params, .. } = &recorded.event else { return None };
            Some(params)
        })
    }

    /// The lines that roles logged: who, the line, whether it was longer.
    pub fn logs(&self) -> impl Iterator<Item = (&'a str, &'a str, bool)> + use<'a> {
        self.events.iter().filter_map(|recorded| {
            let RunEvent::PeerLog { role, line, truncated, .. } = &recorded.event else {
                return None;
            };
            Some((role.as_str(), line.as_str(), *truncated))
        })
    }

    /// The searches of what roles keep.
    pub fn searches(&self) -> impl DoubleEndedIterator<Item = Search<'a>> + use<'a> {
        self.events.iter().filter_map(|recorded| {
            let RunEvent::Searched { role, place, marker, count, found, .. } = &recorded.event
            else {
                return None;
            };
            let (role, found) = (role.as_str(), found.as_deref());
            Some(Search { role, place: *place, marker, count: *count, found })
        })
    }

    /// The roles whose peers were started again, each time, and when.
    pub fn restarts(&self) -> Vec<(&'a str, u64)> {
        let starts = self.events.iter().filter_map(|recorded| {
            let RunEvent::PeerStarted { role, .. } = &recorded.event else { return None };
            Some((recorded.at_us, role.as_str()))
        });
        crate::recovery::restarts(starts)
    }

    /// All messages that roles say they received, in order.
    pub fn received(&self) -> Vec<Received<'a>> {
        let received = self.peer_events("message.received").map(|(at_us, by, params)| Received {
            at_us,
            by,
            from: params["from"].as_str().unwrap_or_default(),
            body: &params["body"],
            session: params["session"].as_str(),
            sequence: params["sequence"].as_i64(),
            number: params["number"].as_i64(),
        });
        received.collect()
    }

    /// All words that a session is ready, in order.
    pub fn ready(&self) -> Vec<Ready<'a>> {
        let ready = self.peer_events("session.ready").map(|(at_us, by, params)| Ready {
            at_us,
            by,
            id: params["id"].as_str().unwrap_or_default(),
            peer: params["peer"].as_str().unwrap_or_default(),
            version: params["version"].as_str(),
            role: params["role"].as_str(),
        });
        ready.collect()
    }

    /// All messages on the wire, in order: requests that carry a body.
    pub fn wire(&self) -> Vec<Wire<'a>> {
        let messages = self.exchanges().filter(|exchange| exchange.request.len > 0);
        messages.collect()
    }

    /// All attempts to open a WebSocket, in order, whatever came of them.
    pub fn dials(&self) -> Vec<Wire<'a>> {
        let is_dial = |exchange: &Wire<'_>| {
            exchange.request.len == 0 && exchange.message_type == Some(WEBSOCKET)
        };
        self.exchanges().filter(is_dial).collect()
    }

    fn exchanges(&self) -> impl Iterator<Item = Wire<'a>> + use<'a> {
        self.events.iter().filter_map(|recorded: &'a Recorded| {
            let RunEvent::WireMessage {
                from,
                to,
                index,
                target,
                message_type,
                request,
                delivered,
                response,
                action,
                ..
            } = &recorded.event
            else {
                return None;
            };
            Some(Wire {
                at_us: recorded.at_us,
                from: from.as_str(),
                to: to.as_str(),
                index: *index,
                target,
                message_type: message_type.as_deref(),
                request,
                delivered: delivered.as_ref(),
                response: response.as_ref().map(|response| (response.status, &response.body)),
                action,
            })
        })
    }

    /// Bodies that a scenario sent past the tap with `wire.send_raw`: parameters and result.
    pub fn raw_sends(&self) -> Vec<(Vec<u8>, u16)> {
        let mut open: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut sends = Vec::new();
        for recorded in self.events {
            if let RunEvent::CallStarted { call, method, params, .. } = &recorded.event
                && method.as_str() == "wire.send_raw"
            {
                let body = params["body"].as_str().and_then(|text| STANDARD.decode(text).ok());
                open.insert(*call, body.unwrap_or_default());
            }
            if let RunEvent::CallEnded { call, outcome: CallOutcome::Ok { result }, .. } =
                &recorded.event
                && let Some(body) = open.remove(call)
            {
                let status =
                    result["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                sends.extend(status.map(|status| (body, status)));
            }
        }
        sends
    }

    /// When the last peer of the first start of each role was ready.
    pub fn all_started_us(&self) -> Option<u64> {
        let mut first: BTreeMap<&RoleName, u64> = BTreeMap::new();
        for recorded in self.events {
            if let RunEvent::PeerStarted { role, .. } = &recorded.event {
                first.entry(role).or_insert(recorded.at_us);
            }
        }
        first.into_values().max()
    }

    /// The roles whose peers were started.
    pub fn roles(&self) -> Vec<&'a str> {
        let mut roles: Vec<&str> = Vec::new();
        for recorded in self.events {
            if let RunEvent::PeerStarted { role, .. } = &recorded.event
                && !roles.contains(&role.as_str())
            {
                roles.push(role.as_str());
            }
        }
        roles
    }

    /// The notifications `name` of all roles: when, who, parameters.
    pub fn peer_events(
        &self,
        name: &'static str,
    ) -> impl Iterator<Item = (u64, &'a str, &'a Value)> + use<'a> {
        self.events.iter().filter_map(move |recorded| {
            let RunEvent::PeerEvent { role, event, params, .. } = &recorded.event else {
                return None;
            };
            (event.as_str() == name).then(|| (recorded.at_us, role.as_str(), params))
        })
    }

    /// The last answer of each role to the getter `method`.
    pub fn last_answers(&self, method: &str) -> BTreeMap<&'a str, &'a Value> {
        let mut answers = BTreeMap::new();
        for recorded in self.events {
            if let RunEvent::CallEnded {
                role,
                method: called,
                outcome: CallOutcome::Ok { result },
                ..
            } = &recorded.event
                && called.as_str() == method
            {
                answers.insert(role.as_str(), result);
            }
        }
        answers
    }
}

impl Wire<'_> {
    /// The request that the receiver got, as JSON; `None` for other bodies.
    pub fn delivered_json(&self) -> Option<Value> {
        json(self.delivered.unwrap_or(self.request))
    }

    /// The request as it was sent, as JSON; `None` for other bodies.
    pub fn sent_json(&self) -> Option<Value> {
        json(self.request)
    }

    /// Whether it went over a WebSocket and is no text: a frame, or what belongs to the connection itself.
    pub fn is_binary_of_socket(&self) -> bool {
        self.target == "WEBSOCKET" && self.message_type.is_none()
    }

    /// Whether it went this way: `websocket`, or the path that it was posted to.
    pub fn went_over(&self, way: &str) -> bool {
        match way {
            WEBSOCKET => self.target == "WEBSOCKET",
            path => self.target.strip_prefix("POST ") == Some(path),
        }
    }

    /// The message in a few words, such as `message #3 of a -> b`.
    pub fn title(&self) -> String {
        let kind = self.message_type.unwrap_or(self.target);
        format!("{kind} #{} of {} -> {}", self.index, self.from, self.to)
    }
}

impl Place {
    /// The place that an envelope names.
    pub fn of_envelope(from: &str, envelope: &Value) -> Option<Self> {
        Some(Self {
            from: from.to_owned(),
            session: envelope["session_id"].as_str()?.to_owned(),
            sequence: envelope["sequence_num"].as_i64()?,
        })
    }

    /// The place of a message that was received; `None` outside sessions.
    pub fn of_received(received: &Received<'_>) -> Option<Self> {
        Some(Self {
            from: received.from.to_owned(),
            session: received.session?.to_owned(),
            sequence: received.sequence?,
        })
    }
}

/// The bytes as JSON; `None` where they are cut or are something else.
pub fn json(bytes: &WireBytes) -> Option<Value> {
    if bytes.is_truncated() {
        return None;
    }
    serde_json::from_slice(&bytes.bytes().ok()?).ok()
}
