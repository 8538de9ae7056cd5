//! Tests of the ledger as its users see it.

mod net;
mod transfers;
