//! The states of a session, by their names in the protocol.

use std::fmt;

/// Where a session stands, as its own side sees it.
///
/// The types of [`super::handshake`] and [`super::session::Session`] are the states; this enum only names
/// them for whoever looks at a session from outside.
///
/// Source: `docs/protocol/1.1.md#session-states`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// Nothing was sent or accepted.
    Initial,
    /// The initiator has sent step 1.
    HandshakeInitSent,
    /// The initiator has accepted step 2 and sent step 3.
    HandshakeAckReceived,
    /// The responder has accepted step 1 and sent its challenge in step 2.
    ChallengeSent,
    /// The responder has accepted step 3 and sent step 4.
    SessionEstablished,
    /// The initiator has accepted step 4 and sent step 5.
    SessionConfirmed,
    /// Both sides have proved their keys; data flows.
    Ready,
    /// The session was ready and was kept across a restart; data flows again once it has resumed.
    Suspended,
    /// The handshake failed.
    Error,
    /// A limit passed, or a newer session took its place.
    Expired,
}

impl SessionState {
    /// All ten, in the order of the protocol.
    pub const ALL: [Self; 10] = [
        Self::Initial,
        Self::HandshakeInitSent,
        Self::HandshakeAckReceived,
        Self::ChallengeSent,
        Self::SessionEstablished,
        Self::SessionConfirmed,
        Self::Ready,
        Self::Suspended,
        Self::Error,
        Self::Expired,
    ];

    /// The name in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::HandshakeInitSent => "handshake_init_sent",
            Self::HandshakeAckReceived => "handshake_ack_received",
            Self::ChallengeSent => "challenge_sent",
            Self::SessionEstablished => "session_established",
            Self::SessionConfirmed => "session_confirmed",
            Self::Ready => "ready",
            Self::Suspended => "suspended",
            Self::Error => "error",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Which side of the handshake this node is; keys keep this direction for the life of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sent step 1.
    Initiator,
    /// Answered step 1.
    Responder,
}

impl Role {
    /// `"initiator"` or `"responder"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
