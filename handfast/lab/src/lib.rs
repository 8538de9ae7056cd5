//! What a scenario runs in.
//!
//! [`Lab`] belongs to a run, [`Unit`] to one scenario on certain peers. A unit has a reaper process
//! that ends everything it started, a recording proxy between its peers, a client of the peer
//! contract for each peer, and a log of all that was seen.
//!
//! - [`mod@lab`] and [`mod@unit`]: the two objects a runner holds
//! - [`peer`]: one peer: its process, its contract, its log
//! - [`tap`]: the recording proxy; it does what `handfast-faults` decides
//! - [`evidence`]: the log of a unit, on the axis of [`clock`]
//! - [`net`]: peers in networks of their own, where the host gives them
//! - [`host`]: what this host can do, and what each lack costs
//! - [`reaper`]: the process that cleans up, also after `kill -9` of handfast
//! - [`resource`]: limits on what a peer may use of the machine
//! - [`scratch`]: run folders, and what an earlier run left behind
//! - [`usage`]: descriptors and memory of a peer
//! - `sys`: the system calls that need `unsafe`, a reason each

pub mod clock;
pub mod evidence;
pub mod exit;
pub mod host;
pub mod lab;
pub mod net;
pub mod peer;
pub mod reaper;
pub mod resource;
pub mod scratch;
pub mod tap;
pub mod unit;
pub mod usage;

mod sys;

pub use clock::Clock;
pub use evidence::{Evidence, Fact, Observation, Reader};
pub use exit::Exit;
pub use host::Host;
pub use lab::{Lab, LabConfig, LabError};
pub use peer::{CallError, Peer, PeerFault, StartError};
pub use resource::{InForce, LimitError, Limiting};
pub use scratch::{Scratch, Swept};
pub use tap::{Body, Exchange, Fate, Tap, TapConfig};
pub use unit::{CloseReport, Links, NetworkConfig, RoleConfig, Unit, UnitConfig};
pub use usage::Usage;

/// Lets a process that is about to be started outlive this one: it begins a session of its own, so that neither a signal for our
/// process group nor the end of our terminal reaches it. Whoever uses it sees to it that the process ends by itself.
pub fn detach(command: &mut std::process::Command) {
    sys::session::begin(command);
}
