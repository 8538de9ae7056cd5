//! Which feature a message goes to. Features do not know each other; only this table knows them all.

use entity_wire::kind::MessageKind;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Opens a 1.0 handshake.
    Handshake,
    /// Acknowledges a 1.0 handshake.
    HandshakeAck,
    /// Confirms a 1.0 handshake.
    HandshakeConfirm,
    /// Handshake and control messages of 1.1.
    Session1_1,
    /// Asks what we can do.
    CapabilityQuery,
    /// Says what the other side can do.
    CapabilityResponse,
    /// Kept for whoever reads the inbox.
    Inbox,
}

/// Returns the feature of a message type.
///
/// Source: docs/protocol/1.0.md#message-types
pub(crate) fn feature(kind: &MessageKind) -> Feature {
    use MessageKind as Kind;
    match kind {
        Kind::Handshake => Feature::Handshake,
        Kind::HandshakeAck => Feature::HandshakeAck,
        Kind::HandshakeConfirm => Feature::HandshakeConfirm,
        Kind::HandshakeInit
        | Kind::HandshakeInitAck
        | Kind::ChallengeResponse
        | Kind::SessionEstablished
        | Kind::SessionConfirm
        | Kind::Ready
        | Kind::Ack
        | Kind::Skip
        | Kind::SessionClose
        | Kind::SessionResume
        | Kind::SessionResumed
        | Kind::Rekey
        | Kind::RekeyRequest
        | Kind::RekeyAck => Feature::Session1_1,
        Kind::CapabilityQuery => Feature::CapabilityQuery,
        Kind::CapabilityResponse => Feature::CapabilityResponse,
        Kind::Ping
        | Kind::Status
        | Kind::Message
        | Kind::Heartbeat
        | Kind::TaskDelegate
        | Kind::Chunk
        | Kind::Error
        | Kind::Gossip
        | Kind::RegistrySync
        | Kind::WakeUp
        | Kind::WakeUpAck
        | Kind::TokenTransfer
        | Kind::Other(_) => Feature::Inbox,
    }
}
