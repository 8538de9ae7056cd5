//! What the GET endpoints show, with the field names of protocol 1.0 (`docs/protocol/1.0.md#endpoints`).

use std::collections::BTreeMap;

use entity_contract::stats::{StatsLine, stats_lines};
use entity_peer::Peer;
use entity_peer::view::{CircuitState, Health, PeerView};
use entity_wire::time::Timestamp;
use serde::Serialize;

/// `GET /`
#[derive(Debug, Serialize)]
pub(crate) struct Root {
    entity_id: String,
    service: &'static str,
    version: &'static str,
    peers_count: usize,
    #[serde(flatten)]
    abilities: Abilities,
}

/// What this implementation always does; the earlier peer could be run without.
#[derive(Debug, Serialize)]
struct Abilities {
    crypto_available: bool,
    signing_enabled: bool,
    verification_enabled: bool,
}

const ABILITIES: Abilities =
    Abilities { crypto_available: true, signing_enabled: true, verification_enabled: true };

impl Root {
    pub(crate) fn of(peer: &Peer) -> Self {
        Self {
            entity_id: peer.config().id.to_string(),
            service: "peer-communication",
            version: "1.0",
            peers_count: peer.peers().count(),
            abilities: ABILITIES,
        }
    }
}

/// `GET /health`
#[derive(Debug, Serialize)]
pub(crate) struct HealthReport {
    entity_id: String,
    port: u16,
    peers: usize,
    healthy_peers: usize,
    total_stats_entries: usize,
    #[serde(flatten)]
    abilities: Abilities,
    public_key: String,
    status: &'static str,
    timestamp: String,
    queue: Queue,
    heartbeat: Heartbeat,
}

#[derive(Debug, Serialize)]
struct Queue {
    size: usize,
    /// Durable messages that are not acknowledged.
    kept: usize,
    stats: QueueCounters,
}

#[derive(Debug, Serialize)]
struct QueueCounters {
    queued: u64,
    sent: u64,
    failed: u64,
    discarded: u64,
}

#[derive(Debug, Serialize)]
struct Heartbeat {
    peer_status: BTreeMap<String, &'static str>,
    /// Peers that nothing is tried with for now.
    circuits_open: usize,
    healthy_count: usize,
}

impl HealthReport {
    pub(crate) fn of(peer: &Peer, now: Timestamp, port: u16) -> Self {
        let peer_status: BTreeMap<_, _> =
            peer.peers().map(|view| (view.name.to_string(), view.health.as_str())).collect();
        let healthy = peer.peers().filter(|view| view.health == Health::Healthy).count();
        let is_open = |view: &PeerView| view.circuit != CircuitState::Closed;
        let circuits_open = peer.peers().filter(is_open).count();
        let queue = peer.queue_stats();
        Self {
            entity_id: peer.config().id.to_string(),
            port,
            peers: peer_status.len(),
            healthy_peers: healthy,
            total_stats_entries: peer.stats().count(),
            abilities: ABILITIES,
            public_key: peer.public_key().to_hex(),
            status: "healthy",
            timestamp: peer.wall_clock(now).to_string(),
            queue: Queue {
                size: queue.size,
                kept: peer.kept_count(),
                stats: QueueCounters {
                    queued: queue.queued,
                    sent: queue.sent,
                    failed: queue.failed,
                    discarded: queue.discarded,
                },
            },
            heartbeat: Heartbeat { peer_status, circuits_open, healthy_count: healthy },
        }
    }
}

/// `GET /peers`
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields of the endpoint, one for one")]
pub(crate) struct Peers {
    entity_id: String,
    peers: Vec<PeerLine>,
    count: usize,
}

#[derive(Debug, Serialize)]
struct PeerLine {
    entity_id: String,
    address: String,
    has_public_key: bool,
}

impl Peers {
    pub(crate) fn of(peer: &Peer) -> Self {
        let line = |view: PeerView| PeerLine {
            entity_id: view.name.to_string(),
            address: view.address,
            has_public_key: view.key.is_some(),
        };
        let peers: Vec<_> = peer.peers().map(line).collect();
        Self { entity_id: peer.config().id.to_string(), count: peers.len(), peers }
    }
}

/// `GET /stats`
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    entity_id: String,
    stats: BTreeMap<String, StatsLine>,
}

impl Stats {
    pub(crate) fn of(peer: &Peer) -> Self {
        Self { entity_id: peer.config().id.to_string(), stats: stats_lines(peer) }
    }
}

/// `GET /public-key`
#[derive(Debug, Serialize)]
pub(crate) struct PublicKeyView {
    entity_id: String,
    public_key: String,
}

impl PublicKeyView {
    pub(crate) fn of(peer: &Peer) -> Self {
        Self { entity_id: peer.config().id.to_string(), public_key: peer.public_key().to_hex() }
    }
}
