//! `on-the-wire`: every message of a kind was sent in the form that the scenario says, and there was one.
//!
//! What a peer says of its own messages (a version, a flavour, whether they are sealed) is only its word; this looks
//! at their bytes. It takes `has`, what each of them includes, and `from`, `to` and `type` to choose among them. `times`
//! is how many they are, `at_most` how many at the most, `after_start_of` looks only at those after the last time that this
//! role was started again, `alike` says that all have the same bytes, and `apart` how long after each of them the next one
//! came at least: so repeated attempts show.

use std::time::Duration;

use handfast_scenario::expectation::difference;

use crate::history::{History, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[
        "from",
        "to",
        "type",
        "after_start_of",
        "has",
        "times",
        "at_most",
        "alike",
        "apart",
    ])?;
    let (from, to, kind) = (params.text("from")?, params.text("to")?, params.text("type")?);
    let attempts = Attempts::read(params)?;
    let has = match attempts {
        Attempts { times: None, at_most: None, alike: false, .. } => {
            Some(params.filled_table("has")?)
        }
        Attempts { .. } => params.optional_table("has")?,
    };
    let since_us = match params.text("after_start_of")? {
        None => 0,
        Some(role) => match history.restarts().into_iter().rfind(|(by, _)| *by == role) {
            Some((_, at_us)) => at_us,
            None => return Ok(Err(format!("{role} was not started again"))),
        },
    };
    let is_meant = |message: &&Wire<'_>| {
        message.at_us >= since_us
            && from.is_none_or(|from| from == message.from)
            && to.is_none_or(|to| to == message.to)
            && kind.is_none_or(|kind| Some(kind) == message.message_type)
    };
    let wire = history.wire();
    let meant: Vec<&Wire<'_>> = wire.iter().filter(is_meant).collect();
    if meant.is_empty() {
        let what = [("from ", from), ("to ", to), ("of type ", kind)];
        let what = what.map(|(word, name)| name.map(|name| format!(" {word}{name}"))).into_iter();
        let what: String = what.flatten().collect();
        return Ok(Err(format!("no message{what} was captured, so that all are so shows nothing")));
    }
    if let Err(problem) = attempts.check(&meant) {
        return Ok(Err(problem));
    }
    let Some(has) = has else { return Ok(Ok(())) };
    for message in meant {
        let Some(sent) = message.sent_json() else {
            let title = message.title();
            return Ok(Err(format!("{title} is not JSON, or longer than what is captured")));
        };
        if let Some(difference) = difference(&sent, has) {
            return Ok(Err(format!("expected {} to include {has}: {difference}", message.title())));
        }
    }
    Ok(Ok(()))
}

/// What is asked of the messages together.
struct Attempts {
    times: Option<usize>,
    at_most: Option<usize>,
    alike: bool,
    apart: Vec<Duration>,
}

impl Attempts {
    fn read(params: &Params<'_>) -> Result<Self, OracleError> {
        let attempts = Self {
            times: params.count("times")?,
            at_most: params.count("at_most")?,
            alike: params.flag("alike")?,
            apart: params.durations("apart")?,
        };
        if !attempts.apart.is_empty() && attempts.times != Some(attempts.apart.len() + 1) {
            return Err(params.problem("needs times = one more than there are pauses in apart"));
        }
        Ok(attempts)
    }

    fn check(&self, messages: &[&Wire<'_>]) -> Finding {
        let count = messages.len();
        if let Some(times) = self.times.filter(|times| *times != count) {
            return Err(format!("expected {times} messages, {count} were captured"));
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
mod tests {
    use handfast_scenario::event::WIRE_BYTES_MAX;
    use serde_json::{Value, json};

    use crate::judge;
    use crate::story::Story;

    fn story() -> Story {
        let old = json!({ "msg_type": "message", "version": "1.0" });
        let new = json!({ "msg_type": "message", "version": "1.1" });
        Story::new().wire("a", "b", &old, 200).wire("b", "a", &new, 200)
    }

    #[test]
    fn messages_of_the_form_pass() {
        story().passes("on-the-wire", json!({ "from": "a", "has": { "version": "1.0" } }));
        story().passes("on-the-wire", json!({ "to": "a", "has": { "version": "1.1" } }));
        let any = json!({ "type": "message", "has": { "version": { "$glob": "1.*" } } });
        story().passes("on-the-wire", any);
    }

    #[test]
    fn one_message_of_another_form_fails() {
        let params = json!({ "has": { "version": "1.0" } });
        story().fails("on-the-wire", params, "message #1 of b -> a");
    }

    #[test]
    fn a_form_that_no_message_could_have_fails() {
        let params = json!({ "from": "c", "type": "message", "has": { "version": "1.0" } });
        story().fails("on-the-wire", params, "no message from c of type message was captured");
    }

    #[test]
    fn attempts_are_counted_compared_and_timed() {
        let sent = |n: u8| json!({ "msg_type": "message", "n": n });
        let twice = || {
            Story::new().wire("a", "b", &sent(1), 500).wait_ms(1_000).wire("a", "b", &sent(1), 200)
        };
        let params = json!({ "times": 2, "alike": true, "apart": ["1s"] });
        twice().passes("on-the-wire", params.clone());
        twice().fails("on-the-wire", json!({ "times": 1 }), "expected 1 messages, 2 were captured");
        twice().fails("on-the-wire", json!({ "times": 3 }), "expected 3 messages, 2 were captured");
        let other = twice().wire("a", "b", &sent(2), 200);
        other.fails("on-the-wire", json!({ "alike": true }), "message #3 of a -> b has others");
        let soon = Story::new().wire("a", "b", &sent(1), 500).wire("a", "b", &sent(1), 200);
        soon.fails("on-the-wire", params, "message #2 of a -> b 1000 ms later, it came after 1 ms");
        Story::new().fails("on-the-wire", json!({ "times": 1 }), "was captured");
        let long = json!({ "text": "x".repeat(WIRE_BYTES_MAX) });
        let long = Story::new().wire("a", "b", &long, 200);
        long.fails("on-the-wire", json!({ "alike": true }), "longer than what is captured");
        // `has` counts beside them.
        let params = json!({ "times": 2, "has": { "n": 2 } });
        twice().fails("on-the-wire", params, "to include");
    }

    #[test]
    fn messages_after_a_restart_are_counted_apart() {
        let chunk = json!({ "msg_type": "chunk" });
        let story = || Story::new().started("a").started("b").wire("a", "b", &chunk, 200);
        let params =
            |at_most: u64| json!({ "from": "a", "after_start_of": "b", "at_most": at_most });
        story().fails("on-the-wire", params(1), "b was not started again");
        story().started("b").fails("on-the-wire", params(1), "no message from a was captured");
        let again = story().started("b").wire("a", "b", &chunk, 200).wire("a", "b", &chunk, 200);
        again.passes("on-the-wire", params(2));
        again.fails("on-the-wire", params(1), "expected at most 1 messages, 2 were captured");
        again.fails("on-the-wire", json!({ "from": "a", "at_most": 2 }), "3 were captured");
    }

    #[test]
    fn pauses_need_their_messages() {
        for params in [
            json!({ "alike": true, "apart": ["1s"] }),
            json!({ "times": 3, "apart": ["1s"] }),
            json!({ "times": 0 }),
            json!({ "times": "3" }),
            json!({ "times": 2, "apart": ["soon"] }),
            json!({ "times": 2, "apart": "1s" }),
        ] {
            assert!(judge("on-the-wire", &params, &[]).is_err(), "{params}");
        }
    }

    #[test]
    fn without_a_form_it_cannot_be_asked() {
        for params in [Value::Null, json!({ "has": {} }), json!({ "has": { "x": 1 }, "from": 1 })] {
            let error = judge("on-the-wire", &params, &[]).unwrap_err();
            assert!(error.to_string().contains("needs"), "{error}");
        }
    }
}
