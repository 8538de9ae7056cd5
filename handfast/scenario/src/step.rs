//! What happens in a scenario, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::duration;
use crate::event::Half;
use crate::expectation::Condition;
use crate::name::{EventName, MethodName, RoleName};
use crate::span::Span;
use crate::template::{Path, Template};

/// How long a call may take where a scenario does not say: far more than any call of a healthy peer
/// takes, and short enough that a hang is seen within one coffee sip. A guess.
pub const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// Most rounds of a `repeat`.
pub const ROUNDS_MAX: usize = 100_000;

/// Deepest nesting of steps inside steps.
pub const STEP_DEPTH_MAX: usize = 4;

/// One step and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// Where it stands in the file.
    pub span: Span,
    /// The step in a few words, for a person who watches.
    pub text: String,
}

/// How a step in a few words begins that waits until every disturbance is over.
pub const CALM_WITHIN: &str = "calm within ";

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// Asks a role for something.
    Call(Call),
    /// Looks at a getter until it shows what is expected.
    Expect(Expect),
    /// Waits for a notification.
    AwaitEvent(AwaitEvent),
    /// Forbids a notification for a while.
    Never(Never),
    /// Carries out its children at the same time.
    Parallel(Vec<Step>),
    /// Carries out its children again and again.
    Repeat(Repeat),
    /// Tells the wire tap what to do.
    Wire(Wire),
    /// Injects a fault into a peer.
    Fault(Fault),
    /// Asks oracles about the history so far.
    Check(Vec<OracleCall>),
    /// Measures what the processes of these roles hold.
    Measure(Vec<RoleName>),
    /// Ends a peer with `shutdown` and waits for its exit code 0.
    Stop(RoleName),
    /// Ends a peer with SIGKILL and waits until it is gone.
    Kill(RoleName),
    /// Starts a stopped or killed peer again, on its earlier address, and introduces it again.
    Start(RoleName),
    /// Waits, at most so long, until every disturbance of the scenario is over and undone.
    Calm(Duration),
}

/// Asks a role for something.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Who is asked.
    pub role: RoleName,
    /// For what.
    pub method: MethodName,
    /// The parameters: a table.
    pub params: Template,
    /// The deadline of the answer; a later answer is a failure.
    pub within: Duration,
    /// What has to come of it.
    pub outcome: Expected,
    /// Names for parts of the result.
    pub save: BTreeMap<String, Path>,
}

/// What has to come of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// It is done, and the result includes this (see [`crate::expectation::includes`]).
    Ok {
        /// What the result has to include; `None`: anything.
        returns: Option<Template>,
    },
    /// It is refused, and `{code, status, detail, message}` of the refusal includes this.
    Refused {
        /// What the refusal has to include; `None`: anything.
        like: Option<Template>,
    },
    /// Done, refused or no answer: a later step or an oracle decides.
    Unknown,
}

/// Looks at a getter.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// The getter.
    pub method: MethodName,
    /// On whom; every one of them has to show it.
    pub on: Vec<RoleName>,
    /// The parameters: a table.
    pub params: Template,
    /// How long it may take to become true; `None`: it has to be true at once.
    pub eventually: Option<Duration>,
    /// Which part of the result is looked at; `None`: the whole.
    pub field: Option<Path>,
    /// What has to hold of it, all of these.
    pub conditions: Vec<Condition>,
    /// Names for parts of the result of the first role: of the item found by the first `has`,
    /// otherwise of the part looked at.
    pub save: BTreeMap<String, Path>,
}

/// Waits for a notification.
#[derive(Debug, Clone, PartialEq)]
pub struct AwaitEvent {
    /// Which one.
    pub event: EventName,
    /// From whom; from every one of them.
    pub on: Vec<RoleName>,
    /// What its parameters have to include. The first notification of the role, since the role was
    /// started, that includes this and was not claimed by an earlier step is claimed.
    pub condition: Option<Template>,
    /// How long it may take.
    pub within: Duration,
    /// Names for parts of the parameters, of the first role.
    pub save: BTreeMap<String, Path>,
}

/// Forbids a notification.
///
/// When its time is over the runner calls a getter on each role: what a peer had to say before its
/// answer has been read by then, so nothing is missed and nobody sleeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Never {
    /// Which one.
    pub event: EventName,
    /// From whom.
    pub on: Vec<RoleName>,
    /// Only such whose parameters include this.
    pub condition: Option<Template>,
    /// For how long.
    pub lasts: Lasts,
}

/// How long a `never` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// From the start of the step before it (in the same list) until the next step begins.
    UntilNextStep,
    /// From this step to the end of the scenario.
    Rest,
    /// During this many following steps of the same list.
    Steps(u32),
}

/// Carries out its children again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// The variables of each round, besides `round`, which counts from 1. Not empty.
    pub rounds: Rounds,
    /// How the rounds follow each other.
    pub pace: Pace,
    /// The children.
    pub steps: Vec<Step>,
}

/// How the rounds of a [`Repeat`] follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One after the other; the first that fails ends the step.
    OneByOne,
    /// All at the same time, each carried through; the first failure in their order is the step's.
    AtOnce,
}

/// How often, and with which variables.
#[derive(Debug, Clone, PartialEq)]
pub enum Rounds {
    /// So many times.
    Count(usize),
    /// Once for each row; all rows have the same variables.
    Rows(Vec<BTreeMap<String, serde_json::Value>>),
}

impl Rounds {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => *count,
            Self::Rows(rows) => rows.len(),
        }
    }
}

/// Tells the wire tap what to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Wire {
    /// Lays a rule on messages to come.
    Rule(WireRule),
    /// Sends a recorded request again, now.
    Replay(WireReplay),
    /// Lets held messages go on, the first first.
    Release {
        /// Who sent them.
        from: RoleName,
        /// Who is to get them.
        to: RoleName,
        /// In which order.
        order: ReleaseOrder,
    },
    /// Takes away all rules of a direction that have not been used up, and releases what is held.
    Clear {
        /// Who sends.
        from: RoleName,
        /// Who receives.
        to: RoleName,
    },
}

/// The order in which held messages go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseOrder {
    /// As they came.
    First,
    /// The last first.
    Last,
}

/// A rule on messages to come in one direction.
///
/// Only requests that carry a body count as messages: a look at somebody's health does not.
/// Of the rules of the direction that match a message the newest takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct WireRule {
    /// Who sends the request.
    pub from: RoleName,
    /// Who receives it.
    pub to: RoleName,
    /// Only messages of this type; `None`: all.
    pub message_type: Option<String>,
    /// Which of those.
    pub select: Select,
    /// Which half of the exchange the action touches.
    pub half: Half,
    /// What to do.
    pub action: WireAction,
}

/// Which of the matching messages, counted from the moment the rule is laid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The n-th, from 1; then the rule is used up. `nth = "next"` is 1.
    Nth(u64),
    /// Every one, until `clear`.
    Every,
    /// About so many of a thousand, until `clear`: which ones follows from the seed of the run.
    Share {
        /// From 1 to 1,000.
        per_mille: u32,
    },
}

/// What to do with a message.
#[derive(Debug, Clone, PartialEq)]
pub enum WireAction {
    /// Throw it away. A dropped request is answered by closing the connection; of a dropped response
    /// the request has been delivered.
    Drop,
    /// Deliver it twice; the asker gets the answer to the first.
    Duplicate,
    /// Keep it until `release` or `clear`.
    Hold,
    /// Reset the connection it comes on, in place of passing it on.
    Cut,
    /// Pass on only its first bytes, as a whole message.
    Truncate {
        /// How many.
        keep: usize,
    },
    /// Change a field of its JSON body.
    ReplaceField {
        /// Which; dots lead inwards. Resolved when the rule is laid.
        field: Template,
        /// How.
        change: Change,
    },
    /// Change one byte of its body.
    ReplaceByte {
        /// Which, from 0; negative: from the end, -1 is the last.
        at: i64,
        /// The new value; `None`: its lowest bit is turned.
        with: Option<u8>,
    },
    /// Answer it in place of its receiver, which never sees the request; `on = "response"`: in place of
    /// the answer that the receiver gave.
    Respond {
        /// The status of HTTP, 200 to 599.
        status: u16,
        /// The JSON body; `None`: an empty one. Resolved when the rule is laid.
        body: Option<Template>,
    },
}

/// How a field is changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// To this value. A field that is not there is added.
    With(Template),
    /// Turn one bit of it and keep its form; see [`crate::step::WireAction`]. Text of an encoding
    /// (hexadecimal, base64) changes in what it encodes, other text in one letter, a number by one,
    /// `true` to `false`. A field that is not there: the step fails.
    FlipOneBit,
    /// Take it away. A field that is not there: the step fails.
    Remove,
    /// Let it stand there twice, with the same value. A field that is not there, or an item of a list: the step fails.
    Twice,
}

/// Sends a recorded request again.
#[derive(Debug, Clone, PartialEq)]
pub struct WireReplay {
    /// Who had sent it.
    pub from: RoleName,
    /// Who had received it.
    pub to: RoleName,
    /// Only of this type; `None`: all.
    pub message_type: Option<String>,
    /// Which of those.
    pub which: Recorded,
    /// What the answer `{status, code, detail, body}` has to include; `None`: anything.
    pub answer: Option<Template>,
    /// To whom the copy is sent; `None`: to its receiver. The sealed bytes stay untouched.
    pub redirect: Option<RoleName>,
}

/// Which of the recorded requests of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The newest.
    Last,
    /// The n-th, from 1.
    Nth(u64),
}

/// Injects a fault into a peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Whose peer.
    pub role: RoleName,
    /// Which fault.
    pub kind: FaultKind,
    /// When; `None`: now.
    pub when: Option<Trigger>,
}

/// What happens to the peer's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// SIGKILL.
    Kill,
    /// SIGSTOP: it stands still, its connections stay open.
    Pause,
    /// SIGCONT.
    Resume,
}

/// The moment of a fault.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// A notification.
    Notification {
        /// Which one.
        event: EventName,
        /// From whom.
        role: RoleName,
        /// Only such whose parameters include this.
        condition: Option<Template>,
    },
    /// A message on the wire, once its exchange is over.
    Message {
        /// Who sends it.
        from: RoleName,
        /// Who receives it.
        to: RoleName,
        /// Only of this type; `None`: all.
        message_type: Option<String>,
        /// The n-th of those, from 1, counted from the moment of the step.
        nth: u64,
    },
}

/// An oracle and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleCall {
    /// Its name.
    pub name: String,
    /// Its parameters: a table. `"recovery < 30s"` in a file is `{at_most = "30s"}` here.
    pub params: Template,
    /// Where it stands.
    pub span: Span,
}

impl OracleCall {
    /// A time limit of this much and more no healthy peer misses because the machine does other things, too (guessed).
    pub const LOOSE_FROM: Duration = Duration::from_secs(10);

    /// Whether it judges how long something took, by a limit below [`Self::LOOSE_FROM`]: then nothing else may keep the machine busy
    /// meanwhile. A limit that is a number counts something, and one that is filled in later may be short.
    pub fn limits_a_time(&self) -> bool {
        let limit = self.params.raw().get("at_most").and_then(serde_json::Value::as_str);
        limit.is_some_and(|text| {
            duration::parse(text).is_ok_and(|limit| limit < Self::LOOSE_FROM) || text.contains("${")
        })
    }
}

impl Step {
    /// The roles that this step and the steps inside it name.
    pub fn roles(&self) -> BTreeSet<RoleName> {
        let several = |steps: &[Self]| steps.iter().flat_map(Self::roles).collect();
        match &self.kind {
            StepKind::Call(call) => BTreeSet::from([call.role.clone()]),
            StepKind::Expect(expect) => expect.on.iter().cloned().collect(),
            StepKind::AwaitEvent(event) => event.on.iter().cloned().collect(),
            StepKind::Never(never) => never.on.iter().cloned().collect(),
            StepKind::Parallel(steps) => several(steps),
            StepKind::Repeat(repeat) => several(&repeat.steps),
            StepKind::Wire(wire) => wire.roles(),
            StepKind::Fault(fault) => BTreeSet::from([fault.role.clone()]),
            StepKind::Check(_) | StepKind::Calm(_) => BTreeSet::new(),
            StepKind::Measure(roles) => roles.iter().cloned().collect(),
            StepKind::Stop(role) | StepKind::Kill(role) | StepKind::Start(role) => {
                BTreeSet::from([role.clone()])
            }
        }
    }
}

impl Wire {
    fn roles(&self) -> BTreeSet<RoleName> {
        let (from, to) = match self {
            Self::Rule(rule) => (&rule.from, &rule.to),
            Self::Replay(replay) => (&replay.from, &replay.to),
            Self::Release { from, to, .. } | Self::Clear { from, to } => (from, to),
        };
        BTreeSet::from([from.clone(), to.clone()])
    }
}
