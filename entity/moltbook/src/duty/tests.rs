use super::memory::{Forgotten, HANDED_MAX, MEMORY_MAX};
use super::*;
use crate::budget::Boot;
use crate::exchange::Doubt;
use crate::inbound::{NAME_MAX, Sort, TEXT_MAX, Untrusted};
use crate::reply::Trouble;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn item(id: &str, author: &str, text: &str) -> Inbound {
    Inbound {
        sort: Sort::Post,
        id: id.to_owned(),
        post: None,
        author: Some(Untrusted::new(author, NAME_MAX)),
        submolt: None,
        title: None,
        text: Untrusted::new(text, TEXT_MAX),
        unknown: Vec::new(),
    }
}

fn me() -> Name {
    Name::new("me").unwrap()
}

/// A duty that knows its name.
fn duty(status: Option<Duration>, mentions: Option<Duration>) -> Duty {
    let mut duty = Duty::new(Plan { status, mentions }, Memory::default(), Moment(0));
    duty.handle_who(Some(me()), Moment(0));
    duty
}

/// Both parts of a look; the search finds nothing.
fn look(duty: &mut Duty, items: Vec<Inbound>, now: Moment) {
    assert!(matches!(duty.next(now), Deed::Look(Call::Posts(_))));
    duty.handle_looked(Some(items), now);
}

#[test]
fn nothing_is_done_unless_it_was_asked_for() {
    let mut duty = duty(None, None);
    assert_eq!(duty.next(Moment(0).plus(HOUR)), Deed::Wait(None));
    duty.handle_status(Posted::Made, Moment(0));
    duty.handle_looked(Some(vec![item("1", "x", "@me")]), Moment(0));
    assert_eq!(duty.memory(), &Memory::default());
}

#[test]
fn who_cannot_be_asked_is_asked_ever_more_rarely() {
    let plan = Plan { status: Some(HOUR), mentions: None };
    let mut duty = Duty::new(plan, Memory::default(), Moment(0));
    let mut now = Moment(0);
    for wait in [30, 60, 120, 240, 480, 960, 1_800, 1_800] {
        assert_eq!(duty.next(now), Deed::Who);
        duty.handle_who(None, now);
        let next = now.plus(Duration::from_secs(wait));
        assert_eq!(duty.next(now), Deed::Wait(Some(next)));
        now = next;
    }
    duty.handle_who(Some(me()), now);
    assert_eq!(duty.next(now), Deed::Status);
}

#[test]
fn a_mention_is_handed_over_once_and_in_order() {
    let mut duty = duty(None, Some(MINUTE));
    let items = || {
        vec![
            item("2", "stranger", "hello @me"),
            item("1", "stranger", "for nobody"),
            item("3", "Me", "I am @me"),
            item("4", "other", "@ME!"),
            item("2", "stranger", "hello @me"),
        ]
    };
    look(&mut duty, items(), Moment(0));
    for id in ["2", "4"] {
        let Deed::HandOver(found) = duty.next(Moment(0)) else { panic!("{id}") };
        assert_eq!(found.id, id);
        duty.handle_handed(true, Moment(0));
    }
    let Deed::Look(Call::Search(query, _)) = duty.next(Moment(0)) else { panic!() };
    assert_eq!(query.as_str(), "@me");
    duty.handle_looked(Some(items()), Moment(0));
    let next = Moment(0).plus(MINUTE);
    assert_eq!(duty.next(Moment(0)), Deed::Wait(Some(next)), "both are known");
    look(&mut duty, items(), next);
    assert!(matches!(duty.next(next), Deed::Look(Call::Search(..))));
}

#[test]
fn what_cannot_be_handed_over_waits_and_nothing_is_looked_for_meanwhile() {
    let mut duty = duty(None, Some(MINUTE));
    let many = (0..200).map(|nth| item(&nth.to_string(), "stranger", "@me")).collect();
    look(&mut duty, many, Moment(0));
    assert_eq!(duty.waiting.len(), WAITING_MAX);
    duty.handle_handed(false, Moment(0));
    let next = Moment(0).plus(RETRY_FIRST);
    assert_eq!(duty.next(Moment(0)), Deed::Wait(Some(next)));
    let Deed::HandOver(first) = duty.next(next) else { panic!() };
    assert_eq!(first.id, "0");
    for _ in 0..WAITING_MAX {
        duty.handle_handed(true, next);
    }
    assert!(matches!(duty.next(next), Deed::Look(Call::Search(..))));
}

#[test]
fn a_look_that_fails_is_over() {
    let mut duty = duty(None, Some(MINUTE));
    duty.handle_looked(None, Moment(0));
    assert_eq!(duty.next(Moment(0)), Deed::Wait(Some(Moment(0).plus(MINUTE))));
}

#[test]
fn a_status_comes_once_a_period_whatever_becomes_of_it() {
    let period = HOUR * 6;
    let unsure = Failure::Unsure(Doubt::Lost(Trouble::TimedOut));
    let away = Failure::Unreachable { trouble: Trouble::NoHost, attempts: 5 };
    let limited = |wait| Failure::RateLimited { kind: crate::budget::Kind::Post, wait };
    for (outcome, next, remembered) in [
        (Posted::Made, period, true),
        (Posted::Failed(&unsure), period, true),
        (Posted::Failed(&Failure::TooLarge), period, false),
        (Posted::NotSent, period, false),
        (Posted::Failed(&away), RETRY_MAX, false),
        (Posted::Failed(&limited(HOUR)), HOUR, false),
        (Posted::Failed(&limited(HOUR * 100)), period, false),
        (Posted::Failed(&limited(Duration::ZERO)), RETRY_FIRST, false),
    ] {
        let mut duty = duty(Some(period), None);
        assert_eq!(duty.next(Moment(0)), Deed::Status);
        duty.handle_status(outcome, Moment(0));
        assert_eq!(duty.next(Moment(0)), Deed::Wait(Some(Moment(0).plus(next))), "{outcome:?}");
        assert_eq!(duty.memory().status().is_some(), remembered, "{outcome:?}");
    }
}

#[test]
fn a_restart_says_nothing_again_before_its_time() {
    let mut first = duty(Some(HOUR), None);
    first.handle_status(Posted::Made, Moment(5));
    let boot = Boot::known("one");
    let bytes = first.memory().to_bytes(&boot, Moment(7));
    let now = Moment(9);
    let plan = Plan { status: Some(HOUR), mentions: None };
    let kept = Memory::from_bytes(&bytes, &boot, now).unwrap();
    assert_eq!(Duty::new(plan, kept, now).status_at, Moment(5).plus(HOUR));
    let later = Memory::from_bytes(&bytes, &Boot::known("two"), now).unwrap();
    assert_eq!(Duty::new(plan, later, now).status_at, now, "nobody knows how long ago it was");
}

#[test]
fn periods_have_bounds() {
    let plan = Plan { status: Some(Duration::ZERO), mentions: Some(Duration::MAX) };
    let duty = Duty::new(plan, Memory::default(), Moment(0));
    assert_eq!((duty.plan.status, duty.plan.mentions), (Some(PERIOD_MIN), Some(PERIOD_MAX)));
}

#[test]
fn a_memory_has_this_form_and_no_more_than_its_limit() {
    let mut memory = Memory::default();
    memory.add("p-1".to_owned());
    memory.set_status(Moment(3));
    let boot = Boot::known("b");
    let bytes = memory.to_bytes(&boot, Moment(4));
    assert_eq!(
        String::from_utf8(bytes.clone()).unwrap(),
        "{\"format\":\"moltbook.memory\",\"version\":1,\"boot\":\"b\",\"saved_us\":4,\"status_us\":3,\"handed\":[\"p-1\"]}\n"
    );
    assert_eq!(Memory::from_bytes(&bytes, &boot, Moment(4)).unwrap(), memory);
    for nth in 0..HANDED_MAX {
        assert!(memory.knows("p-1"), "seen again, it stays");
        memory.add(format!("q-{nth}"));
    }
    assert_eq!(memory.len(), HANDED_MAX);
    assert!(!memory.knows("q-0"));
    let bytes = memory.to_bytes(&boot, Moment(4));
    assert_eq!(Memory::from_bytes(&bytes, &boot, Moment(4)).unwrap(), memory);
}

#[test]
fn a_memory_that_cannot_be_is_never_taken_for_an_empty_one() {
    let boot = Boot::known("b");
    let good = String::from_utf8(Memory::default().to_bytes(&boot, Moment(4))).unwrap();
    for (from, to) in [
        ("moltbook.memory", "moltbook.budget"),
        ("\"version\":1", "\"version\":2"),
        ("\"status_us\":null", "\"status_us\":5"),
        ("\"handed\":[]", "\"handed\":[1]"),
        ("\"handed\":[]", "\"more\":[]"),
        ("}", ""),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert!(Memory::from_bytes(bad.as_bytes(), &boot, Moment(4)).is_err(), "{bad}");
    }
    let many = good.replace("[]", &format!("[{}\"x\"]", "\"x\",".repeat(HANDED_MAX)));
    assert!(matches!(
        Memory::from_bytes(many.as_bytes(), &boot, Moment(4)),
        Err(Forgotten::Values(_))
    ));
    let long = " ".repeat(MEMORY_MAX + 1);
    assert!(matches!(Memory::from_bytes(long.as_bytes(), &boot, Moment(4)), Err(Forgotten::Long)));
}
