//! The envelope of protocol 1.1.
//!
//! - [`Header`]: every field but payload and signature, typed.
//! - [`Draft`]: a message to sign and send; [`Signed`]: its bytes.
//! - [`Unverified`]: a message of the right shape, as it came; everything in it is a claim.
//! - [`Envelope`]: a message whose signature held. Only [`Unverified::verify`] makes one.
//!
//! Every field has exactly one text form, so that the canonical bytes `C(m)` are written from the typed fields.
//!
//! Source: `docs/protocol/1.1.md#envelope`.

mod draft;
mod envelope;
mod header;

pub use draft::{Draft, Signed};
pub use envelope::{Envelope, ShapeError, Unverified};
pub use header::Header;

#[cfg(test)]
mod tests;
