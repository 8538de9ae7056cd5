//! The faults of the wire, decided purely.
//!
//! A driver (the lab's recording proxy, later the simulator) shows every message to
//! [`WireRules::decide`] and does what the [`Verdict`] says. Nothing here owns a socket, a clock or
//! a random source: the same rules over the same messages give the same verdicts.
//!
//! - [`link`]: who talks to whom, and which way a message goes
//! - [`rule`]: which messages a rule is for ([`Selector`]) and what it does ([`Action`])
//! - [`wire_rules`]: the engine, and the account of what was asked and what happened
//! - [`edit`]: changes to a body that leave every other byte as it was
//! - [`field`]: where a field of a JSON body begins and ends

pub mod edit;
pub mod field;
mod flip;
pub mod link;
pub mod rule;
pub mod wire_rules;

pub use edit::{ByteChange, ByteOffset, Edit, EditError, FieldChange, JsonText, NotJson};
pub use field::{FieldPath, InvalidPath, Missing, locate, text_of};
pub use link::{Direction, Link};
pub use rule::{Action, InvalidRule, Lifetime, Position, Rule, Selector, Traffic};
pub use wire_rules::{
    Effect, HoldId, Misfire, MisfireReason, Observed, RuleId, RuleReport, RulesFull, Verdict,
    WireRules,
};
