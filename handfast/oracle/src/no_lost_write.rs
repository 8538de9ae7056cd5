//! `no-lost-write`: what a peer has said that it did, it has done for good: whoever looks afterwards, also after a restart, sees it.
//!
//! A write is lost only where somebody looked. So of every write that was acknowledged there has to be a look after it, and the last
//! one has to show it:
//!
//! | write | acknowledged by | has to be shown by the last |
//! |---|---|---|
//! | a payment | `state = "applied"`, with its `sequence` | `token.balance` of the payer's account at the same role: its `next_sequence` is higher |
//! | a durable message | its `id` | `message.inbox` of its receiver, a `message.received` there, or the `outbox.list` of its sender, where it still waits |
//! | a task | its `id` | `task.list` of the same role |
//!
//! `of = ["token", "message", "task"]` chooses among them; without it all are looked at that there are.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::books::Books;
use crate::calls::{self, Asked};
use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

/// The kinds of writes.
const KINDS: [&str; 3] = ["token", "message", "task"];

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["of"])?;
    let chosen = match params.optional_texts("of")? {
        None => KINDS.map(str::to_owned).to_vec(),
        Some(chosen) => match chosen.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            None => chosen,
            Some(_) => {
                return Err(
                    params.problem("needs of = [..] with \"token\", \"message\" or \"task\"")
                );
            }
        },
    };
    let calls = calls::all(history);
    let is_chosen = |kind: &str| chosen.iter().any(|chosen| chosen == kind);
    Ok(judge(history, &calls, is_chosen))
}

fn judge(history: &History<'_>, calls: &[Asked<'_>], chosen: impl Fn(&str) -> bool) -> Finding {
    let mut kept = 0;
    if chosen("token") && calls.iter().any(|call| call.method == "token.open") {
        kept += payments(&Books::read(history)?)?;
    }
    if chosen("message") {
        kept += messages(history, calls)?;
    }
    if chosen("task") {
        kept += tasks(calls)?;
    }
    if kept == 0 {
        return Err("no write was acknowledged, so that none was lost shows nothing".to_owned());
    }
    Ok(())
}

/// Says how many payments were kept.
fn payments(books: &Books) -> Result<usize, String> {
    let mut kept = 0;
    for payment in &books.payments {
        let (Some(applied), Some(sequence)) = (payment.applied, payment.sequence) else { continue };
        let looks = books.looks.iter().filter(|look| {
            look.role == payment.role
                && look.token == payment.token
                && look.began > applied
                && look.balances.iter().any(|(account, _)| *account == payment.from)
        });
        let next = looks.filter_map(|look| look.next_sequence).next_back();
        let title = format!(
            "payment {sequence} of {}, which {} applied",
            payment.from.get(..8).unwrap_or(&payment.from),
            payment.role
        );
        match next {
            Some(next) if next > sequence => kept += 1,
            Some(next) => return Err(format!("{title}, is lost: its next one is {next}")),
            None => return Err(format!("{title}, was not looked at afterwards")),
        }
    }
    Ok(kept)
}

fn messages(history: &History<'_>, calls: &[Asked<'_>]) -> Result<usize, String> {
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (_, by, params) in history.peer_events("message.received") {
        told.extend(params["durable"].as_str().map(|id| (by, id)));
    }
    let mut kept = 0;
    for send in calls.iter().filter(|call| call.method == "message.send") {
        let Some((at, result)) = send.done().filter(|_| send.params["durable"] == true) else {
            continue;
        };
        let (Some(id), Some(to)) = (result["id"].as_str(), send.params["to"].as_str()) else {
            continue;
        };
        let has = |role: &str, method: &str, list: &str, field: &str| {
            let last = last(calls, role, method, at)?;
            let items = last[list].as_array().into_iter().flatten();
            Some(items.filter(|item| item[field] == id).count() > 0)
        };
        let there = has(to, "message.inbox", "messages", "durable");
        let waits = has(send.role, "outbox.list", "messages", "id");
        let is_told = told.contains(&(to, id));
        if is_told || there == Some(true) || waits == Some(true) {
            kept += 1;
        } else if there.is_none() && waits.is_none() {
            return Err(format!(
                "message {id} of {} to {to} was not looked for afterwards",
                send.role
            ));
        } else {
            return Err(format!(
                "message {id}, which {} kept for {to}, is lost: neither has it arrived nor does it wait",
                send.role
            ));
        }
    }
    Ok(kept)
}

fn tasks(calls: &[Asked<'_>]) -> Result<usize, String> {
    let mut kept = 0;
    for task in calls.iter().filter(|call| call.method == "task.delegate") {
        let Some((at, id)) =
            task.done().and_then(|(at, result)| Some((at, result["id"].as_str()?)))
        else {
            continue;
        };
        let title = format!("task {id}, which {} kept", task.role);
        let Some(list) = last(calls, task.role, "task.list", at) else {
            return Err(format!("{title}, was not looked at afterwards"));
        };
        let tasks = list["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !tasks.iter().any(|task| task["id"] == id) {
            return Err(format!("{title}, is lost: it is in no list any more"));
        }
        kept += 1;
    }
    Ok(kept)
}

/// The last answer of a role to a getter that was asked for after a moment.
fn last<'a>(calls: &[Asked<'a>], role: &str, method: &str, after: usize) -> Option<&'a Value> {
    let looks = calls.iter().rev().filter(|call| call.role == role && call.method == method);
    looks.filter(|call| call.began > after).find_map(|call| call.done().map(|(_, result)| result))
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::CallOutcome;
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    fn ok(result: Value) -> CallOutcome {
        CallOutcome::Ok { result }
    }

    fn paid() -> Story {
        let token = json!({ "token": "AGT", "issuer": "aa", "cap": "1000" });
        let genesis = json!({ "genesis": { "tokens": [token] } });
        let story = Story::new().started_with_key("a", "aa");
        let story = story.call("a", "token.open", genesis, ok(json!({})));
        let params = json!({ "to": "bb", "amount": "3" });
        story.call("a", "token.transfer", params, ok(json!({ "state": "applied", "sequence": 4 })))
    }

    fn balance(story: Story, next: u64) -> Story {
        let result =
            json!({ "account": "aa", "token": "AGT", "balance": "997", "next_sequence": next });
        story.call("a", "token.balance", json!({}), ok(result))
    }

    #[test]
    fn an_applied_payment_that_is_there_afterwards_passes() {
        balance(paid().started_with_key("a", "aa"), 5).passes("no-lost-write", NONE);
    }

    #[test]
    fn an_applied_payment_whose_place_is_free_again_fails() {
        balance(balance(paid(), 5), 4).fails("no-lost-write", NONE, "payment 4 of aa");
        paid().fails("no-lost-write", NONE, "was not looked at afterwards");
    }

    fn kept() -> Story {
        let params = json!({ "to": "b", "body": {}, "durable": true });
        Story::new().call("a", "message.send", params, ok(json!({ "id": "m", "queued": true })))
    }

    fn lists(story: Story, role: &str, method: &str, messages: &Value) -> Story {
        story.call(role, method, json!({}), ok(json!({ "messages": messages })))
    }

    #[test]
    fn a_kept_message_that_arrived_or_waits_passes() {
        let arrived = json!([{ "durable": "m" }]);
        lists(kept(), "b", "message.inbox", &arrived).passes("no-lost-write", NONE);
        lists(kept(), "a", "outbox.list", &json!([{ "id": "m" }])).passes("no-lost-write", NONE);
        let told = kept().event("b", "message.received", json!({ "durable": "m" }));
        told.passes("no-lost-write", NONE);
    }

    #[test]
    fn a_kept_message_that_neither_arrived_nor_waits_fails() {
        let story = lists(kept(), "b", "message.inbox", &json!([]));
        lists(story, "a", "outbox.list", &json!([])).fails("no-lost-write", NONE, "is lost");
        kept().fails("no-lost-write", NONE, "was not looked for");
        let before = lists(Story::new(), "b", "message.inbox", &json!([]));
        let params = json!({ "to": "b", "body": {}, "durable": true });
        let story = before.call("a", "message.send", params, ok(json!({ "id": "m" })));
        story.fails("no-lost-write", NONE, "was not looked for");
    }

    fn delegated() -> Story {
        Story::new().call("a", "task.delegate", json!({}), ok(json!({ "id": "t" })))
    }

    #[test]
    fn a_task_that_is_gone_fails() {
        let lists = |tasks: Value| {
            let result = ok(json!({ "tasks": tasks }));
            delegated().started("a").call("a", "task.list", json!({}), result)
        };
        lists(json!([{ "id": "t" }])).passes("no-lost-write", NONE);
        lists(json!([{ "id": "u" }])).fails("no-lost-write", NONE, "task t, which a kept, is lost");
        delegated().fails("no-lost-write", NONE, "was not looked at");
    }

    #[test]
    fn what_was_not_acknowledged_may_be_lost() {
        let story = Story::new().call("a", "task.delegate", json!({}), CallOutcome::TimedOut);
        story.fails("no-lost-write", NONE, "no write was acknowledged");
        let story = story_of_two();
        story.passes("no-lost-write", json!({ "of": ["task"] }));
        story.fails("no-lost-write", NONE, "message m");
    }

    /// A task that is there and a message that nobody looked for.
    fn story_of_two() -> Story {
        let params = json!({ "to": "b", "body": {}, "durable": true });
        let story =
            delegated().call("a", "message.send", params, ok(json!({ "id": "m", "queued": true })));
        story.call("a", "task.list", json!({}), ok(json!({ "tasks": [{ "id": "t" }] })))
    }

    #[test]
    fn a_slip_in_the_parameters_is_refused() {
        let error = crate::judge("no-lost-write", &json!({ "of": ["tasks"] }), &[]).unwrap_err();
        assert!(error.to_string().contains("\"task\""), "{error}");
    }
}
