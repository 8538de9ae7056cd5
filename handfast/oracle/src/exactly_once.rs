//! `exactly-once`: what was sent with success was received once, what had no answer at most once, and nothing was
//! received that nobody sent.
//!
//! A durable message outlives the peer that has it: one that was killed before it told of a message shows it in its inbox
//! after the start. So of durable ones the last `message.inbox` of the receiver counts too.

use std::collections::BTreeMap;

use handfast_scenario::event::CallOutcome;

use crate::history::{History, Received, Send};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let (sends, received) = (history.sends(), history.received());
    if sends.is_empty() {
        return Ok(Err("no message was sent, so that none came twice shows nothing".to_owned()));
    }
    let kept = kept(history);
    Ok(no_place_twice(&received).and_then(|()| counts_fit(&sends, &received, &kept)))
}

/// One way, and one body on it.
type Way<'a> = (&'a str, &'a str, String);

/// How often the last inbox of each role has each body.
fn kept<'a>(history: &History<'a>) -> BTreeMap<Way<'a>, u64> {
    let mut kept = BTreeMap::new();
    for (by, answer) in history.last_answers("message.inbox") {
        for message in answer["messages"].as_array().into_iter().flatten() {
            let from = message["from"].as_str().unwrap_or_default();
            *kept.entry((from, by, message["body"].to_string())).or_default() += 1;
        }
    }
    kept
}

fn no_place_twice(received: &[Received<'_>]) -> Finding {
    let mut seen: BTreeMap<(&str, &str, &str, i64), u64> = BTreeMap::new();
    for message in received {
        let (Some(session), Some(sequence)) = (message.session, message.count()) else { continue };
        let from = message.from;
        let times = seen.entry((message.by, from, session, sequence)).or_default();
        *times += 1;
        if *times > 1 {
            return Err(format!(
                "{} received number {sequence} of {from} in session {session} {times} times",
                message.by
            ));
        }
    }
    Ok(())
}

/// How often each body went each way, against how often it may have arrived.
fn counts_fit(
    sends: &[Send<'_>],
    received: &[Received<'_>],
    kept: &BTreeMap<Way<'_>, u64>,
) -> Finding {
    #[derive(Default)]
    struct Count {
        sure: u64,
        perhaps: u64,
        got: u64,
        is_durable: bool,
    }
    let mut counts: BTreeMap<Way<'_>, Count> = BTreeMap::new();
    for send in sends {
        let count = counts.entry((send.from, send.to, send.body.to_string())).or_default();
        count.is_durable |= send.is_durable;
        match send.outcome {
            Some(CallOutcome::Ok { .. }) => count.sure += 1,
            // A refusal can be a lost answer to a message that was delivered; that a refused message is
            // never delivered is the question of another oracle.
            Some(CallOutcome::TimedOut | CallOutcome::Lost | CallOutcome::Refused { .. })
            | None => {
                count.perhaps += 1;
            }
            Some(CallOutcome::Unsupported) => {}
        }
    }
    for message in received {
        // Messages of other types than those sent here (replies that a peer makes itself) have keys of
        // their own and are not judged.
        if let Some(count) = counts.get_mut(&(message.from, message.by, message.body.to_string())) {
            count.got += 1;
        }
    }
    for (way, mut count) in counts {
        if count.is_durable {
            count.got = count.got.max(kept.get(&way).copied().unwrap_or(0));
        }
        let (from, to, body) = way;
        if count.got < count.sure {
            return Err(format!(
                "expected {to} to receive {body} of {from} {} times, it received it {} times",
                count.sure, count.got
            ));
        }
        if count.got > count.sure + count.perhaps {
            return Err(format!(
                "expected {to} to receive {body} of {from} at most {} times, it received it {} times",
                count.sure + count.perhaps,
                count.got
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::CallOutcome;
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    #[test]
    fn each_message_once_passes() {
        let story =
            Story::new().sent("a", "b", "s", 3, json!("x")).received("b", "a", "s", 3, json!("x"));
        story.passes("exactly-once", NONE);
    }

    #[test]
    fn the_same_body_twice_is_two_messages() {
        let story =
            Story::new().sent("a", "b", "s", 3, json!("x")).sent("a", "b", "s", 4, json!("x"));
        let story =
            story.received("b", "a", "s", 3, json!("x")).received("b", "a", "s", 4, json!("x"));
        story.passes("exactly-once", NONE);
    }

    #[test]
    fn a_lost_message_fails() {
        let story = Story::new().sent("a", "b", "s", 3, json!("x"));
        story.fails("exactly-once", NONE, "1 times, it received it 0 times");
    }

    #[test]
    fn a_message_received_twice_fails() {
        let story =
            Story::new().sent("a", "b", "s", 3, json!("x")).received("b", "a", "s", 3, json!("x"));
        let again = story.received("b", "a", "s", 3, json!("x"));
        again.fails("exactly-once", NONE, "number 3 of a in session s 2 times");
    }

    #[test]
    fn a_copy_under_another_number_fails() {
        let story =
            Story::new().sent("a", "b", "s", 3, json!("x")).received("b", "a", "s", 3, json!("x"));
        let again = story.received("b", "a", "s", 4, json!("x"));
        again.fails("exactly-once", NONE, "at most 1 times, it received it 2 times");
    }

    #[test]
    fn a_durable_message_may_show_in_the_inbox_alone_and_only_once() {
        let queued = || CallOutcome::Ok { result: json!({ "id": "i", "queued": true }) };
        let story = |durable: bool| {
            let params = json!({ "to": "b", "body": "x", "durable": durable });
            Story::new().call("a", "message.send", params, queued())
        };
        let inbox = |story: Story, count: usize| {
            let messages = vec![json!({ "from": "a", "body": "x" }); count];
            let result = json!({ "messages": messages });
            story.call("b", "message.inbox", json!({}), CallOutcome::Ok { result })
        };
        inbox(story(true), 1).passes("exactly-once", NONE);
        inbox(story(true), 0).fails("exactly-once", NONE, "it received it 0 times");
        inbox(story(true), 2).fails("exactly-once", NONE, "it received it 2 times");
        inbox(story(false), 1).fails("exactly-once", NONE, "it received it 0 times");
    }

    #[test]
    fn a_send_without_answer_may_arrive_or_not() {
        Story::new().lost("a", "b", json!("x")).passes("exactly-once", NONE);
        let story = Story::new().lost("a", "b", json!("x")).received("b", "a", "s", 3, json!("x"));
        story.passes("exactly-once", NONE);
    }
}
