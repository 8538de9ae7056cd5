//! What a peer counts of every other peer.

use std::collections::BTreeMap;

use entity_peer::Peer;
use entity_peer::view::{Health, PeerStats, PeerView};
use serde::Serialize;

/// The counters of one peer; `stats` of the contract and `GET /stats` show the same.
#[derive(Debug, Serialize)]
pub struct StatsLine {
    entity_id: String,
    address: String,
    total_messages_sent: u64,
    total_messages_received: u64,
    successful_deliveries: u64,
    failed_deliveries: u64,
    last_seen: Option<String>,
    last_error: Option<String>,
    is_healthy: bool,
}

/// The counters of every peer of the roster, by name.
pub fn stats_lines(peer: &Peer) -> BTreeMap<String, StatsLine> {
    peer.stats().map(|(view, stats)| (view.name.to_string(), StatsLine::of(view, stats))).collect()
}

impl StatsLine {
    fn of(view: PeerView, stats: &PeerStats) -> Self {
        Self {
            entity_id: view.name.to_string(),
            is_healthy: is_healthy(&view),
            address: view.address,
            total_messages_sent: stats.messages_sent,
            total_messages_received: stats.messages_received,
            successful_deliveries: stats.deliveries_successful,
            failed_deliveries: stats.deliveries_failed,
            last_seen: stats.last_seen.map(|at| at.to_string()),
            last_error: stats.last_error.clone(),
        }
    }
}

/// Whether a peer counts as healthy: until three probes failed it does, as in the earlier peer
/// (`docs/protocol/1.0.md#liveness`).
pub fn is_healthy(view: &PeerView) -> bool {
    view.health != Health::Unhealthy
}
