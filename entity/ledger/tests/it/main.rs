//! Tests of the ledger as its users see it.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test, like the test itself")]

mod crash;
mod members;
mod net;
mod owner_liar;
mod precedence;
mod properties;
mod records;
mod statements;
mod strangers;
mod transfers;
mod vector;
