use std::num::NonZeroU64;

use proptest::prelude::*;

use super::*;
use crate::{Chance, FieldChange, InvalidRule};

const BODY: &[u8] = br#"{"msg_type":"ping","n":1}"#;

fn link() -> Link {
    Link::new("a", "b")
}

fn rule(selector: Selector, lifetime: Lifetime, action: Action) -> Rule {
    Rule::new(selector, lifetime, action).unwrap()
}

fn n(n: u64) -> NonZeroU64 {
    NonZeroU64::new(n).unwrap()
}

fn request<'a>(link: &'a Link, index: u64, kind: Option<&'a str>) -> Observed<'a> {
    Observed { link, direction: Direction::Request, index: Some(index), kind, body: BODY }
}

/// Lays one rule and sends messages 1.. of the given types; gives the indexes it took effect on.
fn hits(selector: Selector, lifetime: Lifetime, kinds: &[&str]) -> Vec<u64> {
    let mut rules = WireRules::new();
    let id = rules.lay(rule(selector, lifetime, Action::Drop)).unwrap();
    let link = link();
    let mut hits = Vec::new();
    for (index, kind) in (1..).zip(kinds) {
        match rules.decide(&request(&link, index, Some(kind))) {
            (Verdict::Drop, by) => {
                assert_eq!(by, Some(id));
                hits.push(index);
            }
            (verdict, by) => assert_eq!((verdict, by), (Verdict::Pass, None)),
        }
    }
    let report = &rules.reports()[0];
    assert_eq!(report.effects_total, hits.len() as u64);
    let indexes: Vec<u64> = report.effects.iter().filter_map(|effect| effect.index).collect();
    assert_eq!(indexes, hits);
    hits
}

#[track_caller]
fn check(position: Position, lifetime: Lifetime, kinds: &[&str], expected: &[u64]) {
    assert_eq!(hits(Selector::on(&link()).position(position), lifetime, kinds), expected);
}

const FIVE: [&str; 5] = ["x", "y", "x", "x", "y"];

#[test]
fn once_hits_the_next_message_and_standing_every_one() {
    check(Position::Any, Lifetime::Once, &FIVE, &[1]);
    check(Position::Any, Lifetime::Standing, &FIVE, &[1, 2, 3, 4, 5]);
}

#[test]
fn positions_count_the_messages_that_match() {
    check(Position::Nth(n(3)), Lifetime::Once, &FIVE, &[3]);
    check(Position::Every(n(2)), Lifetime::Standing, &FIVE, &[2, 4]);
    check(Position::Every(n(2)), Lifetime::Once, &FIVE, &[2]);
    check(Position::Index(4), Lifetime::Once, &FIVE, &[4]);
    check(Position::Nth(n(6)), Lifetime::Once, &FIVE, &[]);
    let third_x = Selector::on(&link()).kind("x").position(Position::Nth(n(3)));
    assert_eq!(hits(third_x, Lifetime::Once, &FIVE), [4]);
}

#[test]
fn only_the_type_asked_for_is_hit() {
    let y = Selector::on(&link()).kind("y");
    assert_eq!(hits(y.clone(), Lifetime::Standing, &FIVE), [2, 5]);
    assert_eq!(hits(y, Lifetime::Once, &["x"]), [0; 0]);
}

#[test]
fn a_rule_is_for_one_link_and_one_direction_unless_it_says_so() {
    let mut rules = WireRules::new();
    rules.lay(rule(Selector::on(&link()), Lifetime::Standing, Action::Drop)).unwrap();
    let back = Link::new("b", "a");
    assert_eq!(rules.decide(&request(&back, 1, None)).0, Verdict::Pass);
    let there = link();
    let answer = Observed { direction: Direction::Response, ..request(&there, 1, None) };
    assert_eq!(rules.decide(&answer).0, Verdict::Pass);
    let anywhere = Selector { from: None, to: None, ..Selector::on(&link()) };
    rules.lay(rule(anywhere, Lifetime::Standing, Action::Cut)).unwrap();
    assert_eq!(rules.decide(&request(&back, 2, None)).0, Verdict::Cut);
    let answers = Selector::on(&link()).responses();
    rules.lay(rule(answers, Lifetime::Standing, Action::Drop)).unwrap();
    assert_eq!(rules.decide(&answer).0, Verdict::Drop);
}

#[test]
fn what_carries_no_message_is_hit_only_by_a_rule_for_everything() {
    let mut rules = WireRules::new();
    let link = link();
    let health = Observed { index: None, ..request(&link, 0, None) };
    rules.lay(rule(Selector::on(&link), Lifetime::Standing, Action::Drop)).unwrap();
    assert_eq!(rules.decide(&health).0, Verdict::Pass);
    rules.lay(rule(Selector::on(&link).everything(), Lifetime::Standing, Action::Drop)).unwrap();
    assert_eq!(rules.decide(&health).0, Verdict::Drop);
}

#[test]
fn the_newest_rule_decides_and_the_older_ones_still_count() {
    let mut rules = WireRules::new();
    let link = link();
    let second = Selector::on(&link).position(Position::Nth(n(2)));
    let old = rules.lay(rule(second, Lifetime::Once, Action::Drop)).unwrap();
    let shield = rules.lay(rule(Selector::on(&link), Lifetime::Once, Action::Pass)).unwrap();
    assert_eq!(rules.decide(&request(&link, 1, None)), (Verdict::Pass, Some(shield)));
    assert_eq!(rules.decide(&request(&link, 2, None)), (Verdict::Drop, Some(old)));
}

#[test]
fn a_lifted_rule_does_nothing_and_keeps_its_report() {
    let mut rules = WireRules::new();
    let link = link();
    let id = rules.lay(rule(Selector::on(&link), Lifetime::Standing, Action::Drop)).unwrap();
    rules.decide(&request(&link, 1, None));
    rules.lift(id);
    rules.lift(id);
    assert_eq!(rules.decide(&request(&link, 2, None)), (Verdict::Pass, None));
    let report = &rules.reports()[0];
    assert_eq!((report.matched, report.effects_total), (1, 1));
    assert!(rules.without_effect().is_empty());
}

#[test]
fn a_rule_that_never_matched_is_without_effect() {
    let mut rules = WireRules::new();
    let never = Selector::on(&link()).kind("never");
    let id = rules.lay(rule(never, Lifetime::Once, Action::Drop)).unwrap();
    rules.decide(&request(&link(), 1, Some("x")));
    let idle = rules.without_effect();
    assert_eq!((idle.len(), idle[0].id, idle[0].matched), (1, id, 0));
}

#[test]
fn an_edit_that_does_not_fit_is_a_misfire_and_the_rule_waits_for_the_next_message() {
    let mut rules = WireRules::new();
    let path = "payload.sealed".parse().unwrap();
    let edit = Edit::Field { path, change: FieldChange::FlipOneBit };
    let id = rules
        .lay(rule(Selector::on(&link()), Lifetime::Once, Action::Replace(edit.clone())))
        .unwrap();
    assert_eq!(rules.edit(id), Some(&edit));
    let link = link();
    assert_eq!(rules.decide(&request(&link, 1, None)), (Verdict::Pass, None));
    let report = &rules.without_effect()[0];
    assert_eq!((report.matched, report.misfires_total), (1, 1));
    let misfire = report.last_misfire.as_ref().unwrap();
    assert!(matches!(misfire.reason, MisfireReason::Edit(EditError::Missing(_))));
    let body = br#"{"payload":{"sealed":"aGVsbG8="}}"#;
    let fits = Observed { body, ..request(&link, 2, None) };
    let changed = br#"{"payload":{"sealed":"aGVsbG4="}}"#.to_vec();
    assert_eq!(rules.decide(&fits), (Verdict::Replace(changed), Some(id)));
}

#[test]
fn a_request_and_an_answer_are_answered_as_the_rule_says() {
    let respond = || Action::Respond { status: 500, body: b"{}".to_vec() };
    let told = Verdict::Respond { status: 500, body: b"{}".to_vec() };
    let mut rules = WireRules::new();
    let link = link();
    let second = Selector::on(&link).position(Position::Nth(n(2)));
    let id = rules.lay(rule(second, Lifetime::Once, respond())).unwrap();
    assert_eq!(rules.decide(&request(&link, 1, None)), (Verdict::Pass, None));
    assert_eq!(rules.without_effect().len(), 1, "it let the first one pass");
    assert_eq!(rules.decide(&request(&link, 2, None)), (told.clone(), Some(id)));
    assert!(rules.without_effect().is_empty());
    assert_eq!(rules.decide(&request(&link, 3, None)), (Verdict::Pass, None));
    let answers = Selector::on(&link).responses();
    let id = rules.lay(rule(answers, Lifetime::Once, respond())).unwrap();
    let answer = Observed { direction: Direction::Response, ..request(&link, 4, None) };
    assert_eq!(rules.decide(&answer), (told, Some(id)));
}

#[test]
fn held_messages_have_names_until_released() {
    let mut rules = WireRules::new();
    let link = link();
    rules.lay(rule(Selector::on(&link), Lifetime::Standing, Action::Hold)).unwrap();
    let mut hold = |index| {
        let (verdict, _) = rules.decide(&request(&link, index, None));
        let Verdict::Hold(id) = verdict else { panic!("{verdict:?}") };
        id
    };
    let (first, second) = (hold(1), hold(2));
    let held: Vec<_> = rules.held().map(|(id, effect)| (id, effect.index)).collect();
    assert_eq!(held, [(first, Some(1)), (second, Some(2))]);
    assert!(rules.released(first));
    assert!(!rules.released(first));
    assert_eq!(rules.held().count(), 1);
}

#[test]
fn at_most_so_many_messages_are_held() {
    let mut rules = WireRules::new();
    let link = link();
    rules.lay(rule(Selector::on(&link), Lifetime::Standing, Action::Hold)).unwrap();
    for index in 1..=WireRules::HELD_MAX as u64 {
        assert!(matches!(rules.decide(&request(&link, index, None)).0, Verdict::Hold(_)));
    }
    assert_eq!(rules.decide(&request(&link, 0, None)).0, Verdict::Pass);
    let report = &rules.reports()[0];
    assert_eq!(report.last_misfire.as_ref().unwrap().reason, MisfireReason::HeldFull);
    // The report lists the first effects and counts all.
    assert_eq!(report.effects.len(), WireRules::EFFECTS_LISTED_MAX);
    assert_eq!(report.effects_total, WireRules::HELD_MAX as u64);
}

#[test]
fn at_most_so_many_rules_are_laid() {
    let mut rules = WireRules::new();
    let drop = rule(Selector::on(&link()), Lifetime::Once, Action::Drop);
    for _ in 0..WireRules::RULES_MAX {
        rules.lay(drop.clone()).unwrap();
    }
    assert_eq!(rules.lay(drop), Err(RulesFull));
    rules.lift_all();
    assert_eq!(rules.decide(&request(&link(), 1, None)), (Verdict::Pass, None));
}

#[track_caller]
fn check_invalid(selector: Selector, lifetime: Lifetime, action: Action, expected: InvalidRule) {
    assert_eq!(Rule::new(selector, lifetime, action), Err(expected));
}

#[test]
fn rules_without_a_meaning_are_refused() {
    let on = Selector::on(&link());
    let answers = || on.clone().responses();
    let (once, standing) = (Lifetime::Once, Lifetime::Standing);
    check_invalid(answers(), once, Action::Duplicate, InvalidRule::DuplicateResponse);
    let replay = Action::Replay { index: 1 };
    check_invalid(answers(), once, replay, InvalidRule::ReplayOnResponse);
    for position in [Position::Nth(n(1)), Position::Index(1)] {
        let single = on.clone().position(position);
        check_invalid(single, standing, Action::Drop, InvalidRule::StandingButSingle);
    }
    for status in [0, 199, 600] {
        let respond = Action::Respond { status, body: Vec::new() };
        check_invalid(on.clone(), once, respond, InvalidRule::StatusOfNoAnswer { status });
    }
    for status in [200, 599] {
        rule(on.clone(), once, Action::Respond { status, body: Vec::new() });
    }
    let indexed = on.clone().everything().position(Position::Index(1));
    check_invalid(indexed, once, Action::Drop, InvalidRule::IndexOfEverything);
}

proptest! {
    /// The same rules over the same messages decide alike, and every effect has a verdict.
    #[test]
    fn verdicts_depend_on_rules_and_messages_alone(
        laid in prop::collection::vec((0_u8..6, 1_u64..4, any::<bool>()), 0..6),
        kinds in prop::collection::vec(prop::sample::select(vec!["x", "y", "z"]), 0..30),
    ) {
        let run = || {
            let mut rules = WireRules::new();
            for &(action, every, for_x) in &laid {
                let action = match action {
                    0 => Action::Drop,
                    1 => Action::Duplicate,
                    2 => Action::Hold,
                    3 => Action::Cut,
                    4 => Action::Respond { status: 503, body: Vec::new() },
                    _ => Action::Pass,
                };
                let selector = Selector::on(&link()).position(Position::Every(n(every)));
                let selector = if for_x { selector.kind("x") } else { selector };
                rules.lay(rule(selector, Lifetime::Standing, action)).unwrap();
            }
            let link = link();
            let verdicts: Vec<_> = (1..)
                .zip(&kinds)
                .map(|(index, kind)| rules.decide(&request(&link, index, Some(kind))))
                .collect();
            (verdicts, rules.reports())
        };
        let (verdicts, reports) = run();
        prop_assert_eq!(&run(), &(verdicts.clone(), reports.clone()));
        let decided = verdicts.iter().filter(|(_, by)| by.is_some()).count() as u64;
        prop_assert_eq!(reports.iter().map(|report| report.effects_total).sum::<u64>(), decided);
        for report in reports {
            prop_assert!(report.effects_total <= report.matched);
        }
    }
}

/// The indexes of 2,000 messages that a share of `per_mille` meets.
fn share(per_mille: u32, seed: u64) -> Vec<u64> {
    let position = Position::Share { chance: Chance::per_mille(per_mille), seed };
    hits(Selector::on(&link()).position(position), Lifetime::Standing, &vec!["x"; 2_000])
        .into_iter()
        .take(WireRules::EFFECTS_LISTED_MAX)
        .collect()
}

#[test]
fn a_share_meets_so_many_messages_and_the_same_ones_again() {
    let met = share(50, 7);
    assert_eq!(met.len(), 100);
    assert_eq!(met, share(50, 7));
    assert_ne!(met, share(50, 8));
    assert!(share(0, 7).is_empty());
}

#[test]
fn a_share_meets_the_same_messages_whichever_rules_are_laid_over_it() {
    let position = Position::Share { chance: Chance::per_mille(100), seed: 7 };
    let met = |with_another: bool| {
        let mut rules = WireRules::new();
        let selector = Selector::on(&link()).position(position);
        let id = rules.lay(rule(selector, Lifetime::Standing, Action::Drop)).unwrap();
        if with_another {
            let other = Selector::on(&link()).position(Position::Nth(n(3)));
            rules.lay(rule(other, Lifetime::Once, Action::Duplicate)).unwrap();
        }
        let link = link();
        let met =
            (1..100).filter(|index| rules.decide(&request(&link, *index, Some("x"))).1 == Some(id));
        // The third is the one that the other rule takes.
        met.filter(|index| *index > 3).collect::<Vec<_>>()
    };
    assert!(!met(false).is_empty());
    assert_eq!(met(false), met(true));
}
