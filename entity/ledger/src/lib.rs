//! Certified token transfers, as pure state.
//!
//! | module | what it holds |
//! |---|---|
//! | [`output`] | what goes in and comes out: [`TransferRequest`], [`Output`], [`Event`], [`Keys`] |

pub mod output;

pub use output::{Event, Keys, Movement, Output, Submitted, TransferError, TransferRequest};
