//! What the platform talks about: projects, scenarios, plans, events and verdicts.
//!
//! This crate is pure: text goes in, values come out. It opens no file, reads no clock and starts
//! nothing; `lab` and `runner` do that and use these types on the way.
//!
//! Reading order:
//!
//! 1. [`name`]: the names of roles, peers, methods, categories.
//! 2. [`span`] and [`problem`]: where something stands in a file and what is wrong there.
//! 3. [`project`] reads `handfast.toml`; [`flaws`]: how a peer is started with a planted flaw; [`notify`]: who is told what;
//!    [`ci`]: the jobs of a project elsewhere.
//! 4. [`scenario`], [`step`], [`template`], [`expectation`]: a scenario file; [`rule`]: its rules of the wire, filled in;
//!    [`rewrite`]: the same with other disturbances.
//! 5. [`filter`] and [`plan`]: which units of work a run consists of.
//! 6. [`event`], [`verdict`], [`exit`]: what a run says, the only interface after the runner.

pub mod duration;
pub mod name;
pub mod problem;
pub mod span;

pub mod project;

pub mod ci;
pub mod flaws;
pub mod notify;

pub mod expectation;
pub mod rewrite;
pub mod rule;
pub mod scenario;
pub mod step;
pub mod template;

pub mod filter;
pub mod plan;

pub mod event;
pub mod exit;
pub mod verdict;

mod document;
mod read;
mod suggestion;

pub use event::{Recorded, RunEvent};
pub use exit::ExitCode;
pub use plan::{Plan, Unit};
pub use project::Project;
pub use scenario::Scenario;
pub use step::{Step, StepKind};
pub use template::{Bindings, Template};
pub use verdict::Verdict;
