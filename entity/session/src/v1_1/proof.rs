//! Proofs that the checks of a handshake were made.
//!
//! Each is a value without content whose only constructor is the function that makes the check. A ready
//! [`super::session::Session`] cannot be built without all three, so a path that forgets a check
//! does not compile.

/// The traffic keys come out of a key schedule that is salted with the transcript, so two sides that saw
/// different handshakes have different keys.
///
/// Made by [`super::key_schedule::SessionKeys::derive`] only.
#[derive(Debug)]
pub struct TranscriptBound(pub(super) ());

/// The peer signed the transcript with our fresh challenge in it, under its identity key.
///
/// Made by [`super::challenge::verify`] only.
#[derive(Debug)]
pub struct ChallengeVerified(pub(super) ());

/// The peer holds the traffic keys and saw the same handshake up to the last step.
///
/// Made by [`super::handshake::confirm`] only.
#[derive(Debug)]
pub struct KeyConfirmed(pub(super) ());
