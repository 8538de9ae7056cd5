//! What the steps of a scenario act on: machines in virtual time and what they said.
//!
//! Steps are futures that nobody wakes: after each thing that happens on the [`Field`] they are asked whether they can go on. So
//! everything has one order, which follows from the seed, and no runtime is needed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use entity_contract::{Outcome, RpcError};
use entity_crypto::derivation::sha256;
use entity_crypto::encoding::base64_decode_strict;
use entity_peer::Command;
use entity_peer::command::{AddPeer, Source, Transfer};
use handfast_oracle as oracle;
use handfast_scenario::event::{
    CallOutcome, Exit, Outcome as Held, WireBytes, WireResponse, WireTaken,
};
use handfast_scenario::name::{EventName, MethodName, PeerName, RoleName};
use handfast_scenario::scenario::Introduce;
use handfast_scenario::{Bindings, Recorded, RunEvent, Scenario};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::disturbances::Disturbances;
use super::faults::Armed;
use super::field::{Exchanged, Field, Noted, address_of};
use super::journal::Journal;

/// A scenario in play.
pub(super) struct Stage<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) roles: Vec<RoleName>,
    pub(super) seed: u64,
    inner: RefCell<Inner>,
}

/// What changes while it is in play.
pub(super) struct Inner {
    pub(super) field: Field,
    pub(super) journal: Journal,
    /// When somebody wants to be asked whether he can go on.
    wakes: BTreeSet<Duration>,
    answers: BTreeMap<u64, Option<Outcome>>,
    calls: u64,
    told: BTreeMap<usize, u64>,
    /// Faults that steps have announced, in their order.
    pub(super) armed: Vec<Armed>,
    pub(super) disturbances: Disturbances,
    /// Why the run cannot go on.
    pub(super) broken: Option<String>,
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    Refused(RpcError),
    Unsupported,
    TimedOut,
    Gone,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        (scenario, seed): (&'a Scenario, u64),
        field: Field,
        journal: Journal,
        disturbances: Disturbances,
    ) -> Self {
        let inner = Inner {
            field,
            journal,
            wakes: BTreeSet::new(),
            answers: BTreeMap::new(),
            calls: 0,
            told: BTreeMap::new(),
            armed: Vec::new(),
            disturbances,
            broken: None,
        };
        let roles = scenario.roles.keys().cloned().collect();
        Self { scenario, roles, seed, inner: RefCell::new(inner) }
    }

    /// Does something with what changes.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.borrow_mut())
    }

    pub(super) fn now(&self) -> Duration {
        self.with(|inner| inner.field.now())
    }

    /// The machine of a role.
    pub(super) fn place(&self, role: &RoleName) -> usize {
        self.roles.iter().position(|known| known == role).unwrap_or(0)
    }

    /// Waits until `look` finds something, or the time is up.
    pub(super) async fn until<T>(
        &self,
        deadline: Duration,
        mut look: impl FnMut(&mut Inner) -> Option<T>,
    ) -> Option<T> {
        poll_fn(|_| {
            self.with(|inner| {
                if let Some(found) = look(inner) {
                    return Poll::Ready(Some(found));
                }
                if inner.field.now() >= deadline {
                    return Poll::Ready(None);
                }
                inner.wakes.insert(deadline);
                Poll::Pending
            })
        })
        .await
    }

    /// Starts the peers of all roles and introduces them.
    pub(super) async fn begin(&self) -> Result<(), String> {
        for role in &self.roles {
            self.start(role)?;
        }
        self.introduce(|_, _| true).await
    }

    /// Starts one peer again and introduces it again.
    pub(super) async fn start_again(&self, role: &RoleName) -> Result<(), String> {
        self.with(|inner| inner.journal.forget_notices(role));
        self.start(role)?;
        self.introduce(|from, to| from == role || to == role).await
    }

    fn start(&self, role: &RoleName) -> Result<(), String> {
        let at = self.place(role);
        self.with(|inner| {
            if inner.field.machine(at).is_on() {
                return Err(format!("{role} runs already"));
            }
            inner.told.remove(&at);
            inner.field.start(at)?;
            let machine = inner.field.machine(at);
            let speaks = machine.config.protocols;
            let versions =
                [entity_wire::version::Version::V1_0, entity_wire::version::Version::V1_1];
            let versions = versions.into_iter().filter(|version| speaks.includes(*version));
            let event = RunEvent::PeerStarted {
                unit: inner.journal.unit(),
                role: role.clone(),
                peer: PeerName::new("entity").map_err(|error| error.to_string())?,
                pid: 0,
                ready_us: 0,
                address: address_of(role.as_str()),
                key: Some(machine.public_key().to_hex()),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol_versions: versions.map(|version| version.as_str().to_owned()).collect(),
            };
            inner.say(event);
            Ok(())
        })
    }

    /// Ends a peer: in order, or by taking its power.
    pub(super) fn end(&self, role: &RoleName, in_order: bool) -> Result<(), String> {
        let at = self.place(role);
        self.with(|inner| {
            if !inner.field.machine(at).is_on() {
                return Err(format!("{role} does not run"));
            }
            let how = if in_order {
                inner.field.stop(at);
                Exit::Code { code: 0 }
            } else {
                inner.field.kill(at);
                Exit::Signal { signal: 9 }
            };
            let (unit, role) = (inner.journal.unit(), role.clone());
            inner.say(RunEvent::PeerExited { unit, role, how, expected: true });
            Ok(())
        })
    }

    /// The names that the scenario's templates know.
    pub(super) fn bindings(&self) -> Bindings {
        let mut bindings = Bindings::new(self.seed);
        for (name, value) in &self.scenario.variables {
            bindings.set(name.clone(), value.clone());
        }
        for role in &self.roles {
            let key =
                self.with(|inner| inner.field.machine(self.place(role)).public_key().to_hex());
            bindings.set_fact(role, "name", json!(role.as_str()));
            bindings.set_fact(role, "key", json!(key));
            bindings.set_fact(role, "address", json!(address_of(role.as_str())));
            bindings.set_fact(role, "host", json!(role.as_str()));
        }
        bindings
    }

    /// First everybody is told of everybody, then those that connect by themselves are told to, as on processes.
    async fn introduce(&self, chosen: impl Fn(&RoleName, &RoleName) -> bool) -> Result<(), String> {
        if self.scenario.introduce == Introduce::Nobody {
            return Ok(());
        }
        let is_on =
            |role: &RoleName| self.with(|inner| inner.field.machine(self.place(role)).is_on());
        let connects =
            |from: &RoleName, to: &RoleName| self.scenario.connect.contains(from) && is_on(to);
        let pairs = self.roles.iter().flat_map(|from| self.roles.iter().map(move |to| (from, to)));
        let pairs: Vec<_> =
            pairs.filter(|(from, to)| from != to && chosen(from, to) && is_on(from)).collect();
        for connect in [false, true] {
            for (from, to) in &pairs {
                let mutual = connects(from, to) && connects(to, from);
                let is_its_turn =
                    if connect { connects(from, to) } else { !connects(from, to) || mutual };
                if is_its_turn {
                    self.tell(from, to, connect).await?;
                }
            }
        }
        Ok(())
    }

    async fn tell(&self, from: &RoleName, to: &RoleName, connect: bool) -> Result<(), String> {
        let mut params = json!({ "name": to.as_str(), "address": address_of(to.as_str()) });
        if self.scenario.introduce == Introduce::All {
            let key = self.with(|inner| inner.field.machine(self.place(to)).public_key().to_hex());
            params["key"] = json!(key);
        }
        if connect {
            params["connect"] = json!(true);
        }
        let method = MethodName::new("peer.add").map_err(|error| error.to_string())?;
        let told = self.call(from, &method, params, handfast_scenario::step::CALL_DEADLINE).await;
        told.map(drop).map_err(|error| format!("{from} could not be told of {to}: {error:?}"))
    }

    /// Asks a role for something and says so.
    pub(super) async fn call(
        &self,
        role: &RoleName,
        method: &MethodName,
        params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        let at = self.place(role);
        let (call, began) = self.with(|inner| inner.begin_call(role, at, method, params));
        let outcome = self.until(began + within, |inner| inner.answers.remove(&call)).await;
        let answer = match outcome {
            None => {
                self.with(|inner| inner.field.forget(call));
                Err(CallError::TimedOut)
            }
            Some(None) => Err(CallError::Gone),
            Some(Some(Ok(result))) => serde_json::from_str(result.get())
                .map_err(|error| CallError::Refused(RpcError::params(error))),
            Some(Some(Err(error))) if error.code == RpcError::METHOD_NOT_FOUND => {
                Err(CallError::Unsupported)
            }
            Some(Some(Err(error))) => Err(CallError::Refused(error)),
        };
        let (role, method, outcome) = (role.clone(), method.clone(), call_outcome(&answer));
        self.with(|inner| {
            let (unit, duration) = (inner.journal.unit(), inner.field.now().saturating_sub(began));
            let duration_us = micros(duration);
            inner.say(RunEvent::CallEnded { unit, call, role, method, outcome, duration_us });
        });
        answer
    }

    /// Asks an oracle about the history so far.
    pub(super) fn judge(&self, name: &str, params: &Value) -> Result<Held, String> {
        self.with(|inner| {
            let outcome = oracle::judge(name, params, inner.journal.events());
            let outcome = outcome.map_err(|error| error.to_string())?;
            let (unit, check) = (inner.journal.unit(), name.to_owned());
            inner.say(RunEvent::CheckEnded { unit, check, outcome: outcome.clone() });
            Ok(outcome)
        })
    }

    /// When somebody wants to be asked next.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        self.with(|inner| inner.wakes.first().copied())
    }

    /// Lets the next thing happen, at `now`.
    pub(super) fn advance(&self, now: Duration) {
        self.with(|inner| {
            inner.field.advance(now);
            inner.wakes = inner.wakes.split_off(&(now + Duration::from_nanos(1)));
            if inner.field.next_due().is_some_and(|due| due <= now)
                && let Err(broken) = inner.field.step()
            {
                inner.broken.get_or_insert(broken);
            }
            inner.note();
        });
    }

    /// Ends the run.
    pub(super) fn close(self) -> (Field, Vec<Recorded>, Option<String>) {
        let Inner { field, journal, broken, .. } = self.inner.into_inner();
        (field, journal.into_events(), broken)
    }
}

impl Inner {
    pub(super) fn say(&mut self, event: RunEvent) {
        let now = self.field.now();
        self.journal.say(now, event);
    }

    fn begin_call(
        &mut self,
        role: &RoleName,
        at: usize,
        method: &MethodName,
        params: Value,
    ) -> (u64, Duration) {
        self.calls += 1;
        let (call, unit) = (self.calls, self.journal.unit());
        let request = request(method.as_str(), &params);
        let (role, method) = (role.clone(), method.clone());
        self.say(RunEvent::CallStarted { unit, call, role, method, params });
        match request {
            Ok(request) => self.field.ask(call, at, request),
            Err(error) => {
                self.answers.insert(call, Some(Err(error)));
            }
        }
        self.note();
        (call, self.field.now())
    }

    /// Writes down what has happened on the field.
    fn note(&mut self) {
        while let Some(noted) = self.field.noted() {
            match noted {
                Noted::Told(at, event) => {
                    let n = self.told.entry(at).or_default();
                    *n += 1;
                    if let Some(line) = entity_contract::event_line(&event, *n) {
                        self.tell(at, &line);
                    } else {
                        *n -= 1;
                    }
                }
                Noted::Answered(call, outcome) => {
                    self.answers.insert(call, outcome);
                }
                Noted::Exchanged(exchanged) => self.exchanged(exchanged),
            }
        }
    }

    fn tell(&mut self, at: usize, line: &str) {
        let Ok(mut line) = serde_json::from_str::<Value>(line) else { return };
        let name = line["method"].as_str().and_then(|name| EventName::new(name).ok());
        let mut params = line["params"].take();
        let n = params.as_object_mut().and_then(|params| params.remove("n"));
        let (Some(event), Some(role)) = (name, self.role(at)) else { return };
        let (unit, n) = (self.journal.unit(), n.and_then(|n| n.as_u64()).unwrap_or(0));
        self.say(RunEvent::PeerEvent { unit, role, n, event, params });
    }

    fn exchanged(&mut self, exchanged: Exchanged) {
        let Exchanged { from, to, number, is_frame, request, delivered, answer, taken } = exchanged;
        let (Some(from), Some(to)) = (self.role(from), self.role(to)) else { return };
        let path = if is_frame { "/frame" } else { "/message" };
        let kind = handfast_faults::FieldPath::key("msg_type");
        let action = match (taken, &answer) {
            (WireTaken::Passed, None) => {
                WireTaken::Unreachable { reason: "there was no answer".to_owned() }
            }
            (taken, _) => taken,
        };
        let event = RunEvent::WireMessage {
            unit: self.journal.unit(),
            from,
            to,
            index: number,
            target: format!("POST {path}"),
            message_type: if is_frame { None } else { handfast_faults::text_of(&request, &kind) },
            request: WireBytes::of(&request),
            delivered: delivered.map(|delivered| WireBytes::of(&delivered)),
            response: answer
                .map(|(status, body)| WireResponse { status, body: WireBytes::of(&body) }),
            action,
        };
        self.say(event);
    }

    fn role(&self, at: usize) -> Option<RoleName> {
        RoleName::new(self.field.machine(at).config.id.as_str()).ok()
    }
}

/// What a method asks of a peer in virtual time.
fn request(method: &str, params: &Value) -> Result<entity_contract::Request, RpcError> {
    let raw = to_raw_value(params).map_err(RpcError::params)?;
    if method == "peer.add" {
        return add_peer(params);
    }
    if method == "transfer.send" {
        return send_transfer(params);
    }
    if let Some(payment) = entity_contract::token::payment(method, Some(&raw)) {
        let command = Command::Token(entity_peer::tokens::TokenCommand::Pay(payment?));
        let answer = entity_contract::Answer::Paid;
        return Ok(entity_contract::Request::Command(Box::new(command), answer));
    }
    entity_contract::read(method, Some(&raw)).unwrap_or_else(|| {
        let problem = format!("method `{method}` is not simulated");
        Err(RpcError::new(RpcError::METHOD_NOT_FOUND, problem))
    })
}

fn add_peer(params: &Value) -> Result<entity_contract::Request, RpcError> {
    let text = |name: &str| {
        let text = params[name].as_str();
        text.ok_or_else(|| RpcError::params(format!("{name}: missing")))
    };
    let name = entity_contract::methods::parameter("name", text("name")?)?;
    let key = entity_contract::token::key_of("key", params["key"].as_str())?;
    let connect = Some(params["connect"] == true);
    let added = AddPeer { name, address: text("address")?.to_owned(), key, connect };
    let command = Box::new(Command::AddPeer(added));
    Ok(entity_contract::Request::Command(command, entity_contract::Answer::Empty))
}

/// Data alone: there are no files to send.
fn send_transfer(params: &Value) -> Result<entity_contract::Request, RpcError> {
    let data = params["data"].as_str().ok_or_else(|| RpcError::params("data: missing"))?;
    let data = base64_decode_strict(data).map_err(RpcError::params)?;
    let to = params["to"].as_str().ok_or_else(|| RpcError::params("to: missing"))?;
    let to = entity_contract::methods::parameter("to", to)?;
    let name = params["name"].as_str();
    let name = name.map(|name| entity_contract::methods::parameter("name", name)).transpose()?;
    let (total_size, sha256) = (data.len() as u64, sha256(&data));
    let source = Source::Memory(Arc::new(data));
    let transfer = Transfer { to, name, source, total_size, sha256 };
    let command = Box::new(Command::Transfer(transfer));
    Ok(entity_contract::Request::Command(command, entity_contract::Answer::Transfer))
}

fn call_outcome(answer: &Result<Value, CallError>) -> CallOutcome {
    match answer {
        Ok(result) => CallOutcome::Ok { result: result.clone() },
        Err(CallError::Refused(error)) => {
            let refusal = error.data.as_ref();
            CallOutcome::Refused {
                code: refusal.map(|refusal| refusal.code.clone()),
                status: refusal.and_then(|refusal| refusal.status),
                rpc_code: i64::from(error.code),
                message: error.message.clone(),
                detail: refusal.map(|refusal| refusal.detail.clone()),
            }
        }
        Err(CallError::Unsupported) => CallOutcome::Unsupported,
        Err(CallError::TimedOut) => CallOutcome::TimedOut,
        Err(CallError::Gone) => CallOutcome::Lost,
    }
}

pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
