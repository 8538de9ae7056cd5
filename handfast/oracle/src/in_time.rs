//! `in-time`: a durable message that was taken arrives soon, as soon as nothing keeps it from arriving.
//!
//! `{ oracle = "in-time", at_most = "12s", times = 2 }`: from the answer to its sender until the receiver tells of it pass at most 12 s and twice
//! the time for which anything has been disturbed until then. A sender that doubles its pauses after each attempt in vain has tried again by
//! then: before the last attempt in vain it had waited about as long as it waits after it. What was disturbed before the message was taken
//! counts, too, since those before it may have made the pause. `times` is 0 where it is left out.
//!
//! A message that arrived without its receiver telling of it, since it was killed, is not judged here; that it is there is the question of
//! `exactly-once`. Where no durable message was seen to arrive nothing is shown, and that is no pass.

use std::collections::BTreeMap;

use handfast_scenario::RunEvent;
use handfast_scenario::event::{CallOutcome, DisturbanceState};

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["at_most", "times"])?;
    let at_most = params.duration("at_most")?;
    let at_most_us = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX);
    let times = u64::try_from(params.count("times")?.unwrap_or(0)).unwrap_or(u64::MAX);
    Ok(judge(history, at_most_us, times))
}

fn judge(history: &History<'_>, at_most_us: u64, times: u64) -> Finding {
    let disturbed = disturbed(history);
    let mut arrivals: BTreeMap<(&str, &str, String), Vec<u64>> = BTreeMap::new();
    for message in history.received() {
        let way = (message.from, message.by, message.body.to_string());
        arrivals.entry(way).or_default().push(message.at_us);
    }
    let mut judged = 0_u64;
    for send in history.sends() {
        let is_taken = matches!(send.outcome, Some(CallOutcome::Ok { .. }));
        let Some(taken_us) = send.ended_us.filter(|_| is_taken && send.is_durable) else {
            continue;
        };
        // Of the same body sent twice each arrival belongs to one sending, the first to the first.
        let way = (send.from, send.to, send.body.to_string());
        let arrivals = arrivals.get_mut(&way).filter(|arrivals| !arrivals.is_empty());
        let Some(arrived_us) = arrivals.map(|arrivals| arrivals.remove(0)) else { continue };
        judged += 1;
        // A receiver may tell of it before the sender has its answer.
        let took_us = arrived_us.saturating_sub(taken_us);
        let disturbed_us = until(&disturbed, arrived_us);
        let allowed_us = at_most_us.saturating_add(times.saturating_mul(disturbed_us));
        if took_us > allowed_us {
            return Err(format!(
                "expected {} to have {} of {} within {} ms, since there were {} ms of disturbances, it took {} ms",
                send.to,
                send.body,
                send.from,
                allowed_us / 1_000,
                disturbed_us / 1_000,
                took_us / 1_000
            ));
        }
    }
    if judged == 0 {
        return Err(
            "no durable message was seen to arrive, so that none was late shows nothing".to_owned()
        );
    }
    Ok(())
}

/// The times at which at least one disturbance was in force, from and to, in microseconds of the run.
fn disturbed(history: &History<'_>) -> Vec<(u64, u64)> {
    let mut spans = Vec::new();
    let (mut in_force, mut since_us) = (0_u32, 0);
    for (at_us, event) in history.timed() {
        let RunEvent::Disturbance { state, .. } = event else { continue };
        match state {
            DisturbanceState::Applied => {
                if in_force == 0 {
                    since_us = at_us;
                }
                in_force += 1;
            }
            DisturbanceState::Undone => {
                if in_force == 1 {
                    spans.push((since_us, at_us));
                }
                in_force = in_force.saturating_sub(1);
            }
            DisturbanceState::Failed { .. } => {}
        }
    }
    if in_force > 0 {
        spans.push((since_us, u64::MAX));
    }
    spans
}

/// How much of the time until a moment lies in these spans.
fn until(spans: &[(u64, u64)], moment_us: u64) -> u64 {
    spans.iter().map(|(begin, end)| (*end).min(moment_us).saturating_sub(*begin)).sum()
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::{CallOutcome, DisturbanceState};
    use serde_json::{Value, json};

    use crate::story::Story;

    fn limit() -> Value {
        json!({ "at_most": "10s", "times": 2 })
    }

    fn taken(story: Story) -> Story {
        let params = json!({ "to": "b", "body": "x", "durable": true });
        story.call(
            "a",
            "message.send",
            params,
            CallOutcome::Ok { result: json!({ "queued": true }) },
        )
    }

    fn arrived(story: Story) -> Story {
        story.received("b", "a", "s", 3, json!("x"))
    }

    fn disturbed_for(story: Story, ms: u64) -> Story {
        let story = story.disturbance("cut", "reset a -> b", DisturbanceState::Applied);
        story.wait_ms(ms).disturbance("cut", "reset a -> b", DisturbanceState::Undone)
    }

    #[test]
    fn what_arrives_soon_passes() {
        arrived(taken(Story::new()).wait_ms(9_000)).passes("in-time", limit());
    }

    #[test]
    fn what_arrives_late_fails() {
        let late = arrived(taken(Story::new()).wait_ms(11_000));
        late.fails(
            "in-time",
            limit(),
            "within 10000 ms, since there were 0 ms of disturbances, it took 1100",
        );
    }

    #[test]
    fn disturbances_in_between_give_twice_their_time() {
        let story = |wait_ms| arrived(disturbed_for(taken(Story::new()), 4_000).wait_ms(wait_ms));
        story(13_000).passes("in-time", limit());
        story(15_000).fails("in-time", limit(), "were 400");
    }

    #[test]
    fn disturbances_at_the_same_time_count_once() {
        let both = taken(Story::new()).disturbance("one", "kill b", DisturbanceState::Applied);
        let both =
            disturbed_for(both, 4_000).disturbance("one", "kill b", DisturbanceState::Undone);
        arrived(both.wait_ms(15_000)).fails("in-time", limit(), "were 400");
    }

    #[test]
    fn disturbances_before_count_and_those_after_the_arrival_do_not() {
        let before = || taken(disturbed_for(Story::new(), 4_000));
        arrived(before().wait_ms(17_000)).passes("in-time", limit());
        arrived(before().wait_ms(19_000)).fails("in-time", limit(), "were 400");
        let late = arrived(taken(Story::new()).wait_ms(11_000));
        disturbed_for(late, 4_000).fails("in-time", limit(), "were 0 ms");
    }

    #[test]
    fn of_the_same_body_twice_each_is_judged_by_its_own_arrival() {
        let twice = arrived(taken(arrived(taken(Story::new())).wait_ms(30_000)));
        twice.passes("in-time", limit());
    }

    #[test]
    fn without_an_arrival_nothing_is_shown() {
        taken(Story::new()).fails("in-time", limit(), "shows nothing");
        let live = Story::new().sent("a", "b", "s", 3, json!("x"));
        arrived(live).fails("in-time", limit(), "shows nothing");
    }
}
