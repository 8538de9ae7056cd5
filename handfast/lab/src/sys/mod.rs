//! System calls that need `unsafe`, a file per family, a reason each.

pub(crate) mod death_signal;
pub(crate) mod session;
