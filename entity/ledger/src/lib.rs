//! Certified token transfers, as pure state.
