//! `tasks-once`: every task that was delegated was received at most once, answered at most once, and came to an end,
//! with `tasks-once < 30s` within the time; nothing was received or answered that nobody delegated.

use std::collections::BTreeMap;

use handfast_scenario::event::CallOutcome;
use serde_json::Value;

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["at_most"])?;
    let at_most = params.optional_duration("at_most")?;
    let tasks = delegated(history);
    if tasks.is_empty() {
        return Ok(Err("no task was delegated, so that none was done twice shows nothing".into()));
    }
    let found = tell(history, tasks).and_then(|tasks| ended(history, &tasks).map(|()| tasks));
    let tasks = match found {
        Ok(tasks) => tasks,
        Err(reason) => return Ok(Err(reason)),
    };
    let first = tasks.values().map(|task| task.began_us).min().unwrap_or(0);
    let last = tasks.values().filter_map(|task| task.ended_us).max().unwrap_or(first);
    let took_ms = u128::from(last.saturating_sub(first) / 1_000);
    Ok(match at_most {
        Some(at_most) if took_ms > at_most.as_millis() => Err(format!(
            "expected all tasks to end within {} ms, it took {took_ms} ms",
            at_most.as_millis()
        )),
        Some(_) | None => Ok(()),
    })
}

/// One task, by its delegator and its id.
#[derive(Debug)]
struct Task<'a> {
    to: &'a str,
    began_us: u64,
    received: u64,
    ends: u64,
    ended_us: Option<u64>,
}

type Tasks<'a> = BTreeMap<(&'a str, &'a str), Task<'a>>;

fn delegated<'a>(history: &History<'a>) -> Tasks<'a> {
    let mut tasks = Tasks::new();
    for call in history.calls("task.delegate") {
        let Some(CallOutcome::Ok { result }) = call.outcome else { continue };
        let (Some(id), Some(to)) = (result["id"].as_str(), call.params["to"].as_str()) else {
            continue;
        };
        let (began_us, received, ends, ended_us) = (call.began_us, 0, 0, None);
        let task = Task { to, began_us, received, ends, ended_us };
        tasks.entry((call.role, id)).or_insert(task);
    }
    tasks
}

/// Counts what both sides told.
fn tell<'a>(history: &History<'a>, mut tasks: Tasks<'a>) -> Result<Tasks<'a>, String> {
    for (_, by, params) in history.peer_events("task.received") {
        let (id, from) = names(params);
        match tasks.get_mut(&(from, id)) {
            Some(task) if task.to == by => task.received += 1,
            Some(_) | None => {
                return Err(format!(
                    "{by} received task {id} of {from}, which nobody delegated to it"
                ));
            }
        }
    }
    for name in ["task.refused", "task.done"] {
        for (at_us, by, params) in history.peer_events(name) {
            let (id, from) = names(params);
            match tasks.get_mut(&(by, id)) {
                Some(task) if task.to == from => {
                    task.ends += 1;
                    task.ended_us = Some(at_us);
                }
                Some(_) | None => {
                    return Err(format!(
                        "{from} told {by} the end of task {id}, which it was not given"
                    ));
                }
            }
        }
    }
    Ok(tasks)
}

fn names(params: &Value) -> (&str, &str) {
    (params["id"].as_str().unwrap_or_default(), params["peer"].as_str().unwrap_or_default())
}

/// A peer that was killed has perhaps not told an event; then its last `task.list` says what became of the task.
fn ended(history: &History<'_>, tasks: &Tasks<'_>) -> Finding {
    let lists = history.last_answers("task.list");
    for ((from, id), task) in tasks {
        let to = task.to;
        if task.received > 1 {
            return Err(format!("{to} received task {id} of {from} {} times", task.received));
        }
        if task.ends > 1 {
            return Err(format!("{from} was told the end of task {id} {} times", task.ends));
        }
        let listed = lists.get(from).and_then(|list| list["tasks"].as_array());
        let is_over = listed.into_iter().flatten().any(|listed| {
            listed["id"].as_str() == Some(id)
                && ["refused", "done", "failed"].iter().any(|state| listed["state"] == *state)
        });
        if task.ends == 0 && !is_over {
            return Err(format!("task {id} of {from} for {to} has no end"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::story::Story;

    const NONE: Value = Value::Null;

    fn delegated(id: &str) -> Story {
        let result = json!({ "id": id });
        Story::new().call("a", "task.delegate", json!({ "to": "b" }), CallOutcome::Ok { result })
    }

    fn received(story: Story, id: &str) -> Story {
        story.event("b", "task.received", json!({ "id": id, "peer": "a" }))
    }

    fn done(story: Story, id: &str) -> Story {
        story.event("a", "task.done", json!({ "id": id, "peer": "b" }))
    }

    #[test]
    fn a_task_that_comes_and_ends_once_passes() {
        done(received(delegated("1"), "1"), "1").passes("tasks-once", NONE);
    }

    #[test]
    fn a_task_received_twice_fails() {
        let story = received(received(delegated("1"), "1"), "1");
        done(story, "1").fails("tasks-once", NONE, "received task 1 of a 2 times");
    }

    #[test]
    fn an_end_told_twice_fails() {
        let story = done(received(delegated("1"), "1"), "1");
        done(story, "1").fails("tasks-once", NONE, "the end of task 1 2 times");
    }

    #[test]
    fn a_task_without_an_end_fails_unless_the_list_has_it() {
        let story = || received(delegated("1"), "1");
        story().fails("tasks-once", NONE, "has no end");
        let list = |state: &str| {
            let result = json!({ "tasks": [{ "id": "1", "state": state }] });
            story().call("a", "task.list", json!({}), CallOutcome::Ok { result })
        };
        list("accepted").fails("tasks-once", NONE, "has no end");
        list("done").passes("tasks-once", NONE);
    }

    #[test]
    fn a_task_that_nobody_delegated_fails() {
        let story = received(done(received(delegated("1"), "1"), "1"), "2");
        story.fails("tasks-once", NONE, "which nobody delegated");
        let story = done(done(received(delegated("1"), "1"), "1"), "2");
        story.fails("tasks-once", NONE, "which it was not given");
    }

    #[test]
    fn tasks_that_take_too_long_fail() {
        let story = received(delegated("1"), "1").wait_ms(600);
        let limit = json!({ "at_most": "500ms" });
        done(story, "1").fails("tasks-once", limit, "within 500 ms");
        let limit = json!({ "at_most": "500ms" });
        done(received(delegated("1"), "1"), "1").passes("tasks-once", limit);
    }
}
