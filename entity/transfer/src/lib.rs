//! Chunked transfer, as pure state: what to send, what to read and write, what to keep.
//!
//! Start at [`Transfers`]. It keeps the pure contract of the house: inputs take `now`, outputs are drained with
//! [`Transfers::poll_output`] after every input, and what is to be kept with [`Transfers::take_writes`] before them.
//! Bytes of a file are in here only while a chunk is on its way: reading, hashing and writing are outputs
//! ([`Io`]), so that a transfer of any size takes a bounded memory.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the bounds |
//! | [`vocabulary`] | offers, outputs, outcomes, views |
//! | `transfers` | [`Transfers`]: all transfers of a node, quotas, ends |
//! | `outgoing`, `incoming` | one transfer each way |
//! | `window` | how much is under way, and when silence is loss |
//! | [`chunk_set`] | which chunks there are |
//! | [`prefix`] | the digest of a whole that comes in any order |
//! | [`memory`] | [`MemoryFiles`]: the other side of [`Io`], in memory |
//! | `record`, `ended`, `deadlines` | what is kept; what ended; what is due |
//!
//! Source: `docs/protocol/1.1.md#chunked-transfer`.

pub mod chunk_set;
pub mod config;
pub mod memory;
pub mod prefix;
pub mod vocabulary;

mod deadlines;
mod ended;
mod incoming;
mod outgoing;
mod record;
mod transfers;
mod window;

pub use config::Config;
pub use memory::MemoryFiles;
pub use prefix::PrefixDigest;
pub use record::{DamagedRecord, SPACE};
pub use transfers::{CancelError, Transfers, may_be_chunked};
pub use vocabulary::{
    ChunkBody, Direction, Event, FinishOutcome, Io, IoOutcome, Keep, Message, Offer, OfferError,
    Output, ReadFailure, ReadOutcome, Source, Standing, View, WriteOutcome,
};
