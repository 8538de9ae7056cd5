//! System calls that need `unsafe`, a file per family, a reason each.

pub(crate) mod attempt;
pub(crate) mod death_signal;
pub(crate) mod join;
pub(crate) mod mounts;
pub(crate) mod namespace;
pub(crate) mod schedule;
pub(crate) mod session;
pub(crate) mod tun;
pub(crate) mod tun_offload;
