//! What the steps of a unit act on: the lab's unit, the journal, and what is known of the roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handfast_contract::probe::REQUIRED_GETTERS;
use handfast_faults::{Link, RuleId};
use handfast_lab::{CallError, CloseReport, Peer, StartError, Unit};
use handfast_scenario::event::CallOutcome;
use handfast_scenario::name::{MethodName, RoleName};
use handfast_scenario::scenario::{Introduce, Role};
use handfast_scenario::step::CALL_DEADLINE;
use handfast_scenario::{Bindings, RunEvent, Scenario, Template, plan};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::unit::armed::Armed;
use crate::unit::disturb::Disturber;
use crate::unit::journal::Journal;
use crate::unit::step::{StepError, Watch};
use crate::unit::{Surroundings, chain, micros, seed};

/// How long a method named by no step may take, such as `peer.add`: that of any call.
pub(super) const INTRODUCE_DEADLINE: Duration = CALL_DEADLINE;

/// How often it is looked whether tasks that were given up have let go of the unit.
const LET_GO_EVERY: Duration = Duration::from_millis(10);

/// For how many looks: five seconds, on a machine that is busy otherwise.
const LET_GO_TRIES: u32 = 500;

/// A unit in play.
#[derive(Debug)]
pub(super) struct Stage {
    scenario: Arc<Scenario>,
    peers: BTreeMap<RoleName, handfast_scenario::name::PeerName>,
    lab: Arc<Unit>,
    journal: Journal,
    bindings: Bindings,
    seed: u64,
    laid: Mutex<Vec<Laid>>,
    watches: Mutex<Vec<Watch>>,
    armed: Mutex<Vec<Armed>>,
    background: Mutex<JoinSet<Result<(), StepError>>>,
    disturber: Disturber,
}

/// A rule that a step laid on the wire.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    pub(super) id: RuleId,
    pub(super) link: Link,
    pub(super) line: usize,
    pub(super) text: String,
}

impl Stage {
    pub(super) fn new(around: &Surroundings, unit: &plan::Unit, lab: Unit) -> Self {
        let journal = Journal::new(unit.id.clone(), around.mouth.clone(), lab.evidence().reader());
        let seed = seed::of_unit(around.seed, &unit.id, &[]);
        let mut bindings = Bindings::new(seed);
        for (name, value) in &unit.scenario.variables {
            bindings.set(name.clone(), value.clone());
        }
        Self {
            scenario: unit.scenario.clone(),
            peers: unit.peers.clone(),
            lab: Arc::new(lab),
            journal,
            bindings,
            seed,
            laid: Mutex::new(Vec::new()),
            watches: Mutex::new(Vec::new()),
            armed: Mutex::new(Vec::new()),
            background: Mutex::new(JoinSet::new()),
            disturber: Disturber::new(&unit.scenario),
        }
    }

    /// Starts the peers of all roles at the same time, those that are told of others after these.
    pub(super) async fn start_all(&self) -> Result<(), StepError> {
        self.say_network();
        let roles = &self.scenario.roles;
        let mut started = BTreeSet::new();
        while started.len() < roles.len() {
            let is_next = |(name, role): &(&RoleName, &Role)| {
                !started.contains(*name) && role.needs().is_subset(&started)
            };
            let next: Vec<RoleName> =
                roles.iter().filter(is_next).map(|(name, _)| name.clone()).collect();
            if next.is_empty() {
                return Err(StepError::Infra("roles that start after each other".to_owned()));
            }
            self.start_together(&next).await?;
            started.extend(next);
        }
        self.require()
    }

    async fn start_together(&self, roles: &[RoleName]) -> Result<(), StepError> {
        let mut starting = JoinSet::new();
        for role in roles.iter().cloned() {
            let (lab, env) = (self.lab.clone(), self.environment(&role)?);
            starting.spawn(async move {
                let started = lab.start_with(role.as_str(), env).await;
                (role, started)
            });
        }
        let mut failed = None;
        while let Some(joined) = starting.join_next().await {
            let (role, started) = joined.map_err(|error| StepError::Infra(error.to_string()))?;
            match started {
                Ok(peer) => self.started(&role, &peer),
                // One that fails at once must not hide behind one that is slow: but all are waited for,
                // because dropping a start half-way leaves it to the clean-up to find.
                Err(error) => {
                    failed.get_or_insert(start_error(&role, &error));
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Starts one peer again, on its earlier address, and introduces it again.
    pub(super) async fn start_again(
        &self,
        role: &RoleName,
        bindings: &mut Bindings,
    ) -> Result<(), StepError> {
        self.journal.forget_notices(role);
        let env = self.environment(role)?;
        let started = self.lab.start_with(role.as_str(), env).await;
        let peer = started.map_err(|error| start_error(role, &error))?;
        self.started(role, &peer);
        set_facts(bindings, role, &peer, self.lab.tap().advertised(role.as_str()));
        self.disturber.runs_again(role);
        self.disturb_again(role).await?;
        self.introduce(|from, to| from == role || to == role).await
    }

    /// Tells the roles of each other.
    pub(super) async fn introduce_all(&self) -> Result<(), StepError> {
        self.introduce(|_, _| true).await
    }

    /// The names that the scenario's templates know at its start.
    pub(super) fn bindings(&self) -> Bindings {
        let mut bindings = self.bindings.clone();
        for (role, peer) in self.peers() {
            set_facts(&mut bindings, &role, &peer, self.lab.tap().advertised(role.as_str()));
        }
        bindings
    }

    /// What one role knows of all that have started: of each the address at which the role itself reaches it.
    fn bindings_of(&self, role: &RoleName) -> Bindings {
        let mut bindings = self.bindings.clone();
        for (other, peer) in self.peers() {
            let address = self.lab.tap().address(&Link::new(role.as_str(), other.as_str()));
            set_facts(&mut bindings, &other, &peer, address);
        }
        bindings
    }

    /// The environment that the scenario gives a role, with the facts of those that have started.
    fn environment(&self, role: &RoleName) -> Result<BTreeMap<String, String>, StepError> {
        let Some(written) = self.scenario.roles.get(role) else { return Ok(BTreeMap::new()) };
        if written.needs().is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut bindings = self.bindings_of(role);
        let mut fill = |(name, text): (&String, &String)| {
            let filled = Template::new(json!(text)).and_then(|text| text.resolve(&mut bindings));
            let text = filled.map_err(|error| StepError::Infra(error.to_string()))?;
            Ok((name.clone(), text.as_str().map_or_else(|| text.to_string(), str::to_owned)))
        };
        written.env.iter().map(&mut fill).collect()
    }

    /// Asks a role for something and says so.
    pub(super) async fn call(
        &self,
        role: &RoleName,
        method: &MethodName,
        params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        let Some(peer) = self.lab.peer(role.as_str()) else {
            return Err(CallError::Gone { exit: None });
        };
        let call = self.journal.next_call();
        let unit = self.journal.unit().clone();
        self.journal.say(RunEvent::CallStarted {
            unit: unit.clone(),
            call,
            role: role.clone(),
            method: method.clone(),
            params: params.clone(),
        });
        let clock = self.lab.evidence().clock();
        let began_us = clock.now_us();
        let mut answer = peer.call(method.as_str(), params, within).await;
        if let Err(CallError::Unsupported { method }) = &answer
            && peer.initialized().methods.contains(method)
        {
            answer = Err(CallError::Denied { method: method.clone() });
        }
        self.journal.say(RunEvent::CallEnded {
            unit,
            call,
            role: role.clone(),
            method: method.clone(),
            outcome: outcome(&answer),
            duration_us: clock.now_us().saturating_sub(began_us),
        });
        answer
    }

    /// Makes sure that what a peer had to say until now has been read: an answer comes after it.
    pub(super) async fn hear_out(&self, role: &RoleName) {
        let Some(peer) = self.lab.peer(role.as_str()).filter(|peer| peer.exit().is_none()) else {
            return;
        };
        let offered = &peer.initialized().methods;
        let getter = REQUIRED_GETTERS.iter().find(|getter| offered.contains(**getter));
        let method = getter.and_then(|getter| MethodName::new(*getter).ok());
        if let Some(method) = method {
            // Any answer will do, a refusal too.
            drop(self.call(role, &method, json!({}), CALL_DEADLINE).await);
        }
    }

    pub(super) async fn hear_all_out(&self) {
        for role in self.scenario.roles.keys() {
            self.hear_out(role).await;
        }
    }

    /// Does something beside the steps, to its end or the unit's.
    pub(super) fn in_background(
        &self,
        task: impl Future<Output = Result<(), StepError>> + Send + 'static,
    ) {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }

    /// Ends what is done beside the steps; what has failed there by now is returned.
    pub(super) fn background_failure(&self) -> Option<StepError> {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(joined) = background.try_join_next() {
            match joined {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Some(error),
                Err(error) => return Some(StepError::Infra(error.to_string())),
            }
        }
        None
    }

    pub(super) fn end_background(self) -> Self {
        self.background.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self
    }

    pub(super) fn watch(&self, watch: Watch) {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).push(watch);
    }

    pub(super) fn watches(&self) -> Vec<Watch> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn arm(&self, armed: Armed) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push(armed);
    }

    /// The faults that steps have announced, in their order.
    pub(super) fn armed(&self) -> Vec<Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_rule(&self, laid: Laid) {
        self.laid.lock().unwrap_or_else(PoisonError::into_inner).push(laid);
    }

    /// What the chance of a rule at this line follows from.
    pub(super) fn seed_of_rule(&self, line: usize) -> u64 {
        let laid = self.laid.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = laid.iter().filter(|laid| laid.line == line).count();
        seed::derive(self.seed, &["wire", &line.to_string(), &earlier.to_string()])
    }

    /// The rules that steps have laid on a link.
    pub(super) fn rules_on(&self, link: &Link) -> Vec<RuleId> {
        let laid = self.laid.lock().unwrap_or_else(PoisonError::into_inner);
        laid.iter().filter(|laid| laid.link == *link).map(|laid| laid.id).collect()
    }

    /// A warning for each rule and each fault that never did anything: a step that was meant to disturb and did not.
    pub(super) fn without_effect(&self) -> Vec<(&'static str, String)> {
        let faults = self.armed();
        let faults = faults.iter().filter_map(Armed::without_effect);
        let disturbances = self.disturbances_without_effect();
        self.rules_without_effect().into_iter().chain(faults).chain(disturbances).collect()
    }

    fn rules_without_effect(&self) -> Vec<(&'static str, String)> {
        let laid = self.laid.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = self.lab.tap().without_effect();
        let warning = |report: handfast_faults::RuleReport| {
            let laid = laid.iter().find(|laid| laid.id == report.id)?;
            let why = match &report.last_misfire {
                Some(misfire) => {
                    format!("it matched but could not act: {}", chain(&misfire.reason))
                }
                None if report.matched > 0 => {
                    format!("{} messages matched, none was its turn", report.matched)
                }
                None => "no message matched".to_owned(),
            };
            Some(("never-exercised", format!("line {}: {}: {why}", laid.line, laid.text)))
        };
        idle.into_iter().filter_map(warning).collect()
    }

    /// The peers that play at this moment or played last.
    pub(super) fn peers(&self) -> BTreeMap<RoleName, Arc<Peer>> {
        let roles = self.scenario.roles.keys();
        roles.filter_map(|role| Some((role.clone(), self.lab.peer(role.as_str())?))).collect()
    }

    pub(super) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(super) fn lab(&self) -> &Arc<Unit> {
        &self.lab
    }

    pub(super) fn disturber(&self) -> &Disturber {
        &self.disturber
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Closes the lab's unit.
    /// Closes the unit; each of its peers may take so long to stop.
    pub(super) async fn close(self, stop: Duration) -> CloseReport {
        let Self { lab, background, .. } = self;
        let mut background = background.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Tasks beside the steps hold the unit; they are aborted and gone before it closes.
        background.shutdown().await;
        let mut lab = lab;
        for _ in 0..LET_GO_TRIES {
            match Arc::try_unwrap(lab) {
                Ok(unit) => return unit.close_within(stop).await,
                // A start that was given up in its midst lets go of the unit only when its task has been dropped.
                Err(held) => lab = held,
            }
            tokio::time::sleep(LET_GO_EVERY).await;
        }
        // Somebody still holds it: dropping ends it all the same, unproved, which `clean` says.
        CloseReport::default()
    }

    fn started(&self, role: &RoleName, peer: &Peer) {
        let hello = peer.initialized();
        let Some(program) = self.peers.get(role) else { return };
        self.journal.say(RunEvent::PeerStarted {
            unit: self.journal.unit().clone(),
            role: role.clone(),
            peer: program.clone(),
            pid: peer.pid(),
            ready_us: peer.ready_us(),
            address: self.lab.tap().advertised(role.as_str()).unwrap_or_default(),
            key: hello.keys.get("ed25519").cloned(),
            version: hello.version.clone(),
            protocol_versions: hello.protocol_versions.clone(),
        });
    }

    /// Whether every peer offers what the scenario requires.
    fn require(&self) -> Result<(), StepError> {
        for (role, peer) in self.peers() {
            let offered = &peer.initialized().methods;
            let missing =
                self.scenario.requires.iter().find(|method| !offered.contains(method.as_str()));
            if let Some(method) = missing {
                return Err(StepError::Unsupported { role, method: method.clone() });
            }
        }
        Ok(())
    }

    /// First everybody is told of everybody, then those that connect by themselves are told to: a peer
    /// must not meet a stranger only because it was told later.
    async fn introduce(
        &self,
        chosen: impl Fn(&RoleName, &RoleName) -> bool,
    ) -> Result<(), StepError> {
        if self.scenario.introduce == Introduce::Nobody {
            return Ok(());
        }
        let peers = self.peers();
        let pairs: Vec<(&RoleName, &RoleName)> = peers
            .keys()
            .flat_map(|from| peers.keys().map(move |to| (from, to)))
            .filter(|(from, to)| from != to && chosen(from, to))
            .collect();
        let connects = |from: &RoleName, to: &RoleName| {
            self.scenario.connect.contains(from)
                // Where both are to connect, each has to know the other first.
                && peers.get(to).is_some_and(|peer| peer.exit().is_none())
        };
        let mutual = |from: &RoleName, to: &RoleName| connects(from, to) && connects(to, from);
        let first = pairs.iter().filter(|(from, to)| !connects(from, to) || mutual(from, to));
        self.tell(first.copied(), false).await?;
        let then = pairs.iter().filter(|(from, to)| connects(from, to));
        self.tell(then.copied(), true).await
    }

    async fn tell<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a RoleName, &'a RoleName)>,
        connect: bool,
    ) -> Result<(), StepError> {
        let Ok(method) = MethodName::new("peer.add") else { return Ok(()) };
        for (from, to) in pairs {
            let asked = self.lab.peer(from.as_str()).filter(|peer| peer.exit().is_none());
            let Some(params) = self.introduction(from, to, connect).filter(|_| asked.is_some())
            else {
                continue;
            };
            // Who stands still or is being killed was told when all were, and the address has not changed.
            if self.disturber.hampers(from) {
                continue;
            }
            let told = self.call(from, &method, params, INTRODUCE_DEADLINE).await;
            let Err(error) = told else { continue };
            // Who was killed meanwhile and runs again already is told by whoever started it.
            let plays = self.lab.peer(from.as_str());
            let is_another =
                asked.is_none_or(|asked| plays.is_none_or(|plays| !Arc::ptr_eq(&asked, &plays)));
            if !is_another && !self.disturber.hampers(from) {
                let context = format!("{from} could not be told of {to}");
                return Err(StepError::of_call(from, &method, &error, &context));
            }
        }
        Ok(())
    }

    fn introduction(&self, from: &RoleName, to: &RoleName, connect: bool) -> Option<Value> {
        let peer = self.lab.peer(to.as_str())?;
        let address = match self.scenario.roles.get(to).and_then(|role| role.address.as_ref()) {
            None => json!(self.lab.tap().address(&Link::new(from.as_str(), to.as_str()))?),
            // Who stands before it needs no telling, and could not find it there.
            Some(_) if self.scenario.roles[to].stands_behind().contains(from) => return None,
            Some(text) => {
                let template = Template::new(json!(text)).ok()?;
                template.resolve(&mut self.bindings_of(from)).ok()?
            }
        };
        let mut params = json!({ "name": to.as_str(), "address": address });
        if self.scenario.introduce == Introduce::All
            && let Some(key) = peer.initialized().keys.get("ed25519")
        {
            params["key"] = json!(key);
        }
        if connect {
            params["connect"] = json!(true);
        }
        Some(params)
    }
}

fn set_facts(bindings: &mut Bindings, role: &RoleName, peer: &Peer, address: Option<String>) {
    bindings.set_fact(role, "name", json!(peer.initialized().name));
    if let Some(key) = peer.initialized().keys.get("ed25519") {
        bindings.set_fact(role, "key", json!(key));
    }
    if let Some(address) = address {
        if let Some((_, host)) = address.split_once("://") {
            bindings.set_fact(role, "host", json!(host));
        }
        bindings.set_fact(role, "address", json!(address));
    }
}

fn outcome(answer: &Result<Value, CallError>) -> CallOutcome {
    match answer {
        Ok(result) => CallOutcome::Ok { result: result.clone() },
        Err(CallError::Refused(error)) => {
            let refusal = error.refusal();
            CallOutcome::Refused {
                code: refusal.as_ref().map(|refusal| refusal.code.clone()),
                status: refusal.as_ref().and_then(|refusal| refusal.status),
                rpc_code: error.code,
                message: error.message.clone(),
                detail: refusal.and_then(|refusal| refusal.detail),
            }
        }
        Err(CallError::Unsupported { .. } | CallError::Denied { .. }) => CallOutcome::Unsupported,
        Err(CallError::TimedOut { .. }) => CallOutcome::TimedOut,
        Err(
            CallError::Gone { .. }
            | CallError::NotReading { .. }
            | CallError::Fault(_)
            | CallError::Request(_),
        ) => CallOutcome::Lost,
    }
}

/// A program that is not there is the project's or the machine's mistake; one that is there and does not
/// answer is the peer's.
fn start_error(role: &RoleName, error: &StartError) -> StepError {
    let reason = format!("the peer of {role} did not start: {}", chain(error));
    let not_its_fault = matches!(
        error,
        StartError::NoSuchRole { .. }
            | StartError::RunsAlready { .. }
            | StartError::Spawn { .. }
            | StartError::Lab(_)
    );
    if not_its_fault { StepError::Infra(reason) } else { StepError::Failed(reason) }
}

/// How long a step took, for its event.
pub(super) fn elapsed_us(stage: &Stage, began_us: u64) -> u64 {
    stage.lab().evidence().clock().now_us().saturating_sub(began_us)
}

/// The microseconds of a deadline, for texts.
pub(super) fn deadline_text(within: Duration) -> String {
    handfast_scenario::duration::display(Duration::from_micros(micros(within)))
}
