use handfast_faults::conditions::{ConditionsPatch, Cut, Loss};
use handfast_faults::{Chance, Dice};
use proptest::prelude::*;

use super::*;
use crate::menu::{Kind, Menu};
use crate::novelty::{Seen, Sign};
use crate::sample::{at, kill, pause};

fn cut(from: &str, to: &str, both: bool) -> What {
    What::Cut { from: from.to_owned(), to: to.to_owned(), both, how: Cut::Silent }
}

#[track_caller]
fn check_spans(lasts_ms: u64, expected_ms: &[u64]) {
    let versions = versions(&kill("b", 0, lasts_ms));
    let spans: Vec<u128> =
        versions.iter().filter_map(|version| Some(version.lasts?.as_millis())).collect();
    let expected: Vec<u128> = expected_ms.iter().map(|&ms| u128::from(ms)).collect();
    assert_eq!(spans, expected);
}

#[test]
fn a_span_becomes_as_short_as_can_be_or_half_as_long_and_round() {
    check_spans(10, &[]);
    check_spans(100, &[10, 50]);
    check_spans(1_370, &[10, 600, 1_000]);
}

#[test]
fn a_time_moves_to_the_beginning_or_half_way() {
    let versions = versions(&kill("b", 430, 10));
    let times: Vec<When> = versions.into_iter().map(|version| version.when).collect();
    let ms = |ms| When::At(Duration::from_millis(ms));
    assert_eq!(times, [ms(0), ms(200), ms(400)]);
}

#[test]
fn a_cue_becomes_the_first_of_its_kind() {
    let cue =
        |nth| Cue::Message { from: "a".to_owned(), to: "b".to_owned(), message_type: None, nth };
    let when = |nth| When::On { cue: cue(nth), after: Duration::ZERO };
    let found: Vec<When> = earlier(&when(7));
    assert_eq!(found, [when(1), when(3), when(6)]);
    assert!(earlier(&when(1)).is_empty());
}

#[test]
fn a_crash_loop_becomes_a_kill_or_a_shorter_loop() {
    let crash_loop =
        |times| What::CrashLoop { role: "b".to_owned(), times, every: Duration::from_millis(500) };
    let versions = versions(&Disturbance { lasts: None, ..at(crash_loop(4), 0, 1) });
    let found: Vec<(What, Option<Duration>)> =
        versions.into_iter().map(|version| (version.what, version.lasts)).collect();
    let kill = What::Kill { role: "b".to_owned() };
    let half = Some(Duration::from_millis(500));
    assert_eq!(found, [(kill, half), (crash_loop(2), None), (crash_loop(3), None)]);
}

#[test]
fn two_directions_become_one() {
    let found = simpler_things(&cut("a", "b", true));
    assert_eq!(found, [cut("a", "b", false), cut("b", "a", false)]);
    assert!(simpler_things(&cut("a", "b", false)).is_empty());
}

#[test]
fn bursts_become_single_losses_and_losses_fewer() {
    let chance = Chance::per_mille(200);
    let bursts =
        ConditionsPatch { loss: Loss::bursts(chance, 8.0).ok(), ..ConditionsPatch::default() };
    let single = &network::weaker(&bursts)[0];
    assert_eq!(single.loss, Some(Loss::Independent(chance)));
    let half = Loss::Independent(Chance::per_mille(100));
    assert_eq!(network::weaker(single)[0].loss, Some(half));
}

#[test]
fn one_peer_is_disturbed_in_place_of_two() {
    let schedule = Schedule::new(vec![kill("b", 0, 10), pause("a", 5, 7)]);
    let found = with_fewer_peers(&schedule);
    let roles: Vec<BTreeSet<&str>> = found.iter().map(Schedule::roles).collect();
    assert_eq!(roles, [BTreeSet::from(["a"]), BTreeSet::from(["b"])]);
}

#[test]
fn a_way_never_leads_from_a_peer_to_itself() {
    let schedule = Schedule::new(vec![at(cut("a", "b", false), 0, 10)]);
    assert!(with_fewer_peers(&schedule).is_empty());
    let schedule = Schedule::new(vec![at(cut("a", "b", false), 0, 10), kill("c", 0, 10)]);
    let found = with_fewer_peers(&schedule);
    assert_eq!(found.len(), 4, "c becomes a or b, and a or b becomes c: {found:?}");
    assert!(found.iter().all(|schedule| schedule.roles().len() == 2));
}

/// Whatever the menu can draw.
fn drawn(seed: u64) -> Disturbance {
    let mut menu = Menu::new(["a", "b", "c"].map(str::to_owned), Kind::ALL);
    let seen = |kind: &str| Seen::Message {
        from: "a".to_owned(),
        to: "b".to_owned(),
        message_type: Some(kind.to_owned()),
    };
    let signs: Vec<Sign> =
        (0..30).map(|at| Sign { at: Duration::from_millis(at * 100), what: seen("m") }).collect();
    menu.learn(&signs);
    menu.draw(&mut Dice::new(seed)).unwrap()
}

proptest! {
    #[test]
    fn every_version_is_simpler_so_that_there_is_an_end(seed: u64) {
        let mut step = drawn(seed);
        for _ in 0..1_000 {
            let versions = versions(&step);
            prop_assert!(versions.len() <= 16, "{versions:?}");
            for version in &versions {
                prop_assert!(cost(version) < cost(&step), "{version:?} of {step:?}");
            }
            let Some(next) = versions.into_iter().next_back() else { return Ok(()) };
            step = next;
        }
        prop_assert!(false, "no end in sight: {step:?}");
    }

    #[test]
    fn fewer_peers_are_fewer(seed: u64) {
        let schedule = Schedule::new((0..5).map(|n| drawn(seed.wrapping_add(n))).collect());
        for other in with_fewer_peers(&schedule) {
            prop_assert!(other.roles().len() < schedule.roles().len());
            prop_assert_eq!(other.len(), schedule.len());
        }
    }
}
