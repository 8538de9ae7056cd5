use proptest::prelude::*;

use super::*;
use crate::Channel;

const S: Duration = Duration::from_secs(1);

fn weather(faults: &[Fault]) -> Weather {
    Weather::new(faults.iter().copied(), Dice::new(7))
}

fn copies(weather: &mut Weather, count: usize) -> Vec<usize> {
    (0..count).map(|_| weather.decide(Duration::ZERO).pauses.len()).collect()
}

#[test]
fn without_faults_everything_passes_at_once() {
    assert_eq!(weather(&[]).decide(S).pauses, [Duration::ZERO]);
}

#[test]
fn loss_takes_the_share_it_is_told_to() {
    let lost = |chance| {
        let fault = Fault::Loss { chance: Chance::per_mille(chance) };
        copies(&mut weather(&[fault]), 10_000).iter().filter(|copies| **copies == 0).count()
    };
    assert_eq!((lost(0), lost(1_000), lost(2_000)), (0, 10_000, 10_000));
    assert!((1_850..=2_150).contains(&lost(200)), "{}", lost(200));
}

#[test]
fn bursts_lose_neighbours() {
    let burst = Fault::Burst { begins: Chance::per_mille(20), ends: Chance::per_mille(200) };
    let fates = copies(&mut weather(&[burst]), 10_000);
    let lost = fates.iter().filter(|copies| **copies == 0).count();
    let begun = fates.windows(2).filter(|pair| pair[0] == 1 && pair[1] == 0).count();
    assert!(lost > 3 * begun, "{lost} lost in {begun} bursts");
}

#[test]
fn a_duplicate_is_a_second_copy_and_there_are_at_most_four() {
    let always = Fault::Duplicate { chance: Chance::ALWAYS };
    assert_eq!(weather(&[always]).decide(S).pauses.len(), 2);
    assert_eq!(weather(&[always; 5]).decide(S).pauses.len(), Weather::COPIES_MAX);
}

#[test]
fn a_delay_lies_between_its_ends_and_both_are_reached() {
    let (least, most) = (Duration::from_micros(10), Duration::from_micros(13));
    let mut weather = weather(&[Fault::Delay { least, most }]);
    let mut seen: Vec<_> = (0..100).map(|_| weather.decide(S).pauses[0].as_micros()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [10, 11, 12, 13]);
}

#[test]
fn a_straggler_comes_later() {
    let fault = Fault::Straggle { chance: Chance::ALWAYS, span: S };
    assert_eq!(weather(&[fault]).decide(S).pauses, [S]);
}

#[test]
fn a_cut_lets_nothing_pass_from_its_beginning_until_before_its_end() {
    let mut weather = weather(&[Fault::Cut { from: S, until: 2 * S }]);
    let lost = |weather: &mut Weather, at| weather.decide(at).is_lost();
    assert!(!lost(&mut weather, Duration::from_nanos(999_999_999)));
    assert!(lost(&mut weather, S));
    assert!(lost(&mut weather, Duration::from_nanos(1_999_999_999)));
    assert!(!lost(&mut weather, 2 * S));
}

#[test]
fn a_channel_delivers_by_time_and_then_as_sent() {
    let mut channel = Channel::new(weather(&[]));
    channel.send("b", S);
    channel.send("c", S);
    channel.send("a", Duration::ZERO);
    assert_eq!(channel.next_arrival(), Some(Duration::ZERO));
    assert_eq!(channel.arrive(Duration::ZERO), Some("a"));
    assert_eq!(channel.arrive(Duration::ZERO), None);
    assert_eq!(
        (channel.arrive(S), channel.arrive(S), channel.arrive(S)),
        (Some("b"), Some("c"), None)
    );
}

#[test]
fn a_full_channel_loses_what_comes_more() {
    let mut channel = Channel::new(weather(&[]));
    for n in 0..Channel::<usize>::UNDER_WAY_MAX {
        assert_eq!(channel.send(n, S), 1);
    }
    assert_eq!(channel.send(0, S), 0);
}

#[test]
fn split_dice_are_independent_of_what_is_thrown_later() {
    let (mut one, mut other) = (Dice::new(1), Dice::new(1));
    let (mut a, mut b) = (one.split(), other.split());
    one.below(10);
    assert_eq!(a.bytes(), b.bytes());
}

proptest! {
    /// The same seed makes the same weather, whatever the faults are.
    #[test]
    fn the_same_seed_makes_the_same_weather(seed: u64, loss in 0_u32..500, doubled in 0_u32..500) {
        let faults = [
            Fault::Duplicate { chance: Chance::per_mille(doubled) },
            Fault::Loss { chance: Chance::per_mille(loss) },
            Fault::Delay { least: Duration::ZERO, most: S },
        ];
        let run = || {
            let mut weather = Weather::new(faults, Dice::new(seed));
            (0..50).map(|_| weather.decide(Duration::ZERO)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn throws_stay_in_their_range(seed: u64, first in 0_u64..100, length in 0_u64..100) {
        let mut dice = Dice::new(seed);
        let last = first + length;
        prop_assert!((first..=last).contains(&dice.between(first, last)));
        prop_assert_eq!(dice.below(0), 0);
    }
}
