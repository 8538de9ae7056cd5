//! Liveness of the peers we know: every period each is asked for a sign of life.
//!
//! - In a ready session of 1.1 it is sent a `heartbeat`. Only what it signed shows that it lives: its acknowledgement does,
//!   which comes within a second, and so does whatever else it sends. That our message was answered 200 does not.
//! - Without such a session it is asked for `GET /health`, whose answer nobody signs: it says that somebody listens there.
//!
//! Some failures in a row make a peer unhealthy, one sign of life makes it healthy. Nobody is asked twice at a time.
//!
//! Source: docs/protocol/1.0.md#liveness, docs/protocol/1.1.md#liveness

use entity_flaw::{Flaw, planted};
use entity_wire::kind::MessageKind;
use entity_wire::payload::signal::Heartbeat;
use entity_wire::time::Timestamp;

use crate::command::Send;
use crate::config::Liveness;
use crate::core::{Core, Purpose};
use crate::name::PeerName;
use crate::outbox::{Attempts, Outcome, Parcel};
use crate::output::{About, FailureKind, Output, PeerEvent, Request};
use crate::roster::Origin;
use crate::view::Health;

impl Core {
    /// Schedules the first question to a peer.
    pub(crate) fn start_probing(&mut self, peer: &PeerName, now: Timestamp) {
        let probe_at = match self.config.liveness {
            Liveness::Probe => Some(now.plus(self.config.heartbeat.period)),
            Liveness::Silent => None,
        };
        if let Some(entry) = self.roster.get_mut(peer.as_str()) {
            entry.liveness.probe_at = probe_at;
            self.probe_from = [self.probe_from, probe_at].into_iter().flatten().min();
        }
    }

    /// Asks a peer no more, as a flawed peer does.
    pub(crate) fn stop_probing(&mut self, peer: &PeerName) {
        if let Some(entry) = self.roster.get_mut(peer.as_str()) {
            entry.liveness.probe_at = None;
        }
    }

    /// Returns the peers that are due to be asked, each scheduled for its next question. One that has not shown a sign of
    /// life since it got a heartbeat has failed to.
    pub(crate) fn take_due_probes(&mut self, now: Timestamp) -> Vec<PeerName> {
        if self.probe_from.is_none_or(|from| now < from) {
            return Vec::new();
        }
        let next = now.plus(self.config.heartbeat.period);
        let mut due = Vec::new();
        for (name, entry) in self.roster.iter_mut() {
            if entry.liveness.probe_at.is_some_and(|probe_at| probe_at <= now) {
                entry.liveness.probe_at = Some(next);
                due.push(name.clone());
            }
        }
        self.probe_from = self.roster.iter().filter_map(|(_, entry)| entry.liveness.probe_at).min();
        for peer in &due {
            self.fail_heartbeat(peer);
        }
        due
    }

    /// Makes the next heartbeat for a peer, which is awaited from then on.
    pub(crate) fn next_heartbeat(&mut self, peer: &PeerName) -> Option<Send> {
        let liveness = &mut self.roster.get_mut(peer.as_str())?.liveness;
        liveness.heartbeats += 1;
        liveness.awaits_heartbeat = true;
        let body = Heartbeat { sequence: liveness.heartbeats }.to_object();
        Some(Send::new(peer.clone(), MessageKind::Heartbeat, body))
    }

    /// Asks for `GET /health`, unless such a question is under way.
    pub(crate) fn probe(&mut self, peer: &PeerName) {
        let attempts = Attempts::Probe(self.config.heartbeat.timeout);
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        if entry.liveness.is_probed {
            return;
        }
        let parcel = Parcel {
            peer: peer.clone(),
            address: entry.address.clone(),
            takes_sockets: entry.takes_sockets,
            key: entry.key,
            is_named: entry.came == Origin::Operator,
            about: About::Life,
            request: Request::Health,
            attempts,
            is_answer: false,
            purpose: Purpose::Health,
        };
        // Where too much is under way to learn anything about the peer, it is asked later.
        if let Ok(transmit) = self.outbox.queue(parcel) {
            entry.liveness.is_probed = true;
            self.outputs.push_back(Output::Transmit(transmit));
        }
    }

    /// Takes the outcome of `GET /health`.
    pub(crate) fn settle_probe(&mut self, peer: &PeerName, outcome: &Outcome, now: Timestamp) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        entry.liveness.is_probed = false;
        match outcome {
            Outcome::Accepted => {
                // It listens again: what waits for it need not wait longer.
                self.note_reachable(peer, now);
                self.note_alive(peer);
            }
            // There is a way; whether it lives was not said.
            Outcome::Unreachable { kind: FailureKind::Unasked } => self.note_reachable(peer, now),
            Outcome::Refused { .. } | Outcome::Unreachable { .. } => self.note_failure(peer),
        }
    }

    /// Notes that a heartbeat brought no sign of life, if one is awaited still.
    pub(crate) fn fail_heartbeat(&mut self, peer: &PeerName) {
        let entry = self.roster.get_mut(peer.as_str());
        let was_awaited =
            entry.is_some_and(|entry| std::mem::take(&mut entry.liveness.awaits_heartbeat));
        if was_awaited {
            self.note_failure(peer);
        }
    }

    /// Notes that a peer has just shown that it lives.
    pub(crate) fn note_alive(&mut self, peer: &PeerName) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        entry.liveness.failures = 0;
        entry.liveness.awaits_heartbeat = false;
        self.set_health(peer, Health::Healthy);
    }

    fn note_failure(&mut self, peer: &PeerName) {
        let failures_max = self.config.heartbeat.failures_max.max(1);
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        entry.liveness.failures = entry.liveness.failures.saturating_add(1);
        if entry.liveness.failures >= failures_max {
            self.set_health(peer, Health::Unhealthy);
        }
    }

    /// Changes the verdict, and says so where it was another one: a peer of which nothing is known counts as healthy.
    fn set_health(&mut self, peer: &PeerName, health: Health) {
        if planted(Flaw::NeverNoticesAbsence) && health == Health::Unhealthy {
            return;
        }
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        let before = std::mem::replace(&mut entry.liveness.health, health);
        let healthy = health != Health::Unhealthy;
        if healthy != (before != Health::Unhealthy) {
            self.event(PeerEvent::HealthChanged { peer: peer.clone(), healthy });
        }
    }

    /// Returns when the next peer is to be asked, or an earlier time, from which on [`Core::take_due_probes`] knows better.
    pub(crate) fn next_probe(&self) -> Option<Timestamp> {
        self.probe_from
    }
}
