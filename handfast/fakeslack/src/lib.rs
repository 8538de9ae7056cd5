//! A Slack on this machine, for tests of whoever talks to Slack.
//!
//! It keeps the rules that the real service documents (tokens, scopes, channels, threads, metadata, who may edit what, sizes, rate limits),
//! and it has the weather of a real network: refused for a while, broken, silent, slow, cut before a request was read, cut after it was
//! accepted. It counts for every key what it accepted and how often the answer to it was lost. It shares no code with a client.
//!
//! 1. [`workspace`]: the rules, without input and output.
//! 2. [`weather`]: which fault meets which request, from a seed or as a test says.
//! 3. [`server`]: both behind a socket on 127.0.0.1.
//!
//! `cargo run -p handfast-fakeslack --example serve` runs it for looking at by hand.

pub mod server;
pub mod weather;
pub mod workspace;

pub use server::FakeSlack;
pub use weather::{Fault, Weather};
pub use workspace::{Limits, Message, Settings, Tally};
