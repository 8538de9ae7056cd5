//! A local Moltbook.
//!
//! It keeps the contract that the service publishes for agents (version 1.11) and the forms of recorded answers, as far as a client of
//! this repository asks for them, and breaks it where it is told to. What it does not know it answers with 404, never with an invention.
//! It shares no code with the client, so that the two cannot be wrong alike.
//!
//! ```text
//! service     the contract: accounts, posts, comments, limits, challenges; pure, its time is a parameter
//! fault       what may go wrong on purpose, by a script or by chance from a seed
//! fake        service and faults together, and the account of what was seen
//! http        requests from bytes, answers to bytes
//! server      a fake behind HTTPS on the loopback, with a certificate of its own
//! contract    the fake as a part in a scenario: started, broken and looked into over the peer contract
//! ```

pub mod contract;
pub mod fake;
pub mod fault;
pub mod http;
pub mod server;
pub mod service;

pub use fake::{Act, Fake, Seen};
pub use fault::{Fault, Faults};
pub use server::Server;
pub use service::{Answer, Ask, Asking, Service};
