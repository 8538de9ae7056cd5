//! Every target over a fixed number of inputs; and that a target which breaks is found out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod inputs;
mod planted;
