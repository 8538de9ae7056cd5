//! One file a command: its arguments, whose documentation is its help, and what it does.

pub(crate) mod chaos;
pub(crate) mod ci;
pub(crate) mod doctor;
pub(crate) mod heal;
pub(crate) mod history;
pub(crate) mod lab;
pub(crate) mod list;
pub(crate) mod matrix;
pub(crate) mod merge;
mod network;
pub(crate) mod notify;
pub(crate) mod perf;
pub(crate) mod probe;
pub(crate) mod replay;
pub(crate) mod reproduce;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod selftest;
pub(crate) mod shards;
pub(crate) mod simulate;
pub(crate) mod stub;
pub(crate) mod trend;

mod interruption;
mod retry;
mod rounds;
mod selection;
mod session;
mod shard;
mod suites;
mod telling;
