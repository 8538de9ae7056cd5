//! Proofs that the checks of a handshake were made.
//!
//! Each is a value without content that only the function that makes the check can construct, because its one
//! field is private to that function's module. A ready [`super::session::Session`] cannot be built without all
//! three, so a path that forgets a check does not compile.

pub use super::challenge::ChallengeVerified;
pub use super::handshake::KeyConfirmed;
pub use super::key_schedule::TranscriptBound;
