//! Judges what was measured of peers: it is told moments and values, and says what follows from them.
//!
//! This crate is pure: it starts no peer, reads no clock and no file. [`docs/design/perf.md`](../../../docs/design/perf.md) says how a driver measures.
//!
//! Reading order:
//!
//! 1. [`metric`]: what is measured, in which unit, and which way is better.
//! 2. [`load`]: when each message is to be sent. [`latencies`]: how long each took from that moment on, as percentiles.
//! 3. [`figure`]: the values of one metric, round by round, with what chance does to them.
//! 4. [`aim`]: the target and the alert of a metric, and how a value stands to them.
//! 5. [`compare`]: two sets of rounds that took turns, and one run against those before it.
//! 6. [`incident`]: what follows from all that: a warning, one more look, one incident.
//! 7. [`machine`]: the class of a machine; values of two classes are not compared.

pub mod metric;

pub mod latencies;
pub mod load;

pub mod figure;

pub mod aim;
pub mod compare;
pub mod incident;

pub mod machine;

pub use aim::{Aim, Aims, Standing};
pub use figure::Figure;
pub use latencies::Latencies;
pub use load::Load;
pub use metric::Metric;
