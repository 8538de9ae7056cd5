//! `order`: what a role receives from another has rising numbers within a session, and where the sender sent one
//! message after the other, they arrive in that order.
//!
//! A peer that was killed before it told of a durable message tells of it no more: none of those in between is missed where the
//! receiver was started again between one that was told and the next. That it has them is the question of `exactly-once`.

use std::collections::BTreeMap;

use handfast_scenario::event::CallOutcome;

use crate::history::{History, Received, Send};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let received = history.received();
    if received.is_empty() {
        return Ok(Err("no message was received, so their order shows nothing".to_owned()));
    }
    let restarts = history.restarts();
    Ok(numbers_rise(&received).and_then(|()| as_sent(&history.sends(), &received, &restarts)))
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
fn as_sent(sends: &[Send<'_>], received: &[Received<'_>], restarts: &[(&str, u64)]) -> Finding {
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
        let got = received.iter().filter(|message| message.by == to && message.from == from);
        // Messages sent by other means than `message.send` may stand between.
        let got = got.filter(|message| sent.iter().any(|send| send.body == message.body));
        let (mut next, mut told_us, mut untold) = (0, 0, Vec::new());
        for message in got {
            let was_started_again = restarts
                .iter()
                .any(|(role, at_us)| *role == to && (told_us..=message.at_us).contains(at_us));
            let left = sent.get(next..).unwrap_or_default();
            let passed_over = left.iter().take_while(|send| {
                was_started_again && send.is_durable && send.body != message.body
            });
            let at = next + passed_over.count();
            match sent.get(at) {
                Some(send) if send.body == message.body => {
                    untold.extend(next..at);
                    (next, told_us) = (at + 1, message.at_us);
                }
                Some(_) => {
                    return Err(format!(
                        "expected message {} of {from} to {to} to be {}, got {}",
                        next + 1,
                        sent[next].body,
                        message.body
                    ));
                }
                None => {
                    if let Some(late) = untold.iter().find(|at| sent[**at].body == message.body) {
                        return Err(format!(
                            "expected message {} of {from} to {to} before later ones, {} came after them",
                            late + 1,
                            message.body
                        ));
                    }
                    // What came once more than it was sent is the question of `exactly-once`.
                }
            }
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

    /// Three messages are sent; b tells of the first, is started again where `is_killed`, and tells of the third.
    fn untold(is_durable: bool, is_killed: bool) -> Story {
        let mut story = Story::new().started("a").started("b");
        for body in 1..=3 {
            let params = json!({ "to": "b", "body": body, "durable": is_durable });
            story = story.call("a", "message.send", params, CallOutcome::Ok { result: NONE });
        }
        let story = story.received("b", "a", "s", 3, json!(1)).wait_ms(1);
        let story = if is_killed { story.started("b").wait_ms(1) } else { story };
        story.received("b", "a", "s", 5, json!(3))
    }

    #[test]
    fn a_durable_message_that_its_receiver_was_killed_before_telling_of_is_not_missed() {
        untold(true, true).passes("order", NONE);
        let expected = "expected message 2 of a to b to be 2, got 3";
        untold(true, false).fails("order", NONE, expected);
        untold(false, true).fails("order", NONE, expected);
        let late = untold(true, true).received("b", "a", "s", 6, json!(2));
        late.fails(
            "order",
            NONE,
            "expected message 2 of a to b before later ones, 2 came after them",
        );
    }

    #[test]
    fn bodies_in_another_order_than_sent_fail() {
        let story = Story::new().sent("a", "b", "s", 3, json!(1)).sent("a", "b", "s", 4, json!(2));
        let story = story.received("b", "a", "s", 3, json!(2)).received("b", "a", "s", 4, json!(1));
        story.fails("order", NONE, "expected message 1 of a to b to be 1, got 2");
    }
}
