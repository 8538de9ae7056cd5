//! What travels on a WebSocket between a relay and whoever uses it: who is at the other end, and messages for third parties.
//!
//! - [`forward`]: [`Header`], the 51 bytes before a message that is handed on untouched.
//! - [`control`]: [`Control`], the JSON objects by which a member registers and acknowledges its mail.
//!
//! Which binary WebSocket message is what says [`crate::socket::BinaryKind`].

pub mod control;
pub mod forward;

pub use control::{Challenge, Control, Registered, Registration, UnknownControl};
pub use forward::{Form, ForwardError, ForwardId, Header};

#[cfg(test)]
mod tests;
