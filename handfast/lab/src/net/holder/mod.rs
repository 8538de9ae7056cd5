//! The process that makes the namespaces of a unit, and the sockets inside them.
//!
//! Two things only a process of its own can do where handfast is not root: leave the user namespace, which a process with
//! threads cannot, and go on having the rights inside the new one. It is the program of the reaper once more, with [`HOLD`] in
//! the folder's place, alone in its process and without threads. It hands the descriptors of what it made over a socket, the
//! lifeline, and ends when that breaks.
//!
//! A socket belongs for good to the network it was made in, whoever binds or connects it. So the holder only ever makes
//! sockets, and what is done with them is done in handfast, as with any other.
//!
//! - `handle`: handfast's end of the lifeline
//! - `message`: what goes over it, in the frames of the reaper
//! - `server`: the holder's own loop
//! - `interface`: what a new network needs before a peer can be in it

mod handle;
mod interface;
mod message;
mod server;

use std::process::ExitCode;

pub(crate) use handle::{Holder, Made};
pub use message::SocketKind;
pub(crate) use message::{Make, Rights};

/// The argument that makes a reaper's program a holder.
pub const HOLD: &str = "--hold";

/// Serves the lifeline on standard input until it breaks. The process must have one thread.
pub fn hold() -> ExitCode {
    match server::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
