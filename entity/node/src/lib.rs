//! The program `entity`: one peer as a process.
//!
//! The peer itself is pure (`entity-peer`); this crate gives it what it may not take for itself, and decides as little as
//! possible:
//!
//! ```text
//! clock, seed             time, randomness
//! wallet_files            the key files on disk
//! config                  what the operator decides: file, environment, flags
//! node                    the run loop: inputs into the peer, its outputs to the wires, its deadlines to a timer
//! layers                  which way a transmission takes: HTTP or an open WebSocket
//! storage                 where the peer's records are kept, and the thread that does it
//! serve                   a node that listens: what run and shim have in common
//! endpoints, views        the HTTP side: POST /message and what GET shows
//! descriptors             how many files and connections it may have open
//! signals                 what ends a node
//! moltbook                an account on Moltbook, and what the node does there by itself
//! rpc                     the peer contract as JSON-RPC lines: one set of methods for the shim and the admin socket
//! shim, admin             the two places where these lines are spoken
//! cli                     one file a command
//! flaws                   defects planted on purpose; none in a default build
//! ```

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
mod descriptors;
pub mod endpoints;
pub mod files;
mod flaws;
pub mod layers;
pub mod moltbook;
pub mod node;
pub mod relay;
pub mod rpc;
pub mod seed;
pub mod serve;
pub mod shim;
pub mod signals;
pub mod storage;
mod views;
pub mod wallet_files;
