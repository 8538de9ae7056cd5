use handfast_scenario::scenario::Vocabulary;
use serde_json::{Value, json};

use super::*;

fn disturber(tables: &str) -> (Disturber, Bindings) {
    let text = format!("name = \"n\"\n{tables}");
    let read = Scenario::parse("x.toml", &text, &Vocabulary::default());
    let scenario = read.unwrap_or_else(|problems| panic!("{}", problems.to_plain_text())).remove(0);
    let mut bindings = Bindings::new(1);
    bindings.set_fact(&RoleName::new("a").unwrap(), "key", json!("k"));
    (Disturber::new(&scenario), bindings)
}

fn heard(event: &str, params: Value) -> Heard {
    Heard::Notification { role: "b".to_owned(), event: event.to_owned(), params }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_moment_is_told_by_what_the_notification_includes() {
    let (disturber, mut bindings) = disturber(
        "[[disturbance]]\nkill = \"b\"\n\
         when = { event = \"x.y\", role = \"b\", where = { from = \"${a.key}\", size = { \"$min\" = 3 } } }\n\
         [[disturbance]]\npause = \"a\"\nwhen = { event = \"x.y\", role = \"b\" }\n",
    );
    disturber.begin(&mut bindings, 0, SECOND).unwrap();
    disturber.hear(&heard("x.y", json!({ "from": "k", "size": 2 })), SECOND);
    assert_eq!(disturber.next_order(), Some(Order::Apply(1)), "the one that asks for nothing");
    assert_eq!(disturber.next_order(), None);
    disturber.hear(&heard("x.z", json!({ "from": "k", "size": 4 })), SECOND);
    assert_eq!(disturber.next_order(), None);
    disturber.hear(&heard("x.y", json!({ "from": "k", "size": 4 })), SECOND);
    assert_eq!(disturber.next_order(), Some(Order::Apply(0)));
}

#[test]
fn nothing_counts_before_the_first_step() {
    let (disturber, mut bindings) =
        disturber("[[disturbance]]\npause = \"a\"\nwhen = { event = \"x.y\", role = \"b\" }\n");
    disturber.hear(&heard("x.y", json!({})), SECOND);
    assert!(disturber.next_order().is_none() && disturber.is_calm());
    disturber.begin(&mut bindings, 0, SECOND).unwrap();
    disturber.hear(&heard("x.y", json!({})), SECOND);
    assert_eq!(disturber.next_order(), Some(Order::Apply(0)));
    assert!(!disturber.is_calm());
}

#[test]
fn a_hole_that_nothing_fills_is_a_mistake_of_the_scenario() {
    let (disturber, _) = disturber(
        "[[disturbance]]\nkill = \"b\"\n\
         when = { event = \"x\", role = \"b\", where = { from = \"${a.key}\" } }\n",
    );
    let begun = disturber.begin(&mut Bindings::new(1), 0, SECOND);
    assert!(matches!(begun, Err(StepError::Infra(_))), "{begun:?}");
}

#[test]
fn a_start_waits_for_the_kills_that_nothing_undoes() {
    let (disturber, mut bindings) = disturber(
        "[[disturbance]]\nat = \"1s\"\nkill = \"b\"\n\
         [[disturbance]]\nat = \"9s\"\nfor = \"1s\"\nkill = \"b\"\n",
    );
    disturber.begin(&mut bindings, 0, SECOND).unwrap();
    let (a, b) = (RoleName::new("a").unwrap(), RoleName::new("b").unwrap());
    assert!(disturber.has_killed(&a) && !disturber.has_killed(&b));
    disturber.handle_deadline(3 * SECOND);
    assert_eq!(disturber.next_order(), Some(Order::Apply(0)));
    disturber.done(0, Done::Applied, 3 * SECOND);
    assert!(disturber.has_killed(&b));
}
