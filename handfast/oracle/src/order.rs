//! `order`: what a role receives from another has rising numbers within a session, and where the sender sent one
//! message after the other, they arrive in that order.

use std::collections::BTreeMap;

use handfast_scenario::event::CallOutcome;
use serde_json::Value;

use crate::history::{History, Received, Send};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let received = history.received();
    if received.is_empty() {
        return Ok(Err("no message was received, so their order shows nothing".to_owned()));
    }
    Ok(numbers_rise(&received).and_then(|()| as_sent(&history.sends(), &received)))
}

fn numbers_rise(received: &[Received<'_>]) -> Finding {
    let mut last: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for message in received {
        let (Some(session), Some(sequence)) = (message.session, message.count()) else { continue };
        let before = last.insert((message.by, message.from, session), sequence);
        if let Some(before) = before.filter(|before| *before >= sequence) {
            return Err(format!(
                "{} received number {sequence} of {} after number {before} in session {session}",
                message.by, message.from
            ));
        }
    }
    Ok(())
}

/// The bodies that were sent one after the other and answered with success, against the bodies received.
fn as_sent(sends: &[Send<'_>], received: &[Received<'_>]) -> Finding {
    let mut links: BTreeMap<(&str, &str), Vec<&Send<'_>>> = BTreeMap::new();
    for send in sends {
        if matches!(send.outcome, Some(CallOutcome::Ok { .. })) {
            links.entry((send.from, send.to)).or_default().push(send);
        }
    }
    for ((from, to), sent) in links {
        let overlap = sent.windows(2).any(|pair| pair[0].ended_us > Some(pair[1].began_us));
        if overlap {
            continue;
        }
        let expected: Vec<&Value> = sent.iter().map(|send| send.body).collect();
        let got = received.iter().filter(|message| message.by == to && message.from == from);
        // Messages sent by other means than `message.send` may stand between.
        let got: Vec<&Value> =
            got.map(|message| message.body).filter(|body| expected.contains(body)).collect();
        let differs = expected.iter().zip(&got).position(|(expected, got)| expected != got);
        if let Some(at) = differs {
            return Err(format!(
                "expected message {} of {from} to {to} to be {}, got {}",
                at + 1,
                expected[at],
                got[at]
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    #[test]
    fn messages_in_the_order_they_were_sent_pass() {
        let story =
            Story::new().sent("a", "b", "s", 3, json!(1)).received("b", "a", "s", 3, json!(1));
        let story = story.sent("a", "b", "s", 4, json!(2)).received("b", "a", "s", 4, json!(2));
        story.passes("order", NONE);
    }

    #[test]
    fn a_falling_number_fails() {
        let story =
            Story::new().received("b", "a", "s", 4, json!(1)).received("b", "a", "s", 3, json!(2));
        story.fails("order", NONE, "received number 3 of a after number 4");
    }

    #[test]
    fn a_number_twice_fails() {
        let story =
            Story::new().received("b", "a", "s", 4, json!(1)).received("b", "a", "s", 4, json!(1));
        story.fails("order", NONE, "after number 4");
    }

    #[test]
    fn each_direction_counts_for_itself() {
        let story =
            Story::new().received("b", "a", "s", 4, json!(1)).received("a", "b", "s", 4, json!(2));
        story.passes("order", NONE);
    }

    #[test]
    fn bodies_in_another_order_than_sent_fail() {
        let story = Story::new().sent("a", "b", "s", 3, json!(1)).sent("a", "b", "s", 4, json!(2));
        let story = story.received("b", "a", "s", 3, json!(2)).received("b", "a", "s", 4, json!(1));
        story.fails("order", NONE, "expected message 1 of a to b to be 1, got 2");
    }
}
