//! The kinds of message: the values of `msg_type`.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The kind of a message.
        ///
        /// Kinds that the protocol does not name are kept as text: they are delivered to the inbox.
        ///
        /// Source: `docs/protocol/1.0.md#message-types`, `docs/protocol/1.1.md#handshake-steps`.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MessageKind {
            $($(#[$doc])* $variant,)*
            /// Any other text; never one of the texts above when made by [`MessageKind::from_text`].
            Other(String),
        }

        impl MessageKind {
            /// Reads the text of a `msg_type` field.
            pub fn from_text(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }

            /// The text of the `msg_type` field.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }

            /// Every kind that the protocol names, in the order of this file.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

kinds! {
    /// `ping`: no effect but the inbox.
    Ping = "ping",
    /// `status`: no effect but the inbox.
    Status = "status",
    /// `message`: an application message without a meaning of its own.
    Message = "message",
    /// `capability_query`: asks for `capability_response`.
    CapabilityQuery = "capability_query",
    /// `capability_response`.
    CapabilityResponse = "capability_response",
    /// `heartbeat`.
    Heartbeat = "heartbeat",
    /// `task_delegate`.
    TaskDelegate = "task_delegate",
    /// `task_accept`: the task will be done.
    TaskAccept = "task_accept",
    /// `task_refuse`: the task will not be done, and why.
    TaskRefuse = "task_refuse",
    /// `task_result`: the task is done, or has failed.
    TaskResult = "task_result",
    /// `chunk`.
    Chunk = "chunk",
    /// `chunk_init`: offers a chunked transfer.
    ChunkInit = "chunk_init",
    /// `chunk_ack`: says which chunks have arrived.
    ChunkAck = "chunk_ack",
    /// `chunk_resend`: asks for chunks again.
    ChunkResend = "chunk_resend",
    /// `chunk_complete`: ends a chunked transfer.
    ChunkComplete = "chunk_complete",
    /// `error`.
    Error = "error",
    /// `gossip`.
    Gossip = "gossip",
    /// `registry_sync`.
    RegistrySync = "registry_sync",
    /// `wake_up`.
    WakeUp = "wake_up",
    /// `wake_up_ack`.
    WakeUpAck = "wake_up_ack",
    /// `token_transfer`.
    TokenTransfer = "token_transfer",
    /// `token_receipt`: a certificate was applied.
    TokenReceipt = "token_receipt",
    /// `vote_request`: asks a committee member for its vote on an order.
    VoteRequest = "vote_request",
    /// `vote`: a committee member's vote.
    Vote = "vote",
    /// `vote_refusal`: why a committee member does not vote.
    VoteRefusal = "vote_refusal",
    /// `account_query`: asks for the state of an account.
    AccountQuery = "account_query",
    /// `account_state`: the state of an account, as a member sees it.
    AccountState = "account_state",
    /// `dht_ping`: asks a node of the table for a sign of life.
    DhtPing = "dht_ping",
    /// `dht_pong`: is one.
    DhtPong = "dht_pong",
    /// `dht_find`: asks for the contacts nearest to a point.
    DhtFind = "dht_find",
    /// `dht_get`: asks for records.
    DhtGet = "dht_get",
    /// `dht_found`: answers both.
    DhtFound = "dht_found",
    /// `dht_store`: asks for a record to be stored.
    DhtStore = "dht_store",
    /// `dht_stored`: says what became of it.
    DhtStored = "dht_stored",
    /// `dht_leave`: the sender leaves the table.
    DhtLeave = "dht_leave",
    /// `handshake`: first message of the 1.0 handshake.
    Handshake = "handshake",
    /// `handshake_ack`: second message of the 1.0 handshake.
    HandshakeAck = "handshake_ack",
    /// `handshake_confirm`: third message of the 1.0 handshake.
    HandshakeConfirm = "handshake_confirm",
    /// `handshake_init`: step 1 of the 1.1 handshake.
    HandshakeInit = "handshake_init",
    /// `handshake_init_ack`: step 2 of the 1.1 handshake.
    HandshakeInitAck = "handshake_init_ack",
    /// `challenge_response`: step 3 of the 1.1 handshake.
    ChallengeResponse = "challenge_response",
    /// `session_established`: step 4 of the 1.1 handshake.
    SessionEstablished = "session_established",
    /// `session_confirm`: step 5 of the 1.1 handshake, sealed.
    SessionConfirm = "session_confirm",
    /// `ready`: step 6 of the 1.1 handshake, sealed.
    Ready = "ready",
    /// `ack`: control message that only acknowledges.
    Ack = "ack",
    /// `skip`: control message that declares numbers which will not come.
    Skip = "skip",
    /// `session_close`: control message that ends a session.
    SessionClose = "session_close",
    /// `session_resume`.
    SessionResume = "session_resume",
    /// `session_resumed`.
    SessionResumed = "session_resumed",
    /// `rekey`.
    Rekey = "rekey",
    /// `rekey_request`.
    RekeyRequest = "rekey_request",
    /// `rekey_ack`.
    RekeyAck = "rekey_ack",
}

impl MessageKind {
    /// Whether a sealed message of this kind goes without a number.
    ///
    /// Source: `docs/protocol/1.1.md#numbers`.
    pub fn is_control(&self) -> bool {
        matches!(
            self,
            Self::SessionConfirm
                | Self::Ready
                | Self::Ack
                | Self::Skip
                | Self::Rekey
                | Self::RekeyRequest
                | Self::RekeyAck
                | Self::SessionClose
        )
    }

    /// Whether this is a message of the distributed hash table.
    ///
    /// Source: `docs/protocol/1.1.md#dht-messages`.
    pub fn is_dht(&self) -> bool {
        matches!(
            self,
            Self::DhtPing
                | Self::DhtPong
                | Self::DhtFind
                | Self::DhtGet
                | Self::DhtFound
                | Self::DhtStore
                | Self::DhtStored
                | Self::DhtLeave
        )
    }

    /// Whether messages of this kind are made by the protocol alone: handshakes, what resumes or rekeys a session, and
    /// control messages. An application has no business sending them.
    pub fn is_protocols_own(&self) -> bool {
        self.is_control()
            || self.handshake_step().is_some()
            || matches!(
                self,
                Self::Handshake
                    | Self::HandshakeAck
                    | Self::HandshakeConfirm
                    | Self::SessionResume
                    | Self::SessionResumed
            )
    }

    /// The step of the 1.1 handshake that a message of this kind is, 1 to 6.
    ///
    /// Source: `docs/protocol/1.1.md#handshake-steps`.
    pub fn handshake_step(&self) -> Option<u8> {
        const STEPS: [MessageKind; 6] = [
            MessageKind::HandshakeInit,
            MessageKind::HandshakeInitAck,
            MessageKind::ChallengeResponse,
            MessageKind::SessionEstablished,
            MessageKind::SessionConfirm,
            MessageKind::Ready,
        ];
        (1..).zip(&STEPS).find(|(_, kind)| *kind == self).map(|(step, _)| step)
    }

    /// Whether this is one of the three messages of the 1.0 handshake.
    ///
    /// Source: `docs/protocol/1.0.md#handshake`.
    pub fn is_handshake_1_0(&self) -> bool {
        matches!(self, Self::Handshake | Self::HandshakeAck | Self::HandshakeConfirm)
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_kind_reads_back() {
        for kind in MessageKind::NAMED {
            assert_eq!(MessageKind::from_text(kind.as_str()), *kind);
        }
        assert_eq!(MessageKind::from_text("Ping"), MessageKind::Other("Ping".to_owned()));
    }

    #[test]
    fn the_messages_of_the_table_are_those_of_its_payloads() {
        let dht = MessageKind::NAMED.iter().filter(|kind| kind.is_dht());
        let texts: Vec<_> = dht.map(MessageKind::as_str).collect();
        assert_eq!(texts, crate::payload::dht::DhtMessage::KINDS);
    }

    #[test]
    fn handshake_steps_are_numbered_as_in_the_protocol() {
        let steps: Vec<_> =
            MessageKind::NAMED.iter().filter_map(MessageKind::handshake_step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        assert_eq!(MessageKind::Handshake.handshake_step(), None);
    }
}
