//! The lab against real processes and real sockets.
#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod cleaning;
mod peers;
mod support;
mod taps;
