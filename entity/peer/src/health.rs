//! Liveness of the peers we know: `GET /health` every 30 s (`docs/protocol/1.0.md#liveness`).

use std::time::Duration;

use entity_wire::time::Timestamp;

use crate::config::Liveness;
use crate::core::{Core, Purpose};
use crate::name::PeerName;
use crate::outbox::{Attempts, Outcome, Parcel};
use crate::output::{Output, PeerEvent, Request};
use crate::view::Health;

/// Time between two probes of a peer.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// Failures in a row that make a peer unhealthy.
const FAILURES_MAX: u32 = 3;

impl Core {
    /// Schedules the first probe of a peer.
    pub(crate) fn start_probing(&mut self, peer: &PeerName, now: Timestamp) {
        let probe_at = match self.config.liveness {
            Liveness::Probe => Some(now.plus(PROBE_INTERVAL)),
            Liveness::Silent => None,
        };
        if let Some(entry) = self.roster.get_mut(peer.as_str()) {
            entry.liveness.probe_at = probe_at;
        }
    }

    /// Sends the probes that are due.
    pub(crate) fn probe(&mut self, now: Timestamp) {
        for (name, entry) in self.roster.iter_mut() {
            if entry.liveness.probe_at.is_none_or(|probe_at| probe_at > now) {
                continue;
            }
            entry.liveness.probe_at = None;
            let parcel = Parcel {
                peer: name.clone(),
                address: entry.address.clone(),
                request: Request::Health,
                attempts: Attempts::Probe,
                is_answer: false,
                purpose: Purpose::Health,
            };
            match self.outbox.queue(parcel) {
                Ok(transmit) => self.outputs.push_back(Output::Transmit(transmit)),
                // There is too much under way to learn anything about the peer: ask later.
                Err(_) => entry.liveness.probe_at = Some(now.plus(PROBE_INTERVAL)),
            }
        }
    }

    /// Takes the outcome of a probe, and schedules the next.
    pub(crate) fn settle_probe(&mut self, peer: &PeerName, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Accepted => self.note_alive(peer),
            Outcome::Refused { .. } | Outcome::Unreachable { .. } => self.note_failure(peer),
        }
        if let Some(entry) = self.roster.get_mut(peer.as_str()) {
            entry.liveness.probe_at = Some(now.plus(PROBE_INTERVAL));
        }
    }

    /// Notes that a peer has just shown that it lives.
    pub(crate) fn note_alive(&mut self, peer: &PeerName) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        entry.liveness.failures = 0;
        self.set_health(peer, Health::Healthy);
    }

    fn note_failure(&mut self, peer: &PeerName) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        entry.liveness.failures = entry.liveness.failures.saturating_add(1);
        if entry.liveness.failures >= FAILURES_MAX {
            self.set_health(peer, Health::Unhealthy);
        }
    }

    fn set_health(&mut self, peer: &PeerName, health: Health) {
        let Some(entry) = self.roster.get_mut(peer.as_str()) else { return };
        if entry.liveness.health != health {
            entry.liveness.health = health;
            let healthy = health == Health::Healthy;
            self.event(PeerEvent::HealthChanged { peer: peer.clone(), healthy });
        }
    }

    /// Returns when the next probe is due.
    pub(crate) fn next_probe(&self) -> Option<Timestamp> {
        self.roster.iter().filter_map(|(_, entry)| entry.liveness.probe_at).min()
    }
}
