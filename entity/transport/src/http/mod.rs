//! HTTP/1.1, plain, JSON, keep-alive (`docs/protocol/1.0.md#transport`).

pub mod address;
mod answer;
mod body;
pub mod client;
pub mod limits;
mod pool;
pub mod server;
pub(crate) mod slots;

pub use address::{Address, Scheme};
pub use answer::Answer;
pub use client::{Call, Client, Failure};
pub use hyper::Method;
pub use limits::{ClientLimits, ServerLimits};
pub use server::{Caller, Handler, Request, Server, Verb};
