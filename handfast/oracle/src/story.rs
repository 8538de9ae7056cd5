//! Histories for the tests of the oracles, told event by event.

use std::collections::BTreeMap;

use handfast_scenario::event::{
    CallOutcome, DisturbanceState, Half, Outcome, SearchPlace, WireBytes, WireResponse, WireTaken,
};
use handfast_scenario::name::{EventName, MethodName, PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::{Recorded, RunEvent};
use serde_json::{Value, json};

/// A history under construction; every event is 1 ms after the one before it.
#[derive(Default)]
pub(crate) struct Story {
    events: Vec<Recorded>,
    at_us: u64,
    calls: u64,
    indices: BTreeMap<(String, String), u64>,
}

fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn unit() -> UnitId {
    UnitId::new("u")
}

/// A frame of session 07070707-.. in generation 0: its first byte and its place.
fn frame((kind, sequence): (u8, u8)) -> Vec<u8> {
    [&[kind][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 0, sequence], &[kind; 20]].concat()
}

impl Story {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn wait_ms(mut self, ms: u64) -> Self {
        self.at_us += ms * 1_000;
        self
    }

    pub(crate) fn started(self, name: &str) -> Self {
        self.begun(name, None)
    }

    pub(crate) fn started_with_key(self, name: &str, key: &str) -> Self {
        self.begun(name, Some(key.to_owned()))
    }

    fn begun(self, name: &str, key: Option<String>) -> Self {
        self.push(RunEvent::PeerStarted {
            unit: unit(),
            role: role(name),
            peer: PeerName::new("entity").unwrap(),
            pid: 1,
            ready_us: 5,
            address: "http://127.0.0.1:1".to_owned(),
            key,
            version: "0.1.0".to_owned(),
            protocol_versions: vec!["1.1".to_owned()],
        })
    }

    pub(crate) fn ready(self, by: &str, peer: &str, id: &str, role: &str) -> Self {
        let params = json!({ "id": id, "peer": peer, "version": "1.1", "role": role });
        self.event(by, "session.ready", params)
    }

    pub(crate) fn received(
        self,
        by: &str,
        from: &str,
        session: &str,
        sequence: i64,
        body: Value,
    ) -> Self {
        let params =
            json!({ "from": from, "session": session, "sequence": sequence, "body": body });
        self.event(by, "message.received", params)
    }

    pub(crate) fn event(self, by: &str, event: &str, params: Value) -> Self {
        self.push(RunEvent::PeerEvent {
            unit: unit(),
            role: role(by),
            n: 1,
            event: EventName::new(event).unwrap(),
            params,
        })
    }

    pub(crate) fn log(self, by: &str, line: &str) -> Self {
        let (line, truncated) = (line.to_owned(), false);
        self.push(RunEvent::PeerLog { unit: unit(), role: role(by), line, truncated })
    }

    pub(crate) fn measured(self, name: &str, descriptors: u64, memory_bytes: u64) -> Self {
        self.push(RunEvent::Measured { unit: unit(), role: role(name), descriptors, memory_bytes })
    }

    pub(crate) fn searched(
        self,
        place: SearchPlace,
        marker: &str,
        count: u64,
        found: Option<&str>,
    ) -> Self {
        self.push(RunEvent::Searched {
            unit: unit(),
            role: role("a"),
            place,
            marker: marker.to_owned(),
            count,
            found: found.map(str::to_owned),
        })
    }

    pub(crate) fn sent(
        self,
        from: &str,
        to: &str,
        session: &str,
        sequence: i64,
        body: Value,
    ) -> Self {
        let result = json!({ "session": session, "sequence": sequence });
        self.call(
            from,
            "message.send",
            json!({ "to": to, "body": body }),
            CallOutcome::Ok { result },
        )
    }

    pub(crate) fn refused(self, from: &str, to: &str, body: Value) -> Self {
        let outcome = CallOutcome::Refused {
            code: Some("SIGNATURE_INVALID".to_owned()),
            status: Some(401),
            rpc_code: -32000,
            message: "no".to_owned(),
            detail: None,
        };
        self.call(from, "message.send", json!({ "to": to, "body": body }), outcome)
    }

    pub(crate) fn lost(self, from: &str, to: &str, body: Value) -> Self {
        self.call(from, "message.send", json!({ "to": to, "body": body }), CallOutcome::TimedOut)
    }

    pub(crate) fn call(
        mut self,
        who: &str,
        method: &str,
        params: Value,
        outcome: CallOutcome,
    ) -> Self {
        self.calls += 1;
        let (call, method) = (self.calls, MethodName::new(method).unwrap());
        let started = RunEvent::CallStarted {
            unit: unit(),
            call,
            role: role(who),
            method: method.clone(),
            params,
        };
        let ended = RunEvent::CallEnded {
            unit: unit(),
            call,
            role: role(who),
            method,
            outcome,
            duration_us: 1_000,
        };
        self.push(started).push(ended)
    }

    pub(crate) fn disturbance(self, name: &str, text: &str, state: DisturbanceState) -> Self {
        let (name, text) = (name.to_owned(), text.to_owned());
        self.push(RunEvent::Disturbance { unit: unit(), number: 1, name, line: 1, text, state })
    }

    /// A call that is not answered yet.
    pub(crate) fn begins(mut self, who: &str, method: &str, params: Value) -> Self {
        self.calls += 1;
        let (call, method) = (self.calls, MethodName::new(method).unwrap());
        self.push(RunEvent::CallStarted { unit: unit(), call, role: role(who), method, params })
    }

    /// The answer to the first call that was begun and not answered.
    pub(crate) fn ends(self, outcome: CallOutcome) -> Self {
        let is_answered = |number: u64| {
            let ends = |recorded: &Recorded| matches!(recorded.event, RunEvent::CallEnded { call, .. } if call == number);
            self.events.iter().any(ends)
        };
        let begun = self.events.iter().find_map(|recorded| {
            let RunEvent::CallStarted { call, role, method, .. } = &recorded.event else {
                return None;
            };
            (!is_answered(*call)).then(|| (*call, role.clone(), method.clone()))
        });
        let (call, role, method) = begun.expect("a call was begun");
        let (unit, duration_us) = (unit(), 1_000);
        self.push(RunEvent::CallEnded { unit, call, role, method, outcome, duration_us })
    }

    pub(crate) fn wire(self, from: &str, to: &str, body: &Value, status: u16) -> Self {
        self.wire_bytes(from, to, body.to_string().as_bytes(), status, WireTaken::Passed)
    }

    /// A message that the tap changed in its first half.
    pub(crate) fn tampered(
        mut self,
        from: &str,
        to: &str,
        sent: &Value,
        got: &Value,
        status: u16,
    ) -> Self {
        let action = WireTaken::Replaced { half: Half::Request, what: "payload".to_owned() };
        self = self.wire_bytes(from, to, sent.to_string().as_bytes(), status, action);
        if let Some(RunEvent::WireMessage { delivered, .. }) =
            self.events.last_mut().map(|recorded| &mut recorded.event)
        {
            *delivered = Some(WireBytes::of(got.to_string().as_bytes()));
        }
        self
    }

    /// What went over a WebSocket and is no text.
    pub(crate) fn binary(mut self, from: &str, to: &str, request: &[u8]) -> Self {
        self = self.wire_bytes(from, to, request, 200, WireTaken::Passed);
        let last = self.events.last_mut().map(|recorded| &mut recorded.event);
        if let Some(RunEvent::WireMessage { target, message_type, response, .. }) = last {
            "WEBSOCKET".clone_into(target);
            (*message_type, *response) = (None, None);
        }
        self
    }

    /// Frames of session 07070707-.. in one request, each with its first byte and its place.
    pub(crate) fn frames(self, from: &str, to: &str, frames: &[(u8, u8)]) -> Self {
        let with_len = |sent: &(u8, u8)| {
            let frame = frame(*sent);
            [&u32::try_from(frame.len()).unwrap().to_be_bytes(), &frame[..]].concat()
        };
        let body: Vec<u8> = frames.iter().flat_map(with_len).collect();
        self.posted(from, to, "/frame", &body)
    }

    /// A frame of the same session alone, over a WebSocket.
    pub(crate) fn socket_frame(self, from: &str, to: &str, sent: (u8, u8)) -> Self {
        self.binary(from, to, &frame(sent))
    }

    /// Text over a WebSocket.
    pub(crate) fn socket_text(mut self, from: &str, to: &str, body: &Value) -> Self {
        self = self.wire(from, to, body, 200);
        let last = self.events.last_mut().map(|recorded| &mut recorded.event);
        if let Some(RunEvent::WireMessage { target, response, .. }) = last {
            "WEBSOCKET".clone_into(target);
            *response = None;
        }
        self
    }

    /// Something without a type, posted to a path.
    pub(crate) fn posted(mut self, from: &str, to: &str, path: &str, body: &[u8]) -> Self {
        self = self.wire_bytes(from, to, body, 200, WireTaken::Passed);
        let last = self.events.last_mut().map(|recorded| &mut recorded.event);
        if let Some(RunEvent::WireMessage { target, message_type, .. }) = last {
            *target = format!("POST {path}");
            *message_type = None;
        }
        self
    }

    /// An attempt to open a WebSocket.
    pub(crate) fn dialled(mut self, from: &str, to: &str) -> Self {
        self = self.wire_bytes(from, to, b"", 101, WireTaken::Passed);
        let last = self.events.last_mut().map(|recorded| &mut recorded.event);
        if let Some(RunEvent::WireMessage { target, message_type, .. }) = last {
            "GET /ws".clone_into(target);
            *message_type = Some("websocket".to_owned());
        }
        self
    }

    /// Changes what was told last.
    pub(crate) fn last_wire(mut self, change: impl FnOnce(&mut RunEvent)) -> Self {
        if let Some(last) = self.events.last_mut() {
            change(&mut last.event);
        }
        self
    }

    pub(crate) fn wire_bytes(
        mut self,
        from: &str,
        to: &str,
        request: &[u8],
        status: u16,
        action: WireTaken,
    ) -> Self {
        let index = self.indices.entry((from.to_owned(), to.to_owned())).or_default();
        *index += 1;
        let index = *index;
        self.push(RunEvent::WireMessage {
            unit: unit(),
            from: role(from),
            to: role(to),
            index,
            target: "POST /message".to_owned(),
            message_type: Some("message".to_owned()),
            request: WireBytes::of(request),
            delivered: None,
            response: Some(WireResponse { status, body: WireBytes::of(b"{\"status\":\"ok\"}") }),
            action,
        })
    }

    fn push(mut self, event: RunEvent) -> Self {
        self.at_us += 1_000;
        self.events.push(Recorded { at_us: self.at_us, event });
        self
    }

    /// Asserts that the oracle passes.
    #[track_caller]
    pub(crate) fn passes(&self, oracle: &str, params: Value) {
        assert_eq!(crate::judge(oracle, &params, &self.events), Ok(Outcome::Passed));
    }

    /// Asserts that the oracle fails, and that its reason has this part.
    #[track_caller]
    pub(crate) fn fails(&self, oracle: &str, params: Value, part: &str) {
        match crate::judge(oracle, &params, &self.events) {
            Ok(Outcome::Failed { reason }) => assert!(reason.contains(part), "{reason}"),
            other => panic!("expected a failure with {part:?}, got {other:?}"),
        }
    }
}
