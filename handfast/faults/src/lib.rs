//! The faults of the wire and of everything around it, decided purely.
//!
//! The lab's recording proxy shows every message to [`WireRules::decide`] and does what the
//! [`Verdict`] says; its switch shows every packet to a [`Shaper`]; the simulator sends every message through a
//! [`Channel`], which asks its [`Weather`]. A [`Timeline`] says when a disturbance is to begin and to end. Nothing here
//! owns a socket or a clock, and all chance comes from a seed: the same rules over the same messages give the same
//! verdicts.
//!
//! Of messages:
//! - [`link`]: who talks to whom, and which way a message goes
//! - [`rule`]: which messages a rule is for ([`Selector`]) and what it does ([`Action`])
//! - [`wire_rules`]: the engine, and the account of what was asked and what happened
//! - [`edit`]: changes to a body that leave every other byte as it was
//! - [`weather`]: faults that come by chance, one chain of them a direction of a link
//! - [`channel`]: a queue in virtual time under such a weather
//! - [`field`]: where a field of a JSON body begins and ends
//!
//! Of packets, processes and resources:
//! - [`conditions`]: what one direction of a link is like, and patches over that
//! - [`mod@preset`]: the conditions of real links, with the source of their numbers
//! - [`shaper`]: what becomes of each packet
//! - [`account`]: what was asked, and what was measured
//! - [`disturbance`]: what is done, when, for how long
//! - [`timeline`]: when each disturbance begins and ends
//! - [`kinds`]: what each kind of fault is called
//!
//! Beneath both:
//! - [`dice`]: chance from a seed, used up; `stream`: chance that is looked up by the number of a packet;
//!   `strata`: a share that holds for few messages, too
//! - `delay`: delays from a distribution
//! - [`histogram`] counts
//! - [`units`]: quantities as people write them

pub mod account;
pub mod channel;
pub mod conditions;
mod delay;
pub mod dice;
pub mod disturbance;
pub mod edit;
pub mod field;
mod flip;
pub mod histogram;
pub mod kinds;
pub mod link;
pub mod preset;
pub mod rule;
pub mod shaper;
mod strata;
mod stream;
pub mod timeline;
pub mod units;
pub mod weather;
pub mod wire_rules;

pub use account::{Account, Cause, Level, Line, LineVerdict};
pub use channel::Channel;
pub use conditions::{
    Approximation, Conditions, ConditionsPatch, Cut, Delay, InvalidConditions, InvalidPatch, Loss,
    Queue, Rate, Reorder, Shape,
};
pub use dice::{Chance, Dice, NoShare};
pub use disturbance::{Cue, Disturbance, Limit, What, When};
pub use edit::{ByteChange, ByteOffset, Edit, EditError, FieldChange, JsonText, NotJson};
pub use field::{FieldPath, InvalidPath, Missing, locate, text_of};
pub use histogram::Histogram;
pub use link::{Direction, Link};
pub use preset::{PRESETS, Preset, preset};
pub use rule::{Action, InvalidRule, Lifetime, Position, Rule, Selector, Traffic};
pub use shaper::{BitFlip, Copies, Packet, PacketCopy, PacketFate, Shaper};
pub use timeline::{Done, Order, Timeline, TooMany};
pub use weather::{Fate, Fault, Weather};
pub use wire_rules::{
    Effect, HoldId, Misfire, MisfireReason, Observed, RuleId, RuleReport, RulesFull, Verdict,
    WireRules,
};
