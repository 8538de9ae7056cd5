//! Peers in networks of their own.
//!
//! Each role of a unit gets a network namespace: a loopback interface, and a TUN interface whose other end is a descriptor in
//! this process. A switch reads and writes these descriptors, so that every packet between two peers passes through it.
//!
//! Nothing of it has a name outside of the namespaces, and nothing is persistent: a namespace lives by descriptors and
//! processes, a TUN interface by its descriptor. So whoever dies, however it dies, leaves nothing that would have to be removed.
//!
//! - [`network`]: the whole: places and the switch between them
//! - [`namespaces`]: what is held while a unit runs
//! - [`place`]: where a role's peer is: its addresses and namespaces
//! - [`port`]: the switch's end of a place
//! - [`plan`]: what a network is to be like; [`switch`]: what carries its packets; [`calibrate`]: how exactly it does
//! - [`means`]: whether this host gives namespaces, to whom, and if not, why
//! - `badge`: what tells the processes of a run by the network they are in
//! - `holder`: the process that makes them, and the sockets inside them

pub(crate) mod badge;
pub mod calibrate;
pub mod error;
mod holder;
pub mod means;
pub mod namespaces;
pub mod network;
pub mod place;
pub mod plan;
pub mod port;
pub mod switch;

pub use error::NetError;
pub use holder::{HOLD, SocketKind, hold};
pub use means::{Ask, Means};
pub use namespaces::{Namespaces, Owner};
pub use network::Net;
pub use place::Place;
pub use plan::NetPlan;
pub use port::Port;
