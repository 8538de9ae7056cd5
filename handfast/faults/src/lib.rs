//! The faults of the wire, decided purely.
//!
//! The lab's recording proxy shows every message to [`WireRules::decide`] and does what the
//! [`Verdict`] says; the simulator sends every message through a [`Channel`], which asks its
//! [`Weather`]. Nothing here owns a socket or a clock, and all chance comes from a seed: the same
//! rules over the same messages give the same verdicts.
//!
//! - [`link`]: who talks to whom, and which way a message goes
//! - [`rule`]: which messages a rule is for ([`Selector`]) and what it does ([`Action`])
//! - [`wire_rules`]: the engine, and the account of what was asked and what happened
//! - [`edit`]: changes to a body that leave every other byte as it was
//! - [`weather`]: faults that come by chance, one chain of them a direction of a link
//! - [`channel`]: a queue in virtual time under such a weather
//! - [`dice`]: chance from a seed
//! - [`field`]: where a field of a JSON body begins and ends

pub mod channel;
pub mod dice;
pub mod edit;
pub mod field;
mod flip;
pub mod link;
pub mod rule;
pub mod weather;
pub mod wire_rules;

pub use channel::Channel;
pub use dice::{Chance, Dice};
pub use edit::{ByteChange, ByteOffset, Edit, EditError, FieldChange, JsonText, NotJson};
pub use field::{FieldPath, InvalidPath, Missing, locate, text_of};
pub use link::{Direction, Link};
pub use rule::{Action, InvalidRule, Lifetime, Position, Rule, Selector, Traffic};
pub use weather::{Fate, Fault, Weather};
pub use wire_rules::{
    Effect, HoldId, Misfire, MisfireReason, Observed, RuleId, RuleReport, RulesFull, Verdict,
    WireRules,
};
