//! What a run says: the one interface after the runner.
//!
//! Console, `JUnit`, JSON lines, oracles and exit code all read [`Recorded`] events and nothing else, so
//! a recorded run replayed from its file gives the same reports as the live one. A record is JSON
//! lines, one [`Recorded`] a line; the first is [`RunEvent::RunStarted`] and names the format.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::ExitCode;
use crate::name::{CategoryName, EventName, MethodName, PeerName, RoleName, SuiteName};
use crate::plan::UnitId;
use crate::verdict::{Verdict, VerdictKind};

pub use disturbance::{AccountLine, AccountVerdict, DisturbanceState, NetworkMeans};
pub use shard::{InvalidShard, SHARDS_MAX, Shard, ShardLine, ShardMark};

mod disturbance;
mod shard;

/// Version of the record format that this code writes, and the only one it reads.
///
/// It rises whenever a reader of the earlier version would misread a line.
pub const FORMAT: u32 = 6;

/// Longest body kept whole in a [`WireBytes`]; larger ones keep this many leading bytes.
pub const WIRE_BYTES_MAX: usize = 64 * 1024;

/// One event and when it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Microseconds since the run started, by the run's one clock; never falls within a record.
    pub at_us: u64,
    /// What happened.
    pub event: RunEvent,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RunEvent {
    /// First event of every record.
    RunStarted {
        /// [`FORMAT`].
        format: u32,
        /// Id of the run.
        run: String,
        /// Version of handfast.
        handfast: String,
        /// The command line, program first.
        command: Vec<String>,
        /// Seed of the run.
        seed: u64,
        /// When it started, microseconds since the Unix epoch.
        started_unix_us: i64,
        /// How many scenario units the plan holds.
        units: usize,
        /// How many foreign suites the plan holds.
        suites: usize,
        /// Which part of a whole this run is; nothing for one that is a whole.
        shard: Option<ShardMark>,
    },
    /// The record was made of those of several runs, whose events follow, each at its time.
    ShardsMerged {
        /// The parts, in their order.
        shards: Vec<ShardLine>,
        /// Why the parts are not the whole, a sentence each; each is a failure of the infrastructure.
        faults: Vec<String>,
        /// What is odd about them, a sentence each.
        notes: Vec<String>,
    },
    /// The cells of the matrix are known: the peers are built, none has played yet.
    MatrixStarted {
        /// The peers whose meetings are its columns, in their order.
        peers: Vec<PeerName>,
        /// What each peer's program is made of, a digest as lower-case hex; an absent peer is not in it.
        builds: BTreeMap<PeerName, String>,
        /// All cells, in the order of their rows and columns.
        cells: Vec<CellLine>,
        /// What is wrong with the file of expected results, a sentence each; each is a failure of the run.
        faults: Vec<String>,
    },
    /// An earlier run has judged the same content, and its verdict is taken over.
    CellRecalled {
        /// Which cell.
        unit: UnitId,
        /// The run that played it.
        run: String,
        /// What it said.
        verdict: Verdict,
        /// How long it took then, microseconds.
        duration_us: u64,
    },
    /// A unit begins: its peers are about to be started.
    UnitStarted {
        /// Which unit.
        unit: UnitId,
        /// The scenario's name.
        name: String,
        /// The scenario file, relative to the project.
        file: String,
        /// Its category.
        category: CategoryName,
        /// Ids of what it proves.
        proves: Vec<String>,
        /// Who plays which role.
        peers: BTreeMap<RoleName, PeerName>,
        /// Its time budget, microseconds.
        budget_us: u64,
    },
    /// The peers of a unit are about to talk over a network of the unit's own; a unit that asks for none has no such event.
    NetworkStarted {
        /// Which unit.
        unit: UnitId,
        /// How it is made.
        means: NetworkMeans,
        /// The conditions that the scenario asks for from the beginning, such as `lte`; empty where only disturbances change them.
        asked: String,
        /// What of all that the scenario asks can only be approximated by these means.
        approximated: Vec<String>,
    },
    /// A disturbance came into force, is over, or could not be carried out.
    Disturbance {
        /// Which unit.
        unit: UnitId,
        /// Which of the unit's disturbances, from 1 in the order of the file.
        number: usize,
        /// Its name, which no other disturbance of the unit has.
        name: String,
        /// Line of the disturbance in the scenario file.
        line: usize,
        /// The disturbance in a few words.
        text: String,
        /// How far it is.
        state: DisturbanceState,
    },
    /// What was asked of a link or a disturbance, and what was measured.
    Account {
        /// Which unit.
        unit: UnitId,
        /// Of what: a direction of a link, such as `a -> b`, or the name of a disturbance.
        subject: String,
        /// The microsecond of the run from which on this was in force.
        from_us: u64,
        /// Until when.
        until_us: u64,
        /// What was asked and measured, at least one line.
        lines: Vec<AccountLine>,
    },
    /// A peer answered `initialize`.
    PeerStarted {
        /// Which unit.
        unit: UnitId,
        /// Its role.
        role: RoleName,
        /// Its program.
        peer: PeerName,
        /// Its process.
        pid: u32,
        /// From the start of the process to its answer, microseconds.
        ready_us: u64,
        /// The address the other roles are told, through the wire tap.
        address: String,
        /// Its public key as lower-case hex, if it has one.
        key: Option<String>,
        /// Its own version.
        version: String,
        /// The protocol versions that it speaks.
        protocol_versions: Vec<String>,
    },
    /// A step begins.
    StepStarted {
        /// Which unit.
        unit: UnitId,
        /// Which step.
        step: StepId,
        /// Line of the step in the scenario file.
        line: usize,
        /// The step in a few words.
        text: String,
    },
    /// A step ended.
    StepEnded {
        /// Which unit.
        unit: UnitId,
        /// Which step.
        step: StepId,
        /// How.
        outcome: Outcome,
        /// How long it took, microseconds.
        duration_us: u64,
    },
    /// A request left for a peer.
    CallStarted {
        /// Which unit.
        unit: UnitId,
        /// Number of the call within the unit.
        call: u64,
        /// Who is asked.
        role: RoleName,
        /// For what.
        method: MethodName,
        /// With which parameters.
        params: Value,
    },
    /// A request was answered, or will not be.
    CallEnded {
        /// Which unit.
        unit: UnitId,
        /// Number of the call within the unit.
        call: u64,
        /// Who was asked.
        role: RoleName,
        /// For what.
        method: MethodName,
        /// The answer.
        outcome: CallOutcome,
        /// How long it took, microseconds.
        duration_us: u64,
    },
    /// A peer sent a notification.
    PeerEvent {
        /// Which unit.
        unit: UnitId,
        /// Who.
        role: RoleName,
        /// The peer's own counter of its events.
        n: u64,
        /// Which notification.
        event: EventName,
        /// Its parameters, without the counter.
        params: Value,
    },
    /// A message went through the wire tap.
    WireMessage {
        /// Which unit.
        unit: UnitId,
        /// Who sent the request.
        from: RoleName,
        /// Who was to receive it.
        to: RoleName,
        /// Number of the request in this direction, from 1; a replay or duplicate keeps the number of
        /// its original.
        index: u64,
        /// Method and path, such as `POST /message`.
        target: String,
        /// The protocol's message type, where the tap can tell.
        message_type: Option<String>,
        /// The request body as sent by `from`.
        request: WireBytes,
        /// The request body that `to` received, where the tap changed it.
        delivered: Option<WireBytes>,
        /// The answer, where there was one.
        response: Option<WireResponse>,
        /// What the tap did with it.
        action: WireTaken,
    },
    /// A line on a peer's stderr.
    PeerLog {
        /// Which unit.
        unit: UnitId,
        /// Who.
        role: RoleName,
        /// The line, or its beginning.
        line: String,
        /// Whether the line was longer.
        truncated: bool,
    },
    /// What a peer keeps was searched for a text, in every spelling.
    Searched {
        /// Which unit.
        unit: UnitId,
        /// Whose.
        role: RoleName,
        /// Where.
        place: SearchPlace,
        /// The text.
        marker: String,
        /// How many files or lines there were.
        count: u64,
        /// Where it was found, such as `entity.db has it in clear`, or why that is not known.
        found: Option<String>,
    },
    /// What a peer holds was measured.
    Measured {
        /// Which unit.
        unit: UnitId,
        /// Whose processes.
        role: RoleName,
        /// How many descriptors they have open.
        descriptors: u64,
        /// How much memory of their own they have, bytes.
        memory_bytes: u64,
    },
    /// A peer's process ended.
    PeerExited {
        /// Which unit.
        unit: UnitId,
        /// Who.
        role: RoleName,
        /// How.
        how: Exit,
        /// Whether the scenario or the end of the unit asked for it.
        expected: bool,
    },
    /// An oracle has looked at the history.
    CheckEnded {
        /// Which unit.
        unit: UnitId,
        /// The oracle.
        check: String,
        /// What it found.
        outcome: Outcome,
    },
    /// A unit failed, was tried once more unchanged, and passed: its end follows.
    UnitFlaky {
        /// Which unit.
        unit: UnitId,
        /// How its first try ended.
        verdict: Verdict,
    },
    /// A failure of a unit was answered; or a reviewed rule says that the unit is not run, of which there is no other event.
    UnitHealing {
        /// Which unit.
        unit: UnitId,
        /// What was made of it.
        healing: Healing,
    },
    /// A unit is over and everything it started is gone.
    UnitEnded {
        /// Which unit.
        unit: UnitId,
        /// How.
        verdict: Verdict,
        /// From [`RunEvent::UnitStarted`] on, microseconds.
        duration_us: u64,
        /// Processor time of all its processes, microseconds, in steps of 10 ms; 0 where nobody knows.
        cpu_us: u64,
    },
    /// A foreign test suite begins.
    SuiteStarted {
        /// Which suite.
        suite: SuiteName,
        /// Its category.
        category: CategoryName,
        /// The command, program first.
        command: Vec<String>,
    },
    /// A foreign suite reports one of its tests.
    SuiteTest {
        /// Which suite.
        suite: SuiteName,
        /// The test's own name.
        test: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, microseconds; 0 where the suite does not say.
        duration_us: u64,
    },
    /// A test of a foreign suite failed, was run once more unchanged, and passed: it is also told as one that passed.
    SuiteTestFlaky {
        /// Which suite.
        suite: SuiteName,
        /// The test's own name.
        test: String,
        /// What it printed when it failed.
        reason: String,
    },
    /// What the project wants a run of everything to reach (`[exercise]`) and this one did not; said before its end, and
    /// only where there is something to say.
    NeverExercised {
        /// Types of messages that no wire tap saw.
        messages: Vec<String>,
        /// Kinds of faults that took effect in no unit that was judged.
        faults: Vec<String>,
    },
    /// A foreign suite ended.
    SuiteEnded {
        /// Which suite.
        suite: SuiteName,
        /// How its program ended, judged by its exit code and by whether it ran any test at all.
        outcome: Outcome,
        /// How many of its tests passed.
        passed: u64,
        /// How many of its tests failed.
        failed: u64,
        /// How long it took, microseconds.
        duration_us: u64,
    },
    /// Last event of a complete record.
    RunEnded {
        /// The counts.
        summary: Summary,
        /// What follows from them.
        exit: ExitCode,
        /// From [`RunEvent::RunStarted`] on, microseconds.
        duration_us: u64,
    },
}

/// A cell of the matrix: one scenario and who plays its roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellLine {
    /// What it is called in every other event.
    pub unit: UnitId,
    /// The scenario with its variant, such as `meeting/x[version=1.1]`.
    pub scenario: String,
    /// The scenario's name.
    pub name: String,
    /// The scenario file, relative to the project.
    pub file: String,
    /// Its category.
    pub category: CategoryName,
    /// Its column: the peers of the first two roles that the scenario leaves open.
    pub column: [PeerName; 2],
    /// Who plays which role.
    pub peers: BTreeMap<RoleName, PeerName>,
    /// The protocol that each role is told to speak; a role that is told nothing is not in it.
    pub protocols: BTreeMap<RoleName, String>,
    /// The preset of the network.
    pub network: String,
    /// A digest of everything its verdict follows from; nothing where a peer is absent, or where the cell is played with several seeds.
    pub key: Option<String>,
    /// What the file of expected results says of it.
    pub expected: Option<Expected>,
}

/// A result that is expected in place of `passed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The verdict.
    pub result: VerdictKind,
    /// Why, in a sentence.
    pub reason: String,
    /// Where it is being worked on.
    pub issue: String,
    /// The last day on which it counts, such as `2026-12-31`.
    pub expires: String,
}

/// What was made of a failure: whose it is, why that is thought, what was done about it, and what came of that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Healing {
    /// How the try ended that this is about; `passed` for a unit that is not run.
    pub verdict: VerdictKind,
    /// Whose failure it is: `product`, `infra`, `infra: port taken`, `flaky` or `known: RULE`.
    pub class: String,
    /// What led there, a sentence each, the deciding ones first.
    pub evidence: Vec<String>,
    /// What was done, such as `run again`.
    pub act: String,
    /// What came of it, such as `stands`.
    pub outcome: String,
    /// Whether it passed after a repair.
    pub is_healed: bool,
    /// What the failure means for the result of the run.
    pub standing: Standing,
    /// The same as a line of the ledger of healings, as `handfast-heal` writes it.
    pub entry: Value,
}

/// What a failure means for the result of its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It decides, or something passed in the end.
    Decides,
    /// It fails as a reviewed rule says, and decides nothing.
    Known,
    /// It is in quarantine, and decides nothing.
    Quarantined,
    /// It was not run, by a reviewed rule.
    Skipped,
}

/// Number of a step: `3` is the third of the file, `3.2` the second inside it, `3.2#4` that one in the
/// fourth round.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

/// What of a peer is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchPlace {
    /// The files in its folder.
    Files,
    /// What it wrote on stderr.
    Log,
}

/// Whether something held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not.
    Failed {
        /// Why, in a sentence or a short block of lines.
        reason: String,
    },
    /// It was not looked at.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// How a request to a peer ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum CallOutcome {
    /// The peer did it.
    Ok {
        /// The result.
        result: Value,
    },
    /// The peer refused.
    Refused {
        /// The protocol's code (`data.code`), such as `SEQUENCE_ERROR`.
        code: Option<String>,
        /// The protocol's status (`data.status`).
        status: Option<u16>,
        /// The JSON-RPC code.
        rpc_code: i64,
        /// The JSON-RPC message.
        message: String,
        /// The protocol's text (`data.detail`).
        detail: Option<String>,
    },
    /// The peer does not know the method (-32601).
    Unsupported,
    /// No answer before the deadline.
    TimedOut,
    /// The peer went away before it answered.
    Lost,
}

/// Bytes seen on the wire, as base64, cut to [`WIRE_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireBytes {
    /// How many bytes there were.
    pub len: u64,
    /// The first of them, standard base64 with padding.
    pub base64: String,
}

/// The answer to a message on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireResponse {
    /// The status, for example of HTTP.
    pub status: u16,
    /// The body that the asker received.
    pub body: WireBytes,
}

/// What the wire tap did with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum WireTaken {
    /// Passed on untouched.
    Passed,
    /// Thrown away: the other side never saw it (or, of a response, the asker).
    Dropped {
        /// Which half.
        half: Half,
    },
    /// Sent a second time.
    Duplicated,
    /// Kept back, and passed on later.
    Held {
        /// For how long, microseconds.
        for_us: u64,
    },
    /// Sent again on the scenario's demand; the answer is in this event only.
    Replayed,
    /// The connection was cut in its midst.
    Cut {
        /// Which half.
        half: Half,
    },
    /// Changed on the way.
    Replaced {
        /// Which half.
        half: Half,
        /// The field or byte that was changed.
        what: String,
    },
    /// Answered by the tap; of a request the other side never saw anything.
    Responded {
        /// In place of which half.
        half: Half,
    },
    /// The other side could not be reached.
    Unreachable {
        /// Why.
        reason: String,
    },
}

/// A half of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// What the asker sends.
    Request,
    /// What it is answered.
    Response,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case", deny_unknown_fields)]
pub enum Exit {
    /// By itself.
    Code {
        /// With this code.
        code: i32,
    },
    /// By a signal.
    Signal {
        /// With this number.
        signal: i32,
    },
    /// By the kernel, for want of memory: of the machine, or of what a limit left it.
    OutOfMemory,
}

/// The counts of a run. Each unit is in exactly one of `passed`, `failed`, `infra`, `timed_out`, `unsupported`, `absent`, `recalled` and `not_run`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Units that passed.
    pub passed: u64,
    /// Units that failed.
    pub failed: u64,
    /// Units that could not be carried out.
    pub infra: u64,
    /// Units that were ended by force.
    pub timed_out: u64,
    /// Units whose peers lack something.
    pub unsupported: u64,
    /// Units and tests of suites that failed and then passed unchanged; also counted as passed.
    pub flaky: u64,
    /// Units never begun, or ended before their own time was over, because a budget was spent, the run was interrupted or a failure was enough.
    pub not_run: u64,
    /// Categories, and matrices, whose budget was spent before all of their work was done.
    pub budgets_spent: u64,
    /// Foreign suites that failed or ran nothing.
    pub suites_failed: u64,
    /// Tests of foreign suites that passed.
    pub suite_tests_passed: u64,
    /// Tests of foreign suites that failed.
    pub suite_tests_failed: u64,
    /// Units that nobody could play because a peer is absent.
    pub absent: u64,
    /// Those of them whose peer the command line allows to be absent.
    pub absent_allowed: u64,
    /// Cells whose pass was taken over from an earlier run.
    pub recalled: u64,
    /// Cells that failed or timed out exactly as expected; also counted as what they are.
    pub as_expected: u64,
    /// Cells that passed although something else is expected; also counted as passed or recalled.
    pub unexpected_passes: u64,
    /// Mistakes in the file of expected results.
    pub expectation_faults: u64,
    /// Shards that are missing, doubled, torn or of another partition.
    pub shard_faults: u64,
    /// Units that failed or timed out as a reviewed rule says; also counted as what they are. Like the further counts not written where
    /// it is 0: a record without them is one of a run that knew of nothing like that.
    #[serde(default, skip_serializing_if = "is_none")]
    pub known: u64,
    /// Units in quarantine that failed or timed out; also counted as what they are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub quarantined: u64,
    /// Units that could not be carried out, and are known or in quarantine; also counted as `infra`.
    #[serde(default, skip_serializing_if = "is_none")]
    pub infra_known: u64,
    /// Units that a reviewed rule kept from being run.
    #[serde(default, skip_serializing_if = "is_none")]
    pub skipped: u64,
    /// Units that failed by a fault of the machine and passed after its repair; also counted as flaky.
    #[serde(default, skip_serializing_if = "is_none")]
    pub healed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Why a line is not part of a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The line is not an event.
    #[error("line {line} of the record is not an event")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What the decoder says.
        #[source]
        source: serde_json::Error,
    },
    /// The record does not begin with `run_started`.
    #[error("the record does not begin with run_started")]
    Headless,
    /// The record was written in a format this code does not know.
    #[error("the record has format {found}, this handfast reads format {FORMAT}")]
    Format {
        /// The format it names.
        found: u32,
    },
}

impl Recorded {
    /// One line of a record, with its line feed.
    ///
    /// # Panics
    ///
    /// Never: the encoder refuses only maps whose keys are no texts, and events have none.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("events have only text keys");
        line.push('\n');
        line
    }
}

/// Reads a whole record.
///
/// # Errors
///
/// [`RecordError::Headless`] and [`RecordError::Format`] before any line is believed, then
/// [`RecordError::Line`] for the first line that is not an event. A record that ends in the middle of
/// its last line (the run was killed) is an error too: the caller may cut the line off.
pub fn read_record(text: &str) -> Result<Vec<Recorded>, RecordError> {
    #[derive(Deserialize)]
    struct Head {
        event: HeadEvent,
    }
    #[derive(Deserialize)]
    struct HeadEvent {
        kind: String,
        format: u32,
    }
    let head = text.lines().next().and_then(|line| serde_json::from_str::<Head>(line).ok());
    match head.map(|head| head.event) {
        Some(head) if head.kind == "run_started" && head.format == FORMAT => {}
        Some(head) if head.kind == "run_started" => {
            return Err(RecordError::Format { found: head.format });
        }
        Some(_) | None => return Err(RecordError::Headless),
    }
    let event = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|source| RecordError::Line { line: index + 1, source })
    };
    text.lines().enumerate().map(event).collect()
}

/// The unit in an event, borrowed as the event is.
macro_rules! unit_of {
    ($event:expr) => {
        match $event {
            RunEvent::UnitStarted { unit, .. }
            | RunEvent::NetworkStarted { unit, .. }
            | RunEvent::Disturbance { unit, .. }
            | RunEvent::Account { unit, .. }
            | RunEvent::PeerStarted { unit, .. }
            | RunEvent::StepStarted { unit, .. }
            | RunEvent::StepEnded { unit, .. }
            | RunEvent::CallStarted { unit, .. }
            | RunEvent::CallEnded { unit, .. }
            | RunEvent::PeerEvent { unit, .. }
            | RunEvent::WireMessage { unit, .. }
            | RunEvent::PeerLog { unit, .. }
            | RunEvent::Searched { unit, .. }
            | RunEvent::Measured { unit, .. }
            | RunEvent::PeerExited { unit, .. }
            | RunEvent::CheckEnded { unit, .. }
            | RunEvent::CellRecalled { unit, .. }
            | RunEvent::UnitFlaky { unit, .. }
            | RunEvent::UnitHealing { unit, .. }
            | RunEvent::UnitEnded { unit, .. } => Some(unit),
            RunEvent::RunStarted { .. }
            | RunEvent::ShardsMerged { .. }
            | RunEvent::MatrixStarted { .. }
            | RunEvent::SuiteStarted { .. }
            | RunEvent::SuiteTest { .. }
            | RunEvent::SuiteTestFlaky { .. }
            | RunEvent::SuiteEnded { .. }
            | RunEvent::NeverExercised { .. }
            | RunEvent::RunEnded { .. } => None,
        }
    };
}

impl RunEvent {
    /// The unit it belongs to, if it belongs to one.
    pub fn unit(&self) -> Option<&UnitId> {
        unit_of!(self)
    }

    /// As [`RunEvent::unit`], to give it another name.
    pub fn unit_mut(&mut self) -> Option<&mut UnitId> {
        unit_of!(self)
    }

    /// The suite it belongs to, if it belongs to one, to give it another name.
    pub fn suite_mut(&mut self) -> Option<&mut SuiteName> {
        if let Self::SuiteStarted { suite, .. }
        | Self::SuiteTest { suite, .. }
        | Self::SuiteTestFlaky { suite, .. }
        | Self::SuiteEnded { suite, .. } = self
        {
            return Some(suite);
        }
        None
    }
}

impl WireBytes {
    /// Keeps the first [`WIRE_BYTES_MAX`] bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::part_of(bytes.len() as u64, bytes)
    }

    /// Of `len` bytes the first ones are known: keeps [`WIRE_BYTES_MAX`] of them.
    pub fn part_of(len: u64, known: &[u8]) -> Self {
        let kept = &known[..known.len().min(WIRE_BYTES_MAX)];
        Self { len, base64: STANDARD.encode(kept) }
    }

    /// The bytes that were kept.
    ///
    /// # Errors
    ///
    /// A record that somebody edited may hold text that is not base64.
    pub fn bytes(&self) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(&self.base64)
    }

    /// Whether bytes are missing at the end.
    pub fn is_truncated(&self) -> bool {
        let padding = self.base64.bytes().rev().take_while(|byte| *byte == b'=').count();
        let kept = (self.base64.len() / 4 * 3).saturating_sub(padding);
        self.len > kept as u64
    }
}

#[cfg(test)]
mod tests;
