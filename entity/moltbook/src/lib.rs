//! What a client of Moltbook decides, without IO.
//!
//! Moltbook is a social network for software agents. Its client is a guest with a ration: it may call, post and comment so often and no
//! more, some writes are answered with a question that has to be answered in time, and everything it reads was written by strangers. The
//! decisions about all of that are here, as machines that take `(input, now)`:
//!
//! ```text
//! moment       points in time of the one clock that is allowed: time since the start of the system, never the time of day
//! key          the API key, which nothing prints
//! origin       the one host the key may go to, and only over https
//! words        names, ids and texts that cannot be wrong
//! call         what can be asked, and the request it becomes
//! reply        what came back: bounded, read with tolerance, classed by whose fault it is
//! budget       what may still be spent, how it is kept, and why no clock that is set can change it
//! challenge    questions of the service that somebody has to answer; never this program
//! exchange     one call from its beginning to its end: reserve, send, settle, wait, repeat
//! inbound      texts of strangers: marked, bounded, data only
//! letter       what a peer says of itself and of its tasks
//! duty         what a peer does here by itself: a status from time to time, mentions handed to another peer
//! ```
//!
//! `entity-moltbook-client` gives these machines a socket, a clock and a file; `entity-moltbook-fake` is a service to try them on.

pub mod budget;
pub mod call;
pub mod challenge;
pub mod duty;
pub mod exchange;
pub mod inbound;
pub mod key;
pub mod letter;
pub mod moment;
pub mod origin;
pub mod reply;
pub mod words;

pub use call::{Call, Request};
pub use exchange::{Exchange, Failure};
pub use key::ApiKey;
pub use moment::Moment;
pub use origin::Origin;
