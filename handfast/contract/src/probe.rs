//! Does a peer keep the contract?

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Violation;
use crate::initialized::Initialized;
use crate::message::{METHOD_NOT_FOUND, RpcError};
use crate::schema::Schema;

/// Time for the answer to `initialize`: a cold start of an interpreted peer takes seconds.
pub const INITIALIZE_DEADLINE: Duration = Duration::from_secs(30);

/// Time for any other answer of the probe, and for the exit after `shutdown`.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// Getters that every peer of the Entity contract has to offer.
pub const REQUIRED_GETTERS: [&str; 3] = ["session.list", "message.inbox", "peer.list"];

/// The probe of one peer, as a state machine.
///
/// The driver asks [`Probe::next_action`], does it, and tells [`Probe::on_outcome`] what came of it,
/// until the action is [`Action::Done`]. What the peer does unasked goes to [`Probe::on_event`] and
/// [`Probe::on_violation`].
#[derive(Debug)]
pub struct Probe {
    unknown_method: String,
    schema: Schema,
    stage: Stage,
    report: Report,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Initialize,
    UnknownMethod,
    BadParams,
    Getter(usize),
    Shutdown,
    Done,
}

/// What the driver has to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask the peer this.
    Call {
        /// The method.
        method: String,
        /// The parameters.
        params: Value,
        /// The deadline.
        within: Duration,
    },
    /// Ask `shutdown`, and wait for the exit of the process.
    Shutdown {
        /// The deadline of both together.
        within: Duration,
    },
    /// Nothing: the report is complete.
    Done,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The call was answered.
    Answered(Result<Value, RpcError>),
    /// The process ended; `None`: by a signal.
    Exited(Option<i32>),
    /// Nothing came before the deadline.
    TimedOut,
}

/// What the probe found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What the peer says of itself, once it has.
    pub initialized: Option<Initialized>,
    /// Every rule that was looked at, in order.
    pub checks: Vec<Check>,
}

/// One rule of the contract and whether the peer keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The rule, as a sentence.
    pub rule: String,
    /// Why it is broken; `None`: it is kept.
    pub broken: Option<String>,
}

impl Report {
    /// Whether the peer keeps every rule that was looked at, and all were.
    pub fn conforms(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.broken.is_none())
    }

    fn check(&mut self, rule: impl Into<String>, broken: Option<String>) {
        self.checks.push(Check { rule: rule.into(), broken });
    }
}

impl Probe {
    /// A probe of a freshly started peer. `random` names the method that no peer can know.
    pub fn new(random: u64) -> Self {
        Self {
            unknown_method: format!("probe.no_such_method_{random:016x}"),
            schema: Schema::entity(),
            stage: Stage::Initialize,
            report: Report::default(),
        }
    }

    /// What to do next. Asking again without [`Probe::on_outcome`] gives the same.
    pub fn next_action(&self) -> Action {
        let call = |method: &str, params: Value, within: Duration| Action::Call {
            method: method.to_owned(),
            params,
            within,
        };
        match self.stage {
            Stage::Initialize => {
                let (method, params) = Initialized::request();
                call(method, params, INITIALIZE_DEADLINE)
            }
            Stage::UnknownMethod => call(&self.unknown_method, json!({}), ANSWER_DEADLINE),
            Stage::BadParams => call("message.inbox", json!({"limit": "many"}), ANSWER_DEADLINE),
            Stage::Getter(index) => call(REQUIRED_GETTERS[index], json!({}), ANSWER_DEADLINE),
            Stage::Shutdown => Action::Shutdown { within: ANSWER_DEADLINE },
            Stage::Done => Action::Done,
        }
    }

    /// Takes what came of the action.
    pub fn on_outcome(&mut self, outcome: Outcome) {
        self.stage = match (&self.stage, outcome) {
            (Stage::Done, _) => Stage::Done,
            (Stage::Shutdown, outcome) => {
                self.on_shutdown(outcome);
                Stage::Done
            }
            (stage, Outcome::Exited(code)) => {
                let code =
                    code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
                let rule = format!("the peer lives until shutdown ({})", stage.rule());
                self.report.check(rule, Some(format!("it ended with {code}")));
                Stage::Done
            }
            (Stage::Initialize, outcome) => self.on_initialized(outcome),
            (Stage::UnknownMethod, outcome) => {
                self.on_unknown_method(outcome);
                Stage::BadParams
            }
            (Stage::BadParams, outcome) => {
                self.on_bad_params(outcome);
                Stage::Getter(0)
            }
            (Stage::Getter(index), outcome) => {
                let index = *index;
                self.on_getter(REQUIRED_GETTERS[index], outcome);
                if index + 1 < REQUIRED_GETTERS.len() {
                    Stage::Getter(index + 1)
                } else {
                    Stage::Shutdown
                }
            }
        };
    }

    /// Takes a notification of the peer.
    pub fn on_event(&mut self, event: &str, params: &Value) {
        let broken = self.schema.check_event(event, params).err().map(|error| error.to_string());
        self.report.check(format!("the event {event} has its shape"), broken);
    }

    /// Takes a broken rule that [`crate::Client`] found.
    pub fn on_violation(&mut self, violation: &Violation) {
        let rule = match violation {
            Violation::Line(_) => "every line on stdout is a JSON-RPC 2.0 message",
            Violation::UnknownId { .. } => "every answer belongs to an open request",
            Violation::Request { .. } => "a peer sends notifications, never requests",
            Violation::EventCounter { .. } => "events are counted from 1 without a gap",
        };
        self.report.check(rule, Some(violation.to_string()));
    }

    /// What was found so far; complete once the action is [`Action::Done`].
    pub fn report(&self) -> &Report {
        &self.report
    }

    fn on_initialized(&mut self, outcome: Outcome) -> Stage {
        let rule = Stage::Initialize.rule();
        let initialized = result(outcome).and_then(|result| {
            let checked = self.schema.check_result("initialize", &result);
            checked.map_err(|error| error.to_string())?;
            Initialized::from_result(&result).map_err(|error| error.to_string())
        });
        match initialized {
            Ok(initialized) => {
                self.report.check(rule, None);
                for getter in REQUIRED_GETTERS {
                    let missing = (!initialized.offers(getter))
                        .then(|| "initialize does not name it among its methods".to_owned());
                    self.report.check(format!("the peer offers {getter}"), missing);
                }
                self.report.initialized = Some(initialized);
                Stage::UnknownMethod
            }
            // Nothing may be asked of a peer that is not ready, but it may be told to go.
            Err(broken) => {
                self.report.check(rule, Some(broken));
                Stage::Shutdown
            }
        }
    }

    fn on_unknown_method(&mut self, outcome: Outcome) {
        let broken = match outcome {
            Outcome::Answered(Err(error)) if error.is_unsupported() => None,
            Outcome::Answered(Err(error)) => Some(format!("it answered {error}")),
            Outcome::Answered(Ok(result)) => Some(format!("it answered {result}")),
            Outcome::TimedOut | Outcome::Exited(_) => Some("it did not answer".to_owned()),
        };
        self.report.check(Stage::UnknownMethod.rule(), broken);
    }

    fn on_bad_params(&mut self, outcome: Outcome) {
        let broken = match outcome {
            Outcome::Answered(Err(error)) if error.code == crate::message::INVALID_PARAMS => None,
            Outcome::Answered(Err(error)) => Some(format!("it answered {error}")),
            Outcome::Answered(Ok(result)) => Some(format!("it answered {result}")),
            Outcome::TimedOut | Outcome::Exited(_) => Some("it did not answer".to_owned()),
        };
        self.report.check(Stage::BadParams.rule(), broken);
    }

    fn on_getter(&mut self, getter: &str, outcome: Outcome) {
        let checked = result(outcome).and_then(|result| {
            self.schema.check_result(getter, &result).map_err(|error| error.to_string())
        });
        self.report.check(format!("{getter} answers in its shape"), checked.err());
    }

    fn on_shutdown(&mut self, outcome: Outcome) {
        let broken = match outcome {
            Outcome::Exited(Some(0)) => None,
            Outcome::Exited(Some(code)) => Some(format!("it ended with code {code}")),
            Outcome::Exited(None) => Some("a signal ended it".to_owned()),
            Outcome::Answered(Err(error)) => Some(format!("it answered {error}")),
            Outcome::Answered(Ok(_)) | Outcome::TimedOut => Some("it did not end".to_owned()),
        };
        self.report.check(Stage::Shutdown.rule(), broken);
    }
}

impl Stage {
    fn rule(&self) -> String {
        match self {
            Self::Initialize => "initialize answers in its shape".to_owned(),
            Self::UnknownMethod => format!("an unknown method is answered {METHOD_NOT_FOUND}"),
            Self::BadParams => "parameters of a wrong shape are answered -32602".to_owned(),
            Self::Getter(index) => format!("{} answers in its shape", REQUIRED_GETTERS[*index]),
            Self::Shutdown => "after shutdown the process ends with code 0".to_owned(),
            Self::Done => "the probe is done".to_owned(),
        }
    }
}

fn result(outcome: Outcome) -> Result<Value, String> {
    match outcome {
        Outcome::Answered(Ok(result)) => Ok(result),
        Outcome::Answered(Err(error)) => Err(format!("it answered {error}")),
        Outcome::TimedOut | Outcome::Exited(_) => Err("it did not answer".to_owned()),
    }
}

#[cfg(test)]
mod tests;
