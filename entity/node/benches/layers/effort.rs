//! How much is measured.

/// Rounds and what is in one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of each figure; their median counts.
    pub(crate) rounds: usize,
    /// Messages of a round.
    pub(crate) messages: usize,
    /// Messages of a round of envelopes, and of rust-libp2p's `request-response`.
    pub(crate) envelopes: usize,
    /// Round trips of a round.
    pub(crate) trips: usize,
    /// Handshakes of a round.
    pub(crate) handshakes: usize,
    /// Rounds of a file.
    pub(crate) files: usize,
    /// Size of the file.
    pub(crate) mib: usize,
    /// Payments of a round.
    pub(crate) payments: usize,
    /// Peers that are connected and say nothing.
    pub(crate) idle: usize,
}

pub(crate) const FULL: Effort = Effort {
    rounds: 5,
    messages: 200_000,
    envelopes: 20_000,
    trips: 4_000,
    handshakes: 40,
    files: 3,
    mib: 512,
    payments: 8_192,
    idle: 1_000,
};

pub(crate) const QUICK: Effort = Effort {
    rounds: 3,
    messages: 50_000,
    envelopes: 5_000,
    trips: 1_000,
    handshakes: 15,
    files: 1,
    mib: 128,
    payments: 2_048,
    idle: 1_000,
};
