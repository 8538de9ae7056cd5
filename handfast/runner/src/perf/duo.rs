//! Two peers that were told of each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handfast_faults::Link;
use handfast_lab::clock::monotonic_ns;
use handfast_lab::usage::cpu_us;
use handfast_lab::{Evidence, Fact, Peer, RoleConfig, TapConfig, Unit, UnitConfig};
use handfast_scenario::project::PeerProgram;
use serde_json::{Value, json};

use super::{Cast, Means, PerfError, usage};

/// How peers reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// At their own addresses: nothing stands between them.
    Straight,
    /// Through the recording proxy.
    Recorded,
}

/// Two peers that were told of each other.
pub(super) struct Duo {
    unit: Unit,
    pub(super) a: Arc<Peer>,
    pub(super) b: Arc<Peer>,
    session: Option<String>,
}

impl Duo {
    /// Starts both and tells each of the other.
    pub(super) async fn open(means: Means<'_>, cast: &Cast, way: Way) -> Result<Self, PerfError> {
        let protocol = cast.protocol();
        let roles = [("a", &cast.a), ("b", &cast.b)];
        let roles = roles.map(|(role, program)| config(means, role, program, protocol.clone()));
        let (name, tap) = (format!("perf-{}", cast.name()), TapConfig::default());
        let config = UnitConfig { name, roles: roles.into(), tap, network: None };
        let unit = means.lab.unit(config).await?;
        let start = async |role: &str| {
            let failed = |source| PerfError::Start { peer: role.to_owned(), source };
            unit.start(role).await.map_err(failed)
        };
        let (a, b) = (start("a").await?, start("b").await?);
        for (of, method) in [(&a, "session.open"), (&a, "message.send")] {
            if !of.initialized().methods.contains(method) {
                return Err(PerfError::Lacks { peer: cast.a.name.to_string(), what: method });
            }
        }
        for (from, to) in [(&a, &b), (&b, &a)] {
            let params = introduction(&unit, from, to, way);
            call(from, "peer.add", params).await?;
        }
        Ok(Self { unit, a, b, session: None })
    }

    /// Ends the session that is there, and opens a new one; how long the opening took, in microseconds.
    pub(super) async fn handshake(&mut self) -> Result<u64, PerfError> {
        self.close_session().await?;
        let began_ns = monotonic_ns();
        let opened =
            call(&self.a, "session.open", json!({ "to": self.b.initialized().name })).await?;
        let took_us = (monotonic_ns() - began_ns) / 1_000;
        self.session = opened.get("id").and_then(Value::as_str).map(str::to_owned);
        Ok(took_us)
    }

    /// Ends the session that is there, where a peer offers that.
    pub(super) async fn close_session(&mut self) -> Result<(), PerfError> {
        if let Some(id) = self.session.take()
            && self.a.initialized().methods.contains("session.close")
        {
            call(&self.a, "session.close", json!({ "id": id })).await?;
        }
        Ok(())
    }

    /// The parameters of a message to `b`.
    pub(super) fn message(&self) -> Value {
        json!({ "to": self.b.initialized().name, "body": { "text": "m".repeat(TEXT_LEN) } })
    }

    /// The requests that the recording proxy has seen.
    pub(super) fn requests_seen(&self) -> u64 {
        let mut reader = self.unit.evidence().reader();
        let mut seen = 0;
        while let Some(observation) = reader.try_next() {
            seen += u64::from(matches!(observation.fact, Fact::Exchange(_)));
        }
        seen
    }

    /// What was seen of them.
    pub(super) fn evidence(&self) -> &Evidence {
        self.unit.evidence()
    }

    /// Waits until the recording proxy has nothing under way.
    pub(super) async fn settled(&self) {
        self.unit.tap().settled().await;
    }

    /// Memory of its own of the one that has more of it.
    pub(super) fn memory_bytes(&self) -> Result<u64, PerfError> {
        Ok(usage(&self.a)?.memory_bytes.max(usage(&self.b)?.memory_bytes))
    }

    /// Processor time that both have used.
    pub(super) fn cpu_us(&self) -> Result<u64, PerfError> {
        let of = |peer: &Peer| {
            let failed = |source| PerfError::Usage { peer: peer.role().to_owned(), source };
            cpu_us(peer.pid()).map_err(failed)
        };
        Ok(of(&self.a)? + of(&self.b)?)
    }

    /// Ends both.
    pub(super) async fn close(self) {
        let Self { unit, a, b, .. } = self;
        drop((a, b));
        unit.close().await;
    }
}

/// Calls a peer for something that has to succeed.
pub(super) async fn call(
    peer: &Peer,
    method: &'static str,
    params: Value,
) -> Result<Value, PerfError> {
    let answer = peer.call(method, params, WITHIN).await;
    answer.map_err(|source| PerfError::Call { peer: peer.role().to_owned(), method, source })
}

fn config(
    means: Means<'_>,
    role: &str,
    program: &PeerProgram,
    protocol: Option<String>,
) -> RoleConfig {
    let mut words = means.places.fill(&program.start).into_iter();
    RoleConfig {
        name: role.to_owned(),
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        env: program.env.clone(),
        cwd: Some(means.places.root().to_owned()),
        protocol,
        seed: Some(format!("{}-{role}", means.seed)),
        limits: Vec::new(),
        ready_within: None,
    }
}

fn introduction(unit: &Unit, from: &Peer, to: &Peer, way: Way) -> Value {
    let own = |addresses: &BTreeMap<String, String>| addresses.get("http").cloned();
    let address = match way {
        Way::Straight => own(&to.initialized().addresses),
        Way::Recorded => unit.tap().address(&Link::new(from.role(), to.role())),
    };
    let mut params = json!({ "name": to.initialized().name, "address": address });
    if let Some(key) = to.initialized().keys.get("ed25519") {
        params["key"] = json!(key);
    }
    params
}

/// How long a call may take before it counts as failed: ten times the alert of a handshake.
pub(super) const WITHIN: Duration = Duration::from_secs(10);

/// Bytes of text in a message, as in the benchmarks of layers.
const TEXT_LEN: usize = 256;
