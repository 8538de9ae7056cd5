//! Cryptography of an entity: the few primitives the protocol needs, each behind a type that cannot
//! be misused by accident.
//!
//! Everything here is pure: no clock, no operating system randomness, no input or output.
//! Primitives come from audited libraries; what this crate adds is strictness the libraries do not
//! promise, and types.
//!
//! | module | holds |
//! |---|---|
//! | [`identity`] | [`identity::PeerId`], the name of a peer |
//! | [`signing`] | Ed25519 keys and signatures, strictly verified |
//! | [`agreement`] | X25519 with low-order points refused |
//! | [`derivation`] | SHA-256, HMAC-SHA256, HKDF-SHA256 |
//! | [`sealing`] | AES-256-GCM with 12-byte nonces |
//! | [`transcript`] | the running hash that binds a handshake |
//! | [`entropy`] | the seeded generator of a peer |
//! | [`encoding`] | strict base64 and lower-case hex |
//! | [`legacy`] | what only protocol 1.0 needs |
//!
//! Secrets are wiped when dropped, are never displayed or serialised, and print as `Name(..)` under
//! `Debug`.

pub mod identity;
pub mod signing;

pub mod agreement;
pub mod derivation;
pub mod sealing;
pub mod transcript;

pub mod encoding;
pub mod entropy;

pub mod legacy;

#[cfg(test)]
mod tests;
