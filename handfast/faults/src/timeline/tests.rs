use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::conditions::{ConditionsPatch, Cut};
use crate::disturbance::What;

const S: Duration = Duration::from_secs(1);
const NO: Duration = Duration::ZERO;

fn pause(when: When, lasts: Option<Duration>) -> Disturbance {
    Disturbance {
        name: "pause".to_owned(),
        when,
        lasts,
        what: What::Pause { role: "b".to_owned() },
    }
}

fn kill(when: When) -> Disturbance {
    Disturbance { what: What::Kill { role: "b".to_owned() }, ..pause(when, None) }
}

fn voted(includes: Option<Value>) -> When {
    let (role, event) = ("b".to_owned(), "voted".to_owned());
    When::On { cue: Cue::Notification { role, event, includes }, after: NO }
}

fn timeline(disturbances: impl IntoIterator<Item = Disturbance>) -> Timeline {
    Timeline::new(disturbances.into_iter().collect()).unwrap()
}

fn orders(timeline: &mut Timeline) -> Vec<Order> {
    std::iter::from_fn(|| timeline.poll_output()).collect()
}

#[test]
fn a_disturbance_begins_at_its_time_and_ends_when_it_has_lasted() {
    let mut timeline = timeline([pause(When::At(2 * S), Some(3 * S))]);
    assert_eq!(timeline.next_deadline(), None, "nothing counts before the first step");
    timeline.handle_start(10 * S);
    assert_eq!((timeline.next_deadline(), timeline.is_calm()), (Some(12 * S), false));
    timeline.handle_deadline(11 * S);
    assert_eq!(orders(&mut timeline), []);
    timeline.handle_deadline(12 * S);
    assert_eq!(orders(&mut timeline), [Order::Apply(0)]);
    // It lasts from the moment on at which it took effect.
    timeline.handle_done(0, Done::Applied, 13 * S);
    assert_eq!(timeline.next_deadline(), Some(16 * S));
    timeline.handle_deadline(16 * S);
    assert_eq!(orders(&mut timeline), [Order::Undo(0)]);
    assert!(!timeline.is_calm(), "it is not undone yet");
    timeline.handle_done(0, Done::Undone, 16 * S);
    assert!(timeline.is_calm() && timeline.never_exercised().is_empty());
}

#[test]
fn a_message_is_awaited_until_it_came_or_it_is_calm() {
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let cue = Cue::Message { from, to, message_type: None, nth: 2 };
    let mut one = timeline([pause(When::On { cue, after: NO }, Some(S)), pause(voted(None), None)]);
    assert!(one.awaits_messages());
    let mut calm = one.clone();
    calm.handle_calm(S);
    assert!(!calm.awaits_messages());
    one.handle_start(NO);
    one.handle_message("a", "b", None, S);
    assert!(one.awaits_messages());
    one.handle_message("a", "b", None, S);
    assert!(!one.awaits_messages(), "only a notification is awaited now");
}

#[test]
fn a_notification_with_the_right_fields_begins_it_once() {
    let mut timeline = timeline([pause(voted(Some(json!({"id": 7}))), Some(S))]);
    let seven = json!({"id": 7, "amount": "250"});
    timeline.handle_notification("b", "voted", &seven, NO);
    timeline.handle_start(NO);
    for (role, event, fields) in
        [("a", "voted", &seven), ("b", "paid", &seven), ("b", "voted", &json!({"id": 8}))]
    {
        timeline.handle_notification(role, event, fields, S);
        assert_eq!(orders(&mut timeline), []);
    }
    timeline.handle_notification("b", "voted", &seven, S);
    timeline.handle_notification("b", "voted", &seven, S);
    assert_eq!(orders(&mut timeline), [Order::Apply(0)]);
}

#[test]
fn fields_are_compared_as_the_driver_says() {
    let mut timeline =
        timeline([pause(voted(Some(json!("anything"))), None)]).comparing(|_, _| true);
    timeline.handle_start(NO);
    timeline.handle_notification("b", "voted", &json!({}), NO);
    assert_eq!(orders(&mut timeline), [Order::Apply(0)]);
}

#[test]
fn the_nth_message_begins_it_so_much_later() {
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let cue = Cue::Message { from, to, message_type: Some("chunk".to_owned()), nth: 2 };
    let mut timeline = timeline([pause(When::On { cue, after: S }, Some(S))]);
    timeline.handle_start(NO);
    for (from, to, kind) in [
        ("a", "b", Some("chunk")),
        ("b", "a", Some("chunk")),
        ("a", "b", Some("ack")),
        ("a", "b", None),
    ] {
        timeline.handle_message(from, to, kind, S);
        assert_eq!(timeline.next_deadline(), None);
    }
    timeline.handle_message("a", "b", Some("chunk"), 2 * S);
    assert_eq!((orders(&mut timeline), timeline.next_deadline()), (vec![], Some(3 * S)));
    timeline.handle_deadline(3 * S);
    assert_eq!(orders(&mut timeline), [Order::Apply(0)]);
}

#[test]
fn what_was_applied_is_undone_at_the_end_and_nothing_more_begins() {
    let mut timeline = timeline([
        pause(When::At(NO), None),
        pause(When::At(NO), Some(S)),
        pause(When::At(9 * S), None),
        pause(voted(None), None),
    ]);
    timeline.handle_start(NO);
    assert_eq!(orders(&mut timeline), [Order::Apply(0), Order::Apply(1)]);
    timeline.handle_done(0, Done::Applied, NO);
    timeline.handle_end(S);
    assert_eq!(orders(&mut timeline), [Order::Undo(0)], "the other is still being applied");
    timeline.handle_done(1, Done::Applied, S);
    assert_eq!(orders(&mut timeline), [Order::Undo(1)]);
    timeline.handle_notification("b", "voted", &json!({}), 9 * S);
    timeline.handle_deadline(9 * S);
    assert_eq!(orders(&mut timeline), []);
    let never = timeline.never_exercised();
    assert_eq!(never[0], (2, "the unit was over before 9s had passed".to_owned()));
    assert_eq!(never[1], (3, "b never told of voted".to_owned()));
}

#[test]
fn calm_undoes_what_has_no_end_and_waits_for_what_has() {
    let mut timeline = timeline([
        pause(When::At(NO), None),
        pause(When::At(NO), Some(5 * S)),
        pause(When::At(7 * S), Some(S)),
        pause(voted(None), Some(S)),
    ]);
    timeline.handle_start(NO);
    orders(&mut timeline);
    timeline.handle_done(0, Done::Applied, NO);
    timeline.handle_done(1, Done::Applied, NO);
    timeline.handle_calm(S);
    assert_eq!(orders(&mut timeline), [Order::Undo(0)]);
    timeline.handle_done(0, Done::Undone, S);
    timeline.handle_notification("b", "voted", &json!({}), 2 * S);
    assert_eq!(timeline.next_deadline(), Some(5 * S), "a cue comes too late");
    timeline.handle_deadline(5 * S);
    timeline.handle_done(1, Done::Undone, 5 * S);
    assert!(!timeline.is_calm(), "one is to begin at seven seconds");
    timeline.handle_deadline(7 * S);
    timeline.handle_done(2, Done::Applied, 7 * S);
    timeline.handle_deadline(8 * S);
    timeline.handle_done(2, Done::Undone, 8 * S);
    assert!(timeline.is_calm());
    assert_eq!(timeline.never_exercised().len(), 1);
}

#[test]
fn a_kill_without_a_time_is_over_when_it_is_done() {
    let mut timeline = timeline([kill(When::At(NO))]);
    timeline.handle_start(NO);
    orders(&mut timeline);
    timeline.handle_done(0, Done::Applied, NO);
    assert!(timeline.is_calm());
    timeline.handle_end(S);
    assert_eq!(orders(&mut timeline), []);
}

#[test]
fn an_order_that_failed_is_reported_and_is_no_trouble_afterwards() {
    let mut timeline = timeline([pause(When::At(NO), Some(S))]);
    timeline.handle_start(NO);
    let reason = || "b is not running".to_owned();
    timeline.handle_done(0, Done::Failed { reason: reason() }, NO);
    timeline.handle_done(0, Done::Applied, NO);
    timeline.handle_done(9, Done::Applied, NO);
    assert_eq!(timeline.failed().collect::<Vec<_>>(), [(0, reason().as_str())]);
    assert!(timeline.is_calm() && timeline.never_exercised().is_empty());
}

#[test]
fn the_later_change_lies_over_the_earlier_and_a_cut_over_both() {
    let network = |at, text: &str| {
        let change: ConditionsPatch = serde_json::from_str(text).unwrap();
        let (from, to) = ("a".to_owned(), "b".to_owned());
        let what = What::Network { from, to, both: true, change };
        Disturbance { what, ..pause(When::At(at), None) }
    };
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let cut = What::Cut { from, to, both: false, how: Cut::Silent };
    let mut timeline = timeline([
        network(2 * S, r#"{"loss": 0.5}"#),
        network(S, r#"{"loss": 0.1, "delay": "5ms"}"#),
        Disturbance { what: cut, ..pause(When::At(3 * S), None) },
    ]);
    let base: Conditions = serde_json::from_str(r#"{"rate": "1Mbit/s"}"#).unwrap();
    let shown = |timeline: &Timeline, from, to| timeline.conditions(&base, from, to).to_string();
    timeline.handle_start(NO);
    let rate = "rate 1Mbit/s with a queue of 15000B";
    assert_eq!(shown(&timeline, "a", "b"), rate);
    for at in [S, 2 * S, 3 * S] {
        timeline.handle_deadline(at);
    }
    let lossy = format!("delay 5ms, loss 50.00 %, {rate}");
    assert_eq!(shown(&timeline, "a", "b"), format!("{lossy}, cut silently"));
    assert_eq!(shown(&timeline, "b", "a"), lossy);
    assert_eq!(shown(&timeline, "a", "c"), rate);
    timeline.handle_done(0, Done::Applied, 3 * S);
    timeline.handle_end(3 * S);
    assert_eq!(shown(&timeline, "b", "a"), format!("delay 5ms, loss 10.00 %, {rate}"));
}

#[test]
fn a_unit_has_so_many_disturbances_at_most() {
    let many = |count| Timeline::new(vec![kill(When::At(NO)); count]);
    assert!(many(Timeline::DISTURBANCES_MAX).is_ok());
    let error = many(Timeline::DISTURBANCES_MAX + 1).unwrap_err();
    assert_eq!(error.to_string(), "257 disturbances are more than 256");
}

#[derive(Clone, Debug)]
enum Input {
    Time(u64),
    Told,
    Message,
    Done(usize, bool),
    Calm,
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => (0_u64..3).prop_map(Input::Time),
        2 => Just(Input::Told),
        2 => Just(Input::Message),
        4 => (0_usize..6, prop::bool::weighted(0.9)).prop_map(|(id, works)| Input::Done(id, works)),
        1 => Just(Input::Calm),
    ]
}

fn any_disturbance() -> impl Strategy<Value = Disturbance> {
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let message = Cue::Message { from, to, message_type: None, nth: 2 };
    let when = prop_oneof![
        (0_u64..8).prop_map(|at| When::At(Duration::from_secs(at))),
        Just(voted(None)),
        Just(When::On { cue: message, after: S }),
    ];
    let lasts = prop::option::of((0_u64..4).prop_map(Duration::from_secs));
    (when, lasts, any::<bool>())
        .prop_map(|(when, lasts, is_kill)| if is_kill { kill(when) } else { pause(when, lasts) })
}

proptest! {
    /// Whatever happens in whatever order: nothing is undone before it was applied, nothing is ordered twice, and when the
    /// end was carried out nothing is in force.
    #[test]
    fn every_disturbance_that_began_is_undone(
        disturbances in prop::collection::vec(any_disturbance(), 0..6), inputs in prop::collection::vec(any_input(), 0..40),
    ) {
        let count = disturbances.len();
        let mut timeline = timeline(disturbances.clone());
        let mut now = NO;
        let mut given: Vec<Order> = Vec::new();
        let mut open: Vec<Order> = Vec::new();
        timeline.handle_start(now);
        let carry_out = |timeline: &mut Timeline, order: Order, works: bool, now| {
            let (id, done) = match order {
                Order::Apply(id) => (id, Done::Applied),
                Order::Undo(id) => (id, Done::Undone),
            };
            timeline.handle_done(id, if works { done } else { Done::Failed { reason: String::new() } }, now);
        };
        for input in inputs {
            match input {
                Input::Time(more) => { now += Duration::from_secs(more); timeline.handle_deadline(now); }
                Input::Told => timeline.handle_notification("b", "voted", &json!({}), now),
                Input::Message => timeline.handle_message("a", "b", None, now),
                Input::Calm => timeline.handle_calm(now),
                Input::Done(place, works) => if place < open.len() {
                    carry_out(&mut timeline, open.remove(place), works, now);
                },
            }
            while let Some(order) = timeline.poll_output() {
                prop_assert!(!given.contains(&order), "ordered twice: {order:?}");
                if let Order::Undo(id) = order {
                    prop_assert!(given.contains(&Order::Apply(id)) && !open.contains(&Order::Apply(id)));
                }
                given.push(order);
                open.push(order);
            }
        }
        timeline.handle_end(now);
        loop {
            let more = orders(&mut timeline);
            given.extend(&more);
            open.extend(more);
            let Some(order) = open.pop() else { break };
            if let Order::Undo(_) = order { prop_assert!(open.iter().all(|other| *other != order)); }
            carry_out(&mut timeline, order, true, now);
        }
        prop_assert!(timeline.is_calm());
        prop_assert_eq!(timeline.next_deadline(), None);
        let began = (0..count).filter(|id| given.contains(&Order::Apply(*id))).count();
        prop_assert_eq!(began + timeline.never_exercised().len(), count);
    }
}
