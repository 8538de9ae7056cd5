//! The client's machines against the fake service, in virtual time.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod duties;
mod laws;
mod world;
