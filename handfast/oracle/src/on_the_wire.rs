//! `on-the-wire`: every message of a kind was sent in the form that the scenario says, and there was one.
//!
//! What a peer says of its own messages (a version, a flavour, whether they are sealed) is only its word; this looks
//! at their bytes. It takes `has`, what each of them includes, and `from`, `to` and `type` to choose among them; `over` is the way
//! that they went, `websocket` or a path, and `frame` the kind of compact frames, which are then what is counted. `times`
//! is how many they are, `at_least` and `at_most` how many at least and at the most, `after_start_of` looks only at those after the last time that this
//! role was started again, `alike` says that all have the same bytes, and `apart` how long after each of them the next one
//! came at least: so repeated attempts show. The type `websocket` is an attempt to open a connection.

use std::time::Duration;

use handfast_scenario::expectation::difference;
use serde_json::Value;

use crate::frames::{self, Kind};
use crate::history::{History, WEBSOCKET, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

const KNOWN: [&str; 12] = [
    "from",
    "to",
    "type",
    "over",
    "frame",
    "after_start_of",
    "has",
    "times",
    "at_least",
    "at_most",
    "alike",
    "apart",
];

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&KNOWN)?;
    let chosen = Chosen::read(params)?;
    let attempts = Attempts::read(params)?;
    let has = match attempts {
        Attempts { times: None, at_least: None, at_most: None, alike: false, .. } => {
            Some(params.filled_table("has")?)
        }
        Attempts { .. } => params.optional_table("has")?,
    };
    if chosen.frame.is_some() && (has.is_some() || attempts.alike || !attempts.apart.is_empty()) {
        let problem =
            "can only count frames: has, alike and apart are of messages that it can read";
        return Err(params.problem(problem));
    }
    let since_us = match params.text("after_start_of")? {
        None => 0,
        Some(role) => match history.restarts().into_iter().rfind(|(by, _)| *by == role) {
            Some((_, at_us)) => at_us,
            None => return Ok(Err(format!("{role} was not started again"))),
        },
    };
    let wire = if chosen.kind == Some(WEBSOCKET) { history.dials() } else { history.wire() };
    let later = wire.iter().filter(|message| message.at_us >= since_us);
    let meant: Vec<&Wire<'_>> = later.filter(|message| chosen.has(message)).collect();
    if meant.is_empty() {
        let what = chosen.in_words();
        return Ok(Err(format!("no message{what} was captured, so that all are so shows nothing")));
    }
    let count = match chosen.frame {
        Some((_, kind)) => meant.iter().map(|message| count_of(message, kind)).sum(),
        None => meant.len(),
    };
    Ok(attempts.check(&meant, count).and_then(|()| match has {
        Some(has) => all_include(&meant, has),
        None => Ok(()),
    }))
}

fn all_include(meant: &[&Wire<'_>], has: &Value) -> Finding {
    for message in meant {
        let title = message.title();
        let Some(sent) = message.sent_json() else {
            return Err(format!("{title} is not JSON, or longer than what is captured"));
        };
        if let Some(difference) = difference(&sent, has) {
            return Err(format!("expected {title} to include {has}: {difference}"));
        }
    }
    Ok(())
}

/// How many frames of a kind a message is, or holds.
fn count_of(message: &Wire<'_>, kind: Kind) -> usize {
    frames::of(message).frames.iter().filter(|frame| frame.kind == kind).count()
}

/// Which messages are looked at.
struct Chosen<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
    kind: Option<&'a str>,
    over: Option<&'a str>,
    frame: Option<(&'a str, Kind)>,
}

impl<'a> Chosen<'a> {
    fn read(params: &Params<'a>) -> Result<Self, OracleError> {
        let over = params.text("over")?;
        if over.is_some_and(|over| over != WEBSOCKET && !over.starts_with('/')) {
            return Err(params.problem("needs over = \"websocket\" or a path such as \"/frame\""));
        }
        let frame = params.text("frame")?;
        let frame = frame.map(|name| {
            let kind = Kind::named(name).map(|kind| (name, kind));
            kind.ok_or_else(|| params.problem("needs frame = \"message\" or \"chunk\""))
        });
        let (from, to, kind) = (params.text("from")?, params.text("to")?, params.text("type")?);
        let chosen = Self { from, to, kind, over, frame: frame.transpose()? };
        if chosen.frame.is_some() && kind.is_some() {
            return Err(params.problem("takes no type beside frame: the type of a frame is sealed"));
        }
        Ok(chosen)
    }

    fn has(&self, message: &Wire<'_>) -> bool {
        self.from.is_none_or(|from| from == message.from)
            && self.to.is_none_or(|to| to == message.to)
            && self.kind.is_none_or(|kind| Some(kind) == message.message_type)
            && self.over.is_none_or(|over| message.went_over(over))
            && self.frame.is_none_or(|(_, kind)| count_of(message, kind) > 0)
    }

    fn in_words(&self) -> String {
        let frame = self.frame.map(|(name, _)| name);
        let words = [
            ("over ", self.over),
            ("from ", self.from),
            ("to ", self.to),
            ("of type ", self.kind),
            ("in frames of ", frame),
        ];
        let words = words.map(|(word, name)| name.map(|name| format!(" {word}{name}")));
        words.into_iter().flatten().collect()
    }
}

/// What is asked of the messages together.
struct Attempts {
    times: Option<usize>,
    at_least: Option<usize>,
    at_most: Option<usize>,
    alike: bool,
    apart: Vec<Duration>,
}

impl Attempts {
    fn read(params: &Params<'_>) -> Result<Self, OracleError> {
        let attempts = Self {
            times: params.count("times")?,
            at_least: params.count("at_least")?,
            at_most: params.count("at_most")?,
            alike: params.flag("alike")?,
            apart: params.durations("apart")?,
        };
        if !attempts.apart.is_empty() && attempts.times != Some(attempts.apart.len() + 1) {
            return Err(params.problem("needs times = one more than there are pauses in apart"));
        }
        Ok(attempts)
    }

    fn check(&self, messages: &[&Wire<'_>], count: usize) -> Finding {
        if let Some(times) = self.times.filter(|times| *times != count) {
            return Err(format!("expected {times} messages, {count} were captured"));
        }
        if let Some(at_least) = self.at_least.filter(|at_least| count < *at_least) {
            return Err(format!("expected at least {at_least} messages, {count} were captured"));
        }
        if let Some(at_most) = self.at_most.filter(|at_most| count > *at_most) {
            return Err(format!("expected at most {at_most} messages, {count} were captured"));
        }
        for (pair, apart) in messages.windows(2).zip(&self.apart) {
            let &[before, after] = pair else { continue };
            let apart_ms = apart.as_millis();
            let found_ms = after.at_us.saturating_sub(before.at_us) / 1_000;
            if u128::from(found_ms) < apart_ms {
                let title = after.title();
                return Err(format!(
                    "expected {title} {apart_ms} ms later, it came after {found_ms} ms"
                ));
            }
        }
        let Some(first) = messages.first().filter(|_| self.alike) else { return Ok(()) };
        if first.request.is_truncated() {
            return Err(format!("{} is longer than what is captured", first.title()));
        }
        match messages.iter().find(|message| message.request != first.request) {
            Some(other) => {
                Err(format!("expected the same bytes each time, {} has others", other.title()))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
