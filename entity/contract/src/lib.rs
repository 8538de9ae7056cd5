//! The peer contract (`docs/contract/`) without its lines: what each method asks of a peer, and how its answers and events look.
//!
//! It owns no socket, clock or task: a node speaks it on standard input and output, and a simulation in virtual time plays
//! scenarios through the same words. [`read`] turns a method and its parameters into a [`Request`]: a command for the peer whose
//! result becomes the [`Answer`], or a [`Look`] at it. What needs a store, a file or a network of its own stays with the node.
//!
//! | module | what it holds |
//! |---|---|
//! | [`methods`] | which method asks for what |
//! | [`token`] | those with tokens |
//! | [`shapes`], [`token_shapes`], [`stats`] | how values of the peer look |
//! | [`events`] | what a peer tells by itself |
//! | [`error`] | why a request was not done |

pub mod error;
pub mod events;
pub mod methods;
pub mod shapes;
pub mod stats;
pub mod token;
pub mod token_shapes;

mod delivery;
mod params;
mod tasks;
mod transfers;

pub use error::{Refusal, RpcError};
pub use events::{EVENTS, event_line, notification_line};
pub use methods::{Answer, Look, Outcome, Request, read};
