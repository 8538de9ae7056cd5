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
    /// Orders, votes, certificates and accounts.
    Token,
    /// Tasks that are delegated, taken, refused, done.
    Task,
    /// Chunks of something larger.
    Transfer,
    /// Wakes a peer, or says that it is awake.
    WakeUp,
    /// A sign of life.
    Heartbeat,
    /// Questions and answers of the distributed hash table.
    Dht,
    /// Says that something of ours failed on the other side.
    Error,
    /// Kept for whoever reads the inbox.
    Inbox,
}

/// Says where a message of a feature goes: whether the inbox keeps it, and whether the feature handles it.
pub(crate) fn destination(feature: Feature) -> (bool, bool) {
    match feature {
        Feature::Handshake
        | Feature::HandshakeAck
        | Feature::HandshakeConfirm
        | Feature::Session1_1
        | Feature::CapabilityQuery
        | Feature::CapabilityResponse
        | Feature::Inbox => (true, false),
        // A heartbeat shows that its sender lives, as whatever it signs does; nobody reads it.
        Feature::Token | Feature::Transfer | Feature::Heartbeat | Feature::Dht => (false, true),
        Feature::Task | Feature::WakeUp | Feature::Error => (true, true),
    }
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
        Kind::TokenTransfer
        | Kind::TokenReceipt
        | Kind::VoteRequest
        | Kind::Vote
        | Kind::VoteRefusal
        | Kind::AccountQuery
        | Kind::AccountState => Feature::Token,
        Kind::TaskDelegate | Kind::TaskAccept | Kind::TaskRefuse | Kind::TaskResult => {
            Feature::Task
        }
        Kind::Chunk
        | Kind::ChunkInit
        | Kind::ChunkAck
        | Kind::ChunkResend
        | Kind::ChunkComplete => Feature::Transfer,
        Kind::DhtPing
        | Kind::DhtPong
        | Kind::DhtFind
        | Kind::DhtGet
        | Kind::DhtFound
        | Kind::DhtStore
        | Kind::DhtStored
        | Kind::DhtLeave => Feature::Dht,
        Kind::WakeUp | Kind::WakeUpAck => Feature::WakeUp,
        Kind::Heartbeat => Feature::Heartbeat,
        Kind::Error => Feature::Error,
        Kind::Ping
        | Kind::Status
        | Kind::Message
        | Kind::Gossip
        | Kind::RegistrySync
        | Kind::Other(_) => Feature::Inbox,
    }
}
