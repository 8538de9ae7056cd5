//! What two entities put on the wire: the only crate that reads or writes the bytes of a message.
//!
//! Pure: bytes in, values out. Nothing here reads a clock, a random source, a file or a socket.
//! The modules, in reading order:
//!
//! - [`limits`]: every bound of this crate, by name.
//! - [`time`], [`id`]: the values that every message carries.
//! - [`json`]: the parser and the tree; [`canonical`]: the one form that is signed.
//! - [`version`], [`kind`], [`code`]: the closed vocabularies of the protocol.
//! - [`decode`]: the way in. Bytes become an unverified envelope of one version.
//! - [`v1_0`], [`v1_1`]: the envelopes. A verified one is a proof value: only `verify` makes it.
//! - [`frame`]: compact frames, which carry a message without an envelope.
//! - [`payload`]: one file for each family of payloads.
//! - [`jwt`]: tokens by which a peer shows a third party who it is.
//! - [`reply`]: what an HTTP answer says, written and read.
//! - [`socket`]: what a WebSocket carries besides envelopes.
//! - [`relay`]: what a relay, its members and those who send by it say on a WebSocket.
//!
//! The way of a message: `&[u8]` → [`decode::decode`] → `Unverified` → `verify` → `Envelope` →
//! `payload::…::from_object`. The way out: `Draft` → `sign` → bytes.

pub mod canonical;
pub mod code;
pub mod decode;
pub mod frame;
pub mod id;
pub mod json;
pub mod jwt;
pub mod kind;
pub mod limits;
pub mod payload;
pub mod relay;
pub mod reply;
pub mod socket;
pub mod time;
pub mod v1_0;
pub mod v1_1;
pub mod version;
