//! What a peer is told before it starts.

use std::time::Duration;

pub use crate::dht::DhtConfig;
use entity_crypto::identity::PeerId;
pub use entity_session::rate_limit::{Rate, RateLimits};
pub use entity_session::v1_1::session::{InvalidLimits, RenewalLimits, SessionLimits};
pub use entity_transfer::Config as TransferConfig;
use entity_wire::decode::DecodeRules;
pub use entity_wire::decode::Profile;
use entity_wire::kind::MessageKind;
pub use entity_wire::v1_0::Flavour;
use entity_wire::version::Version;

/// Everything an operator decides about a peer.
///
/// Build it with [`Config::new`] and change the fields that differ; [`crate::Peer::new`] takes it as it is, because
/// each field's type admits only meaningful values.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our own id: `sender_id` of what we send.
    pub id: PeerId,
    /// Which protocol versions we speak.
    pub protocols: Protocols,
    /// How strictly we receive protocol 1.0.
    pub profile: Profile,
    /// Whether a peer without a configured key may be met.
    pub trust: Trust,
    /// The address under which others reach us, as they should dial it (`http://host:port`); `None` where unknown.
    pub address: Option<String>,
    /// How we write 1.0 envelopes where the command does not say.
    pub flavour: Flavour,
    /// Whether 1.0 handshakes offer and accept session sealing.
    ///
    /// Source: docs/protocol/1.0.md#handshake-behaviour
    pub session_sealing: SessionSealing,
    /// Whether a peer added without saying so is connected to at once, and a message to a peer without a session
    /// opens one first.
    pub auto_connect: AutoConnect,
    /// When messages of 1.1 travel as compact frames.
    ///
    /// Source: docs/protocol/1.1.md#compact-frames
    pub frames: Frames,
    /// Messages a sender may spend, by type, after it is authenticated.
    ///
    /// Source: docs/protocol/1.1.md#rate-limits
    pub rate_limits: RateLimits,
    /// What becomes of a `token_transfer` of 1.0.
    pub legacy_transfers: LegacyTransfers,
    /// When the keys of a session of 1.1 are renewed.
    ///
    /// Source: docs/protocol/1.1.md#rekey
    pub renewal: RenewalLimits,
    /// When this side ends its sessions of 1.1.
    ///
    /// Source: docs/protocol/1.1.md#session-limits
    pub sessions: SessionLimits,
    /// Whether other peers are asked whether they live.
    pub liveness: Liveness,
    /// How often, and what silence means.
    pub heartbeat: Heartbeat,
    /// How many deliveries to a peer fail in a row before nothing is tried for a while; at least 1.
    pub circuit_failures_max: u32,
    /// The bounds of chunked transfers of 1.1.
    pub transfers: TransferConfig,
    /// Whether we take part in WebSockets: our base address serves `/ws`, and we dial those who say the same.
    ///
    /// Source: docs/protocol/1.1.md#websocket
    pub websocket: bool,
    /// The part in the distributed hash table; `None` takes none.
    pub dht: Option<DhtConfig>,
    /// Whether messages go by HTTP, too. The owner of the peer decides by it which way a transmission takes.
    pub http: bool,
    /// The bounds of everything that grows.
    pub limits: Limits,
}

impl Config {
    /// Returns the defaults for a peer called `id`: both versions, hardened, pinned keys, sealing, connecting by itself.
    pub fn new(id: PeerId) -> Self {
        Self {
            id,
            protocols: Protocols::Both,
            profile: Profile::Hardened,
            trust: Trust::Pinned,
            address: None,
            flavour: Flavour::Iso,
            session_sealing: SessionSealing::Offered,
            auto_connect: AutoConnect::Connect,
            frames: Frames::Socket,
            rate_limits: default_rate_limits(),
            renewal: RenewalLimits::default(),
            sessions: SessionLimits::default(),
            legacy_transfers: LegacyTransfers::Refused,
            liveness: Liveness::Probe,
            heartbeat: Heartbeat::default(),
            circuit_failures_max: 5,
            transfers: TransferConfig::default(),
            websocket: false,
            dht: None,
            http: true,
            limits: Limits::default(),
        }
    }

    /// Returns what decoding a message needs to know.
    pub fn decode_rules(&self) -> DecodeRules {
        match self.protocols {
            Protocols::OnlyV1_0 => DecodeRules::V1_0(self.profile),
            Protocols::OnlyV1_1 => DecodeRules::V1_1,
            Protocols::Both => DecodeRules::Both(self.profile),
        }
    }
}

/// Returns the limits of 1.1, with those of its handshake for the messages of the 1.0 handshake: each makes us send one.
///
/// Whoever configures limits lays them over these.
pub fn default_rate_limits() -> RateLimits {
    let mut limits = RateLimits::default();
    for kind in [MessageKind::Handshake, MessageKind::HandshakeAck, MessageKind::HandshakeConfirm] {
        limits.set(kind, Rate::per_second(100, 20));
    }
    limits
}

/// The protocol versions a peer speaks. 0.3 is part of 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocols {
    /// 1.0 only.
    OnlyV1_0,
    /// 1.1 only.
    OnlyV1_1,
    /// 1.1 where the other side has it, 1.0 otherwise.
    Both,
}

impl Protocols {
    /// Returns the names of the versions.
    pub fn texts(self) -> Vec<String> {
        [Version::V1_0, Version::V1_1]
            .into_iter()
            .filter(|version| self.includes(*version))
            .map(|version| version.as_str().to_owned())
            .collect()
    }

    /// Says whether messages of `version` are spoken.
    pub fn includes(self, version: Version) -> bool {
        match (self, version) {
            (Self::OnlyV1_0 | Self::Both, Version::V0_3 | Version::V1_0)
            | (Self::OnlyV1_1 | Self::Both, Version::V1_1) => true,
            (Self::OnlyV1_0, Version::V1_1) | (Self::OnlyV1_1, Version::V0_3 | Version::V1_0) => {
                false
            }
        }
    }
}

/// Whether this crate has the room for 1.1 yet: without it nobody may be told to use 1.1.
pub(crate) const V1_1_IS_SPOKEN: bool = true;

/// Which keys are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Only keys an operator gave.
    Pinned,
    /// Also the key a peer of the roster shows in its first completed handshake; it is then pinned, and counts as unverified.
    FirstUse,
}

/// Whether a 1.0 handshake agrees on sealing keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSealing {
    /// As initiator `e2e_enabled: true`; as responder accepted where offered.
    Offered,
    /// Never.
    Declined,
}

/// What becomes of a `token_transfer` of 1.0, which nobody certifies and nothing keeps from being repeated.
///
/// Source: docs/protocol/1.0.md#message-types
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyTransfers {
    /// It is refused.
    Refused,
    /// The inbox keeps it. It never moves a balance.
    Kept,
}

/// When messages of 1.1 travel as compact frames; always only in sessions whose two sides have listed the capability.
///
/// Source: docs/protocol/1.1.md#compact-frames
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// Never: the capability is not listed, and a frame is refused.
    Never,
    /// To a peer that a WebSocket leads to. Frames are taken on every layer.
    Socket,
    /// On every layer.
    Always,
}

/// Whether sessions are opened without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoConnect {
    /// Yes.
    Connect,
    /// Only on command.
    OnCommand,
}

/// Whether other peers' health is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// By a `heartbeat` in a session of 1.1, by `GET /health` otherwise.
    ///
    /// Source: docs/protocol/1.0.md#liveness, docs/protocol/1.1.md#liveness
    Probe,
    /// Never.
    Silent,
}

/// How peers are asked whether they live.
///
/// Source: docs/protocol/1.0.md#liveness, docs/protocol/1.1.md#liveness
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The time between two questions; at least [`Heartbeat::PERIOD_MIN`].
    pub period: Duration,
    /// How long a question may be under way.
    pub timeout: Duration,
    /// How many in a row without a sign of life make a peer unhealthy; at least 1.
    pub failures_max: u32,
}

impl Heartbeat {
    /// The shortest period: an acknowledgement comes up to a second after what it acknowledges.
    pub const PERIOD_MIN: Duration = Duration::from_secs(2);

    /// Asks every `period`, and waits a third of it for an answer, 5 s at most.
    pub fn every(period: Duration, failures_max: u32) -> Self {
        let period = period.max(Self::PERIOD_MIN);
        Self { period, timeout: (period / 3).min(Duration::from_secs(5)), failures_max }
    }
}

impl Default for Heartbeat {
    /// Every 30 s, three failures: as 1.0 has it.
    fn default() -> Self {
        Self::every(Duration::from_secs(30), 3)
    }
}

/// The bounds of everything that grows. Each has a test that reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Peers in the roster; those that came by themselves are taken while it is less than half full.
    pub peers_max: usize,
    /// Messages the inbox keeps; the oldest give way.
    pub inbox_messages_max: usize,
    /// Bytes of message bodies the inbox keeps; the oldest give way.
    pub inbox_bytes_max: usize,
    /// Nonces remembered for one sender; a sender that has spent them is told `rate_limited`.
    pub nonces_per_sender_max: usize,
    /// Transmissions under way or waiting for their next attempt; a 16th of them may be answers to one peer.
    pub deliveries_max: usize,
    /// Commands waiting for a session with one peer.
    pub waiting_per_peer_max: usize,
    /// Durable messages kept for one peer.
    pub durable_messages_per_peer_max: usize,
    /// Bytes of the bodies of durable messages kept for one peer.
    pub durable_bytes_per_peer_max: usize,
    /// Durable messages kept for all peers.
    pub durable_messages_max: usize,
    /// Bytes of the bodies of durable messages kept for all peers.
    pub durable_bytes_max: usize,
    /// Peers that were met through the table; the one that was used longest ago gives way.
    pub guests_max: usize,
    /// How long a peer may take to complete a handshake we opened.
    pub handshake_timeout: Duration,
}

impl Default for Limits {
    /// Returns guessed values: each is far above what a test or a small network reaches and far below what memory allows.
    fn default() -> Self {
        Self {
            peers_max: 1_024,
            inbox_messages_max: 4_096,
            inbox_bytes_max: 16 << 20,
            nonces_per_sender_max: 1 << 20,
            deliveries_max: 16_384,
            waiting_per_peer_max: 256,
            durable_messages_per_peer_max: 4_096,
            durable_bytes_per_peer_max: 8 << 20,
            durable_messages_max: 32_768,
            durable_bytes_max: 64 << 20,
            guests_max: 384,
            handshake_timeout: Duration::from_secs(30),
        }
    }
}
