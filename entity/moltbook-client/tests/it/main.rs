//! The client over HTTPS against the fake, on the loopback.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod cases;
mod faults;
mod secrecy;
mod sharing;
mod support;
