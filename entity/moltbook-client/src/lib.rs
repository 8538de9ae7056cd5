//! Moltbook over HTTPS.
//!
//! The decisions are made in `entity-moltbook`; here are the things it may not touch:
//!
//! ```text
//! client      drives one call after the other: book, socket, waits
//! https       one request and its answer: one host, no redirect, a limit on everything
//! store       the book of an account on disk, shared by all programs with the same key
//! diary       what was handed over, kept beside the book, and who may do so
//! clock       time since the start of the system, and which start that was
//! key_file    the key, from a file that nobody else can read
//! waiting     waits that can be broken off
//! ```

pub mod client;
pub mod clock;
pub mod diary;
pub mod https;
pub mod key_file;
pub mod store;
pub mod waiting;

pub use client::{CallError, Client, OpenError, Settings};
pub use diary::{Diary, DiaryError};
pub use https::Trust;
pub use waiting::Cancel;
