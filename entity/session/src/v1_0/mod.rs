//! Protocol 1.0: handshake, sessions and their order rules (`docs/protocol/1.0.md#handshake`).
//!
//! | module | what it holds |
//! |---|---|
//! | [`initiator`] | [`initiator::AwaitingAck`] → [`initiator::Confirming`] → [`established::Established`] |
//! | [`responder`] | [`responder::AwaitingConfirm`] → [`established::Established`] |
//! | [`established`] | a session's age and sequence numbers |
//! | [`sealing`] | the sealed side of a session |
//! | [`accepted`] | which messages were accepted, so that none is handled twice |

pub mod accepted;
pub mod established;
pub mod initiator;
pub mod responder;
pub mod sealing;

#[cfg(test)]
mod handshake_tests;
