//! What bounds transfers.

use std::time::Duration;

/// The bounds of transfers. Defaults are those of `docs/protocol/1.1.md#chunk-limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The size of the chunks of what this side sends, in bytes.
    pub chunk_size: u32,
    /// The largest transfer taken or offered, in bytes.
    pub transfer_bytes_max: u64,
    /// The largest message taken or offered as a transfer, in bytes: it is held in memory when it is whole.
    pub message_bytes_max: u64,
    /// Open transfers of one peer, each way. What this side offers beyond waits.
    pub open_per_peer_max: usize,
    /// What all open transfers of one peer may promise together, in bytes.
    pub bytes_per_peer_max: u64,
    /// Transfers of this side that wait for their turn, to all peers together.
    pub waiting_max: usize,
    /// Chunks received and not yet written, of one transfer.
    pub unwritten_max: usize,
    /// Chunks under way, of one transfer.
    pub window_max: u32,
    /// A transfer without progress for so long is over.
    pub idle_limit: Duration,
    /// Ended transfers remembered of one peer.
    pub ended_per_peer_max: usize,
    /// Ended transfers remembered in all.
    pub ended_max: usize,
    /// How long an ended transfer is remembered.
    pub ended_limit: Duration,
    /// What is written before it is made durable, in bytes. A crash repeats at most so much.
    pub sync_bytes: u64,
    /// What was written waits at most so long to be made durable.
    pub sync_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chunk_size: 64 << 10,
            transfer_bytes_max: 1 << 30,
            message_bytes_max: 8 << 20,
            open_per_peer_max: 16,
            bytes_per_peer_max: 4 << 30,
            waiting_max: 256,
            unwritten_max: 64,
            window_max: 32,
            idle_limit: Duration::from_mins(30),
            ended_per_peer_max: 64,
            ended_max: 4_096,
            ended_limit: Duration::from_hours(24),
            sync_bytes: 32 << 20,
            sync_interval: Duration::from_secs(5),
        }
    }
}
