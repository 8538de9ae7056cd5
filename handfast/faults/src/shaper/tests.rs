use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::account::{Level, LineVerdict};
use crate::{Chance, Loss};

const MS: u64 = 1_000_000;

fn conditions(json: &str) -> Conditions {
    serde_json::from_str(json).unwrap()
}

fn shaper(json: &str) -> Shaper {
    Shaper::new(conditions(json), 7, "a -> b")
}

fn packet(length: u32) -> Packet {
    Packet { length, flow: 0 }
}

/// Sends so many packets, one every `gap_ns`.
fn send(shaper: &mut Shaper, count: u64, gap_ns: u64) -> Vec<PacketFate> {
    (0..count).map(|number| shaper.handle_packet(packet(1_000), number * gap_ns)).collect()
}

fn lost(fates: &[PacketFate]) -> Vec<usize> {
    let lost = |(number, fate): (usize, &PacketFate)| fate.dropped.map(|_| number);
    fates.iter().enumerate().filter_map(lost).collect()
}

#[test]
fn on_a_clear_link_everything_passes_at_once() {
    let fates = send(&mut shaper("{}"), 3, MS);
    let due: Vec<_> = fates.iter().map(|fate| fate.copies.as_slice()[0].due_ns).collect();
    assert_eq!(due, [0, MS, 2 * MS]);
    assert!(fates.iter().all(|fate| fate.dropped.is_none() && fate.copies.as_slice().len() == 1));
}

#[test]
fn a_constant_delay_is_added_to_the_nanosecond() {
    let fate = shaper(r#"{"delay": "50ms"}"#).handle_packet(packet(100), 3);
    assert_eq!(fate.copies.as_slice(), [PacketCopy { due_ns: 50 * MS + 3, corrupt: None }]);
}

#[test]
fn the_seed_and_the_direction_decide_and_nothing_else() {
    let run = |seed, direction| {
        let mut shaper = Shaper::new(conditions(r#"{"loss": 0.1}"#), seed, direction);
        lost(&send(&mut shaper, 10_000, MS))
    };
    assert_eq!(run(7, "a -> b"), run(7, "a -> b"));
    assert_ne!(run(7, "a -> b"), run(8, "a -> b"));
    assert_ne!(run(7, "a -> b"), run(7, "b -> a"));
}

#[test]
fn one_fault_does_not_move_the_dice_of_another() {
    let alone = lost(&send(&mut shaper(r#"{"loss": 0.1}"#), 5_000, MS));
    let together = r#"{"loss": 0.1, "delay": "5ms", "jitter": "2ms", "duplicate": 0.2, "corrupt": 0.2, "reorder": 0.1}"#;
    assert_eq!(alone, lost(&send(&mut shaper(together), 5_000, MS)));
    // Nor does a time without it.
    let mut paused = shaper(r#"{"loss": 0.1}"#);
    let mut found = Vec::new();
    for number in 0..5_000 {
        match number {
            1_000 => paused.set(Conditions::default(), 0),
            2_000 => paused.set(conditions(r#"{"loss": 0.1}"#), 0),
            _ => {}
        }
        if paused.handle_packet(packet(1_000), number * MS).dropped.is_some() {
            found.push(usize::try_from(number).unwrap());
        }
    }
    let expected = alone.into_iter().filter(|number| !(1_000..2_000).contains(number));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn bursts_follow_the_closed_forms() {
    let loss = Loss::GilbertElliott {
        p: Chance::per_mille(10),
        r: Chance::per_mille(200),
        good_loss: Chance::NEVER,
        bad_loss: Chance::ALWAYS,
    };
    let asked = Conditions { loss, ..Conditions::default() };
    let mut shaper = Shaper::new(asked.clone(), 7, "a -> b");
    send(&mut shaper, 200_000, MS);
    let account = shaper.account();
    let share = handfast_statistics::number::real_u64(account.dropped(Cause::Loss)) / 200_000.0;
    assert!((share - 0.01 / 0.21).abs() < 0.003, "p / (p + r) is 0.0476, found {share}");
    let mean = account.bursts.mean().unwrap();
    assert!((mean - 5.0).abs() < 0.2, "1 / r is 5, found {mean}");
    let lines = account.judge_at(&asked, &Level::CALIBRATION);
    assert!(lines.iter().all(|line| line.verdict == LineVerdict::Held), "{lines:?}");
    // And a burst longer than the law is seen.
    let other = Conditions { loss: Loss::bursts(Chance::per_mille(48), 4.0).unwrap(), ..asked };
    let line = account.judge(&other).into_iter().find(|line| line.what == "bursts").unwrap();
    assert_eq!(line.verdict, LineVerdict::Missed, "{line:?}");
}

#[test]
fn all_four_chances_of_a_chain_count() {
    let loss = Loss::GilbertElliott {
        p: Chance::per_mille(50),
        r: Chance::per_mille(150),
        good_loss: Chance::per_mille(20),
        bad_loss: Chance::per_mille(600),
    };
    // A quarter of the time is bad.
    assert!((loss.share() - (0.75 * 0.02 + 0.25 * 0.6)).abs() < 1e-9);
    let asked = Conditions { loss, ..Conditions::default() };
    let mut shaper = Shaper::new(asked.clone(), 11, "a -> b");
    send(&mut shaper, 100_000, MS);
    let lines = shaper.account().judge_at(&asked, &Level::CALIBRATION);
    assert_eq!(lines.len(), 1, "bursts of such a chain have no closed form: {lines:?}");
    assert_eq!(lines[0].verdict, LineVerdict::Held, "{lines:?}");
}

#[test]
fn a_bottleneck_sends_bit_by_bit_and_drops_what_finds_no_room() {
    // 8 Mbit/s: a packet of 1,000 bytes takes a millisecond; 10 ms may wait.
    let mut shaper = shaper(r#"{"rate": "8Mbit/s", "queue": "10ms"}"#);
    let fates: Vec<_> = (0..20).map(|_| shaper.handle_packet(packet(1_000), 0)).collect();
    let due: Vec<_> = fates.iter().filter_map(|fate| fate.copies.into_iter().next()).collect();
    let expected: Vec<_> = (1..=11).map(|count| count * MS).collect();
    assert_eq!(due.iter().map(|copy| copy.due_ns).collect::<Vec<_>>(), expected);
    assert_eq!(shaper.account().dropped(Cause::Queue), 9);
    // Later there is room again, and who comes when nothing waits does not wait.
    let fate = shaper.handle_packet(packet(1_000), 30 * MS);
    assert_eq!(fate.copies.as_slice()[0].due_ns, 31 * MS);
}

#[test]
fn a_queue_in_bytes_holds_that_many() {
    let mut shaper = shaper(r#"{"rate": "8Mbit/s", "queue": "3000B"}"#);
    let fates: Vec<_> = (0..5).map(|_| shaper.handle_packet(packet(1_000), 0)).collect();
    assert_eq!(lost(&fates), [3, 4]);
    // A packet larger than the whole queue passes where nothing waits.
    let fate = shaper.handle_packet(packet(9_000), 10 * MS);
    assert_eq!(fate.dropped, None);
}

#[test]
fn the_largest_packet_on_the_slowest_link_is_sent_for_ever_and_nothing_overflows() {
    let mut shaper = shaper(r#"{"rate": "1bit/s", "queue": "1min"}"#);
    let fate = shaper.handle_packet(packet(u32::MAX), 5);
    assert_eq!(fate.copies.as_slice()[0].due_ns, u64::MAX);
    assert_eq!(shaper.handle_packet(packet(1), u64::MAX - 1).dropped, None);
}

#[test]
fn a_lost_packet_has_kept_the_bottleneck_busy() {
    let mut shaper = shaper(r#"{"rate": "8Mbit/s", "loss": 1}"#);
    assert_eq!(shaper.handle_packet(packet(1_000), 0).dropped, Some(Cause::Loss));
    shaper.set(conditions(r#"{"rate": "8Mbit/s"}"#), 0);
    assert_eq!(shaper.handle_packet(packet(1_000), 0).copies.as_slice()[0].due_ns, 2 * MS);
}

#[test]
fn larger_packets_vanish_in_a_black_hole() {
    let mut shaper = shaper(r#"{"mtu": 1400}"#);
    assert_eq!(shaper.handle_packet(packet(1_400), 0).dropped, None);
    assert_eq!(shaper.handle_packet(packet(1_401), 0).dropped, Some(Cause::Mtu));
}

#[test]
fn a_cut_swallows_everything_and_says_how() {
    for (how, cause) in [("silent", Cause::Cut), ("reset", Cause::Reset)] {
        let mut shaper = shaper(&format!(r#"{{"cut": "{how}"}}"#));
        let fates = send(&mut shaper, 10, MS);
        assert!(fates.iter().all(|fate| fate.dropped == Some(cause)));
        let lines = shaper.account().judge(shaper.conditions());
        assert_eq!(lines[0].verdict, LineVerdict::Held);
        assert_eq!(lines[0].measured, "10 of 10 packets swallowed");
    }
}

#[test]
fn of_parallel_ways_the_same_flows_are_dead_all_the_time() {
    let mut shaper = shaper(r#"{"dead_flows": 0.25}"#);
    let mut dead: BTreeMap<u64, bool> = BTreeMap::new();
    for number in 0..4_000_u64 {
        let flow = number % 400;
        let is_dead = shaper.handle_packet(Packet { length: 100, flow }, number).dropped.is_some();
        assert_eq!(*dead.entry(flow).or_insert(is_dead), is_dead);
    }
    let count = dead.values().filter(|is_dead| **is_dead).count();
    assert!((70..=130).contains(&count), "{count} of 400");
}

#[test]
fn jitter_keeps_the_order_unless_it_is_told_not_to() {
    let due = |keeps: bool| {
        let text = format!(r#"{{"delay": "20ms", "jitter": "15ms", "keeps_order": {keeps}}}"#);
        let mut shaper = shaper(&text);
        let fates = send(&mut shaper, 1_000, MS);
        let due: Vec<u64> = fates.iter().map(|fate| fate.copies.as_slice()[0].due_ns).collect();
        (due.is_sorted(), shaper.account().overtook)
    };
    assert_eq!(due(true), (true, 0));
    let (is_sorted, overtook) = due(false);
    assert!(!is_sorted && overtook > 300, "{overtook}");
}

#[test]
fn a_packet_that_stays_behind_is_overtaken_and_holds_up_nobody() {
    let mut shaper = shaper(r#"{"delay": "1ms", "reorder": 0.1, "reorder_by": "5ms"}"#);
    let fates = send(&mut shaper, 10_000, MS);
    let late = fates.iter().enumerate().filter(|(number, fate)| {
        let sent = u64::try_from(*number).unwrap() * MS;
        let due = fate.copies.as_slice()[0].due_ns;
        assert!([sent + MS, sent + 6 * MS].contains(&due));
        due == sent + 6 * MS
    });
    assert_eq!(u64::try_from(late.count()).unwrap(), shaper.account().reordered);
    let lines = shaper.account().judge_at(shaper.conditions(), &Level::CALIBRATION);
    assert!(lines.iter().all(|line| line.verdict == LineVerdict::Held), "{lines:?}");
}

#[test]
fn a_second_copy_and_a_turned_bit_are_as_often_as_asked() {
    let mut shaper = shaper(r#"{"duplicate": 0.05, "corrupt": 0.02}"#);
    let fates = send(&mut shaper, 20_000, MS);
    let doubled = fates.iter().filter(|fate| fate.copies.as_slice().len() == 2).count();
    let turned: Vec<BitFlip> =
        fates.iter().filter_map(|fate| fate.copies.as_slice()[0].corrupt).collect();
    let account = shaper.account();
    assert_eq!((doubled as u64, turned.len() as u64), (account.duplicated, account.corrupted));
    let lines = account.judge_at(shaper.conditions(), &Level::CALIBRATION);
    assert!(lines.iter().all(|line| line.verdict == LineVerdict::Held), "{lines:?}");
    // Bits of the whole packet are turned, and none beyond it.
    let bits: Vec<u64> = turned.iter().map(|flip| flip.below(8_000)).collect();
    assert!(bits.iter().any(|bit| *bit < 1_000) && bits.iter().any(|bit| *bit > 7_000));
    assert!(bits.iter().all(|bit| *bit < 8_000) && turned[0].below(0) == 0);
}

#[test]
fn an_account_belongs_to_one_stretch_of_conditions() {
    let lossy = conditions(r#"{"loss": 0.2}"#);
    let slow = conditions(r#"{"delay": "10ms", "jitter": "5ms"}"#);
    let mut shaper = Shaper::new(lossy.clone(), 7, "a -> b");
    send(&mut shaper, 2_000, MS);
    let first = shaper.take_account();
    shaper.set(slow.clone(), 0);
    assert_eq!(shaper.account().packets, 0);
    send(&mut shaper, 2_000, MS);
    for (account, asked, other) in [(&first, &lossy, &slow), (shaper.account(), &slow, &lossy)] {
        assert!(account.judge(asked).iter().all(|line| line.verdict == LineVerdict::Held));
        assert!(account.judge(other).iter().any(|line| line.verdict != LineVerdict::Held));
    }
    let mut both = first.clone();
    both.merge(&first);
    assert_eq!((both.packets, both.dropped_total()), (4_000, 2 * first.dropped_total()));
}

#[test]
fn what_a_driver_of_streams_leaves_undone_is_not_held() {
    let verdicts = |text: &str| {
        let mut shaper = shaper(text).between_streams();
        send(&mut shaper, 5_000, MS);
        shaper.set(Conditions::default(), 0);
        shaper.set(conditions(text), 0);
        let account = shaper.take_account();
        assert_eq!(shaper.account().packets, 0);
        let lines = account.judge(shaper.conditions());
        lines.into_iter().map(|line| (line.what, line.verdict)).collect::<Vec<_>>()
    };
    let line = |what: &str, verdict| (what.to_owned(), verdict);
    assert_eq!(verdicts(r#"{"duplicate": 0.1}"#), [line("duplicate", LineVerdict::Missed)]);
    let beside = verdicts(r#"{"loss": 0.1, "corrupt": 0.1, "renew_checksums": true}"#);
    let expected = [line("loss", LineVerdict::Held), line("corrupt", LineVerdict::TooFew)];
    assert_eq!(beside, expected);
    // Damage that a receiver notices is a loss to its sender, and is carried out as that.
    assert_eq!(verdicts(r#"{"corrupt": 0.1}"#), [line("corrupt", LineVerdict::Held)]);
}

#[test]
fn the_lateness_of_the_driver_is_in_the_account() {
    let mut shaper = shaper("{}");
    for number in 0..100 {
        shaper.handle_packet(packet(100), number * MS);
        shaper.handle_delivery(number * MS, number * MS + 2 * MS);
    }
    let line = |level: &Level| shaper.account().judge_at(shaper.conditions(), level).remove(0);
    assert_eq!(line(&Level::RUN).verdict, LineVerdict::Held);
    assert_eq!(line(&Level::CALIBRATION).verdict, LineVerdict::Missed);
}

/// Anything a link can be that does not drop everything.
fn any_link() -> impl Strategy<Value = Conditions> {
    let chance = || (0_u32..=300).prop_map(Chance::per_mille);
    let rate = (8_000_u64..200_000_000, 0_u64..100_000).prop_map(|(bits_per_s, queue)| {
        crate::Rate { bits_per_s, queue: crate::Queue::Bytes(queue) }
    });
    let delay = (0_u64..50_000, 0_u64..20_000, any::<bool>(), any::<bool>());
    (delay, chance(), chance(), chance(), prop::option::of(rate), prop::option::of(600_u16..))
        .prop_map(|(delay, loss, duplicate, reorder, rate, mtu)| {
            let (base, jitter, is_normal, keeps_order) = delay;
            let us = Duration::from_micros;
            let shape = if is_normal { crate::Shape::Normal } else { crate::Shape::Uniform };
            let correlation = loss;
            Conditions {
                delay: crate::Delay {
                    base: us(base),
                    jitter: us(jitter),
                    shape,
                    correlation,
                    keeps_order,
                },
                loss: Loss::bursts(loss, 3.0).unwrap(),
                duplicate,
                reorder: crate::Reorder { chance: reorder, by: us(3_000) },
                rate,
                mtu,
                ..Conditions::default()
            }
        })
}

proptest! {
    /// What comes in goes out or is dropped for a cause, packet by packet and in the account.
    #[test]
    fn packets_are_conserved(
        conditions in any_link(), seed: u64, lengths in prop::collection::vec(20_u32..1_500, 1..300), gap_ns in 0_u64..2_000_000,
    ) {
        let mut shaper = Shaper::new(conditions, seed, "a -> b");
        let (mut copies, mut dropped, mut now) = (0, 0, 0);
        for length in &lengths {
            let fate = shaper.handle_packet(packet(*length), now);
            prop_assert_eq!(fate.dropped.is_some(), fate.copies.as_slice().is_empty());
            prop_assert!(fate.copies.into_iter().all(|copy| copy.due_ns >= now));
            copies += fate.copies.as_slice().len() as u64;
            dropped += u64::from(fate.dropped.is_some());
            now += gap_ns;
        }
        let account = shaper.account();
        prop_assert_eq!(account.packets, lengths.len() as u64);
        prop_assert_eq!(account.packets, account.passed + account.dropped_total());
        prop_assert_eq!((copies, dropped), (account.passed + account.duplicated, account.dropped_total()));
        prop_assert_eq!(account.delays.count(), account.passed);
    }

    #[test]
    fn the_same_seed_makes_the_same_of_the_same_packets(
        conditions in any_link(), seed: u64, lengths in prop::collection::vec(20_u32..1_500, 1..100),
    ) {
        let run = || {
            let mut shaper = Shaper::new(conditions.clone(), seed, "a -> b");
            (0..).zip(&lengths).map(|(number, length)| shaper.handle_packet(packet(*length), number * MS)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }

    /// Between any two packets that leave the bottleneck no more bits have left than the rate allows.
    #[test]
    fn the_rate_is_exceeded_over_no_window(
        bits_per_s in 8_000_u64..1_000_000_000, lengths in prop::collection::vec(20_u32..1_500, 2..60), gap_ns in 0_u64..200_000,
    ) {
        let rate = crate::Rate { bits_per_s, queue: crate::Queue::Time(Duration::from_secs(10)) };
        let conditions = Conditions { rate: Some(rate), ..Conditions::default() };
        let mut shaper = Shaper::new(conditions, 7, "a -> b");
        let mut left = Vec::new();
        for (number, length) in (0..).zip(&lengths) {
            for copy in shaper.handle_packet(packet(*length), number * gap_ns).copies {
                left.push((copy.due_ns, u128::from(*length) * 8_000_000_000));
            }
        }
        for first in 0..left.len() {
            let mut bits = 0;
            for (due_ns, more) in &left[first + 1..] {
                bits += more;
                // A nanosecond, because a packet leaves at a whole one.
                let most = u128::from(due_ns - left[first].0 + 1) * u128::from(bits_per_s);
                prop_assert!(bits <= most, "{bits} > {most}");
            }
        }
    }

    /// Whoever waits until there is room finds it, and could not have come a microsecond earlier.
    #[test]
    fn there_is_room_when_it_was_said(
        bits_per_s in 8_000_u64..1_000_000_000, limit in 0_u64..100_000, in_time: bool, lengths in prop::collection::vec(20_u32..1_500, 1..60),
    ) {
        let span = Duration::from_micros(limit);
        let queue = if in_time { crate::Queue::Time(span) } else { crate::Queue::Bytes(limit) };
        let conditions = Conditions { rate: Some(crate::Rate { bits_per_s, queue }), ..Conditions::default() };
        let mut shaper = Shaper::new(conditions, 7, "a -> b");
        let mut now_ns = 0;
        for length in lengths {
            let room_ns = shaper.room_at(length, now_ns);
            let early_ns = room_ns.saturating_sub(1_000 + 8_000_000_000 / bits_per_s);
            if early_ns > now_ns {
                let early = shaper.clone().handle_packet(packet(length), early_ns);
                prop_assert_eq!(early.dropped, Some(Cause::Queue));
            }
            now_ns = room_ns;
            prop_assert_eq!(shaper.handle_packet(packet(length), now_ns).dropped, None);
        }
    }

    #[test]
    fn order_is_kept_where_it_was_promised(conditions in any_link(), seed: u64, gap_ns in 0_u64..2_000_000) {
        let mut conditions = conditions;
        conditions.delay.keeps_order = true;
        conditions.reorder = crate::Reorder::default();
        let mut shaper = Shaper::new(conditions, seed, "a -> b");
        let fates = send(&mut shaper, 200, gap_ns);
        let due: Vec<u64> = fates.iter().flat_map(|fate| fate.copies).map(|copy| copy.due_ns).collect();
        prop_assert!(due.is_sorted());
        prop_assert_eq!(shaper.account().overtook, 0);
    }
}
