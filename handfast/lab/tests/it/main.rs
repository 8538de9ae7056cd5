//! The lab against real processes and real sockets.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod cleaning;
mod host;
mod limits;
mod namespaces;
mod networked;
mod networks_left;
mod peers;
mod support;
mod switched;
#[path = "../../stand_in/talk.rs"]
mod talk;
mod taps;
