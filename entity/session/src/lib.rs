//! Sessions between two entities, as pure state.
//!
//! Nothing here reads a clock, a random source, a file or a socket: every function that needs the time
//! takes it, and every function that needs randomness takes an [`entity_crypto::entropy::Entropy`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`replay_window`] | which sequence numbers of one direction were accepted |
//! | [`nonce_memory`] | which nonces of one sender were accepted in the last 300 s |
//! | [`rate_limit`] | how many messages of a type an authenticated sender may send |
//! | [`compat_limit`] | the limiter of protocol 1.0's profile `compat` |
//! | [`v1_0`] | handshake, sessions and order rules of protocol 1.0 |
//! | [`v1_1`] | handshake, sealed sessions and numbering of protocol 1.1 |
//!
//! Checks come in pairs: `look` decides and changes nothing, `record` remembers. A caller looks at
//! everything first and records only when every check has passed, so that a message which fails one check
//! never uses up what another one counts (`docs/protocol/1.1.md#order-of-checks`).

pub mod compat_limit;
pub mod nonce_memory;
pub mod rate_limit;
pub mod replay_window;
pub mod v1_0;
pub mod v1_1;
