use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn patch(json: &str) -> Result<ConditionsPatch, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[track_caller]
fn conditions(json: &str) -> Conditions {
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_text_of_conditions_is_for_ever() {
    let all = r#"{"delay":"50ms","jitter":"10ms","shape":"pareto-normal","correlation":0.25,"keeps_order":false,"loss":{"p":0.01,"r":0.2,"good":0.001,"bad":0.9},"duplicate":0.01,"corrupt":0.002,"renew_checksums":true,"reorder":0.03,"reorder_by":"5ms","rate":"10Mbit/s","queue":"64KiB","mtu":1400,"dead_flows":0.5,"cut":"reset"}"#;
    let expected = Conditions {
        delay: Delay {
            base: 50 * MS,
            jitter: 10 * MS,
            shape: Shape::ParetoNormal,
            correlation: Chance::per_mille(250),
            keeps_order: false,
        },
        loss: Loss::GilbertElliott {
            p: Chance::per_mille(10),
            r: Chance::per_mille(200),
            good_loss: Chance::per_mille(1),
            bad_loss: Chance::per_mille(900),
        },
        duplicate: Chance::per_mille(10),
        corrupt: Chance::per_mille(2),
        renew_checksums: true,
        reorder: Reorder { chance: Chance::per_mille(30), by: 5 * MS },
        rate: Some(Rate { bits_per_s: 10_000_000, queue: Queue::Bytes(65_536) }),
        mtu: Some(1_400),
        dead_flows: Chance::per_mille(500),
        cut: Some(Cut::Reset),
    };
    assert_eq!(conditions(all), expected);
    assert_eq!(serde_json::to_string(&expected).unwrap(), all);
    assert_eq!(serde_json::to_string(&Conditions::default()).unwrap(), "{}");
}

#[test]
fn what_is_left_out_is_what_people_mean() {
    assert!(conditions("{}").are_clear());
    let jittered = conditions(r#"{"delay": "50ms", "jitter": "10ms"}"#).delay;
    assert_eq!((jittered.shape, jittered.keeps_order), (Shape::Uniform, true));
    let queue = |rate: &str| conditions(&format!(r#"{{"rate": "{rate}"}}"#)).rate.unwrap().queue;
    assert_eq!((queue("10Mbit/s"), queue("1200kbit/s")), (Queue::USUAL, Queue::USUAL));
    assert_eq!((queue("1Mbit/s"), queue("1bit/s")), (Queue::Bytes(15_000), Queue::Bytes(15_000)));
    assert_eq!(conditions(r#"{"reorder": 0.1}"#).reorder.by, Reorder::BY);
    assert_eq!(conditions(r#"{"loss": 0.02}"#).loss, Loss::Independent(Chance::per_mille(20)));
    let simple = Loss::GilbertElliott {
        p: Chance::per_mille(10),
        r: Chance::per_mille(200),
        good_loss: Chance::NEVER,
        bad_loss: Chance::ALWAYS,
    };
    assert_eq!(conditions(r#"{"loss": {"p": 0.01, "r": 0.2}}"#).loss, simple);
}

#[test]
fn a_text_that_means_nothing_is_refused_with_the_reason() {
    for (text, reason) in [
        (r#"{"burst": 8}"#, "`burst` says nothing without `loss` beside it"),
        (r#"{"queue": "100ms"}"#, "`queue` says nothing without `rate` beside it"),
        (r#"{"loss": {"p": 0.1, "r": 0.2}, "burst": 8}"#, "exclude each other"),
        (r#"{"loss": "2%"}"#, "`loss` is a share such as 0.02"),
        (r#"{"loss": 2}"#, "`loss`: 2 is not between 0 and 1"),
        (r#"{"loss": 0.9, "burst": 1}"#, "leave no room"),
        (r#"{"loss": 0.1, "burst": 0.5}"#, "`burst` is not between 1 and 1000000"),
        (r#"{"rate": "10"}"#, "`rate`: \"\" is no unit of rates"),
        (r#"{"rate": "0bit/s"}"#, "at least 1bit/s"),
        (r#"{"rate": "1Mbit/s", "queue": "much"}"#, "`queue`: \"much\" does not begin"),
        (r#"{"rate": "1Mbit/s", "queue": "2min"}"#, "`queue` is longer than a minute"),
        (r#"{"rate": "1Mbit/s", "queue": "1024MiB"}"#, "at most 256MiB"),
        (r#"{"delay": "2min"}"#, "`delay` is longer than a minute"),
        (r#"{"jitter": "10ms", "shape": "constant"}"#, "exclude each other"),
        (r#"{"correlation": 1}"#, "`correlation` is more than 0.99"),
        (r#"{"mtu": 20}"#, "`mtu` is 20"),
        (r#"{"dealy": "1ms"}"#, "unknown field `dealy`"),
    ] {
        let error = patch(text).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let base = conditions(r#"{"delay": "35ms", "rate": "12Mbit/s", "loss": 0.01}"#);
    let over = patch(r#"{"loss": 0.2, "burst": 8, "jitter": "5ms"}"#).unwrap().over(&base);
    assert_eq!((over.delay.base, over.delay.jitter, over.rate), (35 * MS, 5 * MS, base.rate));
    assert!((over.loss.share() - 0.2).abs() < 1e-8);
    let constant = patch(r#"{"shape": "constant"}"#).unwrap().over(&over);
    assert_eq!(constant.delay, Delay::constant(35 * MS));
    assert_eq!(ConditionsPatch::default().over(&base), base);
    assert!(ConditionsPatch::default().is_empty());
}

#[test]
fn people_read_conditions_in_one_line() {
    let text = conditions(
        r#"{"delay": "50ms", "jitter": "10ms", "loss": 0.02, "burst": 8, "rate": "10Mbit/s", "cut": "silent"}"#,
    );
    let shown = "delay 50ms, jitter 10ms, uniform, loss 2.00 % in bursts of 8.0, rate 10Mbit/s with a queue of 100ms, cut silently";
    assert_eq!(text.to_string(), shown);
    assert_eq!(Conditions::default().to_string(), "nothing");
}

#[test]
fn loss_in_bursts_has_the_share_and_the_length_that_were_asked_for() {
    for (share, length) in [(0.02, 8.0), (0.001, 1.5), (0.3, 4.0), (0.1, 100.0)] {
        let loss = Loss::bursts(Chance::share(share).unwrap(), length).unwrap();
        assert!((loss.share() - share).abs() < 1e-6, "{loss:?}");
        assert!((1.0 / (1.0 - loss.continues().unwrap()) - length).abs() < 1e-4, "{loss:?}");
    }
    assert_eq!(Loss::bursts(Chance::NEVER, 8.0), Ok(Loss::None));
}

#[test]
fn losses_that_keep_together_vary_more_than_independent_ones() {
    let bursts = Loss::bursts(Chance::per_mille(20), 8.0).unwrap();
    // (1 + c) / (1 - c) with c = 1 - p - r.
    let c = 1.0 - 1.0 / 8.0 - 0.02 / 0.98 / 8.0;
    assert!((bursts.dispersion() - (1.0 + c) / (1.0 - c)).abs() < 1e-3, "{}", bursts.dispersion());
    assert!((Loss::Independent(Chance::per_mille(20)).dispersion() - 1.0).abs() < 1e-12);
    let alike = Chance::per_mille(100);
    let (p, r) = (Chance::per_mille(10), Chance::per_mille(100));
    let no_difference = Loss::GilbertElliott { p, r, good_loss: alike, bad_loss: alike };
    assert!((no_difference.dispersion() - 1.0).abs() < 1e-9);
}

#[test]
fn what_needs_packets_is_named_and_a_stream_can_carry_out_the_rest() {
    let plain = conditions(r#"{"delay": "50ms", "dead_flows": 0.5, "cut": "reset"}"#);
    assert_eq!(plain.needs_packets(), Vec::<&str>::new());
    let rich = conditions(
        r#"{"delay": "5ms", "jitter": "1ms", "keeps_order": false, "loss": 0.1, "duplicate": 0.1, "corrupt": 0.1, "reorder": 0.1, "rate": "1Mbit/s", "mtu": 1400}"#,
    );
    let expected =
        ["jitter", "keeps_order", "loss", "duplicate", "corrupt", "reorder", "queue", "mtu"];
    assert_eq!(rich.needs_packets(), expected);
    let idle: Vec<_> =
        rich.approximated().into_iter().filter(|of| !of.acts).map(|of| of.what).collect();
    assert_eq!(idle, ["keeps_order", "duplicate"]);
}

fn any_conditions() -> impl Strategy<Value = Conditions> {
    let chance = || (0_u32..=1_000).prop_map(Chance::per_mille);
    let us = |most: u64| (0..=most).prop_map(Duration::from_micros);
    let loss = prop_oneof![
        Just(Loss::None),
        (1_u32..=1_000).prop_map(|share| Loss::Independent(Chance::per_mille(share))),
        (chance(), chance(), chance(), chance()).prop_map(|(p, r, good_loss, bad_loss)| {
            Loss::GilbertElliott { p, r, good_loss, bad_loss }
        }),
    ];
    let queue = prop_oneof![
        (0..=Conditions::QUEUE_MAX).prop_map(Queue::Bytes),
        us(60_000_000).prop_map(Queue::Time),
    ];
    let rate = (1..=Conditions::RATE_MAX, queue)
        .prop_map(|(bits_per_s, queue)| Rate { bits_per_s, queue });
    let shape = prop_oneof![
        Just(Shape::Uniform),
        Just(Shape::Normal),
        Just(Shape::Pareto),
        Just(Shape::ParetoNormal)
    ];
    let delay = (us(60_000_000), us(60_000_000), shape, 0_u32..=990, any::<bool>()).prop_map(
        |(base, jitter, shape, correlation, keeps_order)| Delay {
            base,
            jitter,
            shape: if jitter.is_zero() { Shape::Constant } else { shape },
            correlation: Chance::per_mille(correlation),
            keeps_order,
        },
    );
    let cut = prop_oneof![Just(Cut::Silent), Just(Cut::Reset)];
    let rest = (
        chance(),
        chance(),
        any::<bool>(),
        chance(),
        us(60_000_000),
        prop::option::of(rate),
        prop::option::of(68_u16..),
        prop::option::of(cut),
    );
    (delay, loss, chance(), rest).prop_map(|(delay, loss, dead_flows, rest)| {
        let (duplicate, corrupt, renew_checksums, chance, by, rate, mtu, cut) = rest;
        let by = if by.is_zero() { Reorder::BY } else { by };
        let reorder = Reorder { chance, by };
        Conditions {
            delay,
            loss,
            duplicate,
            corrupt,
            renew_checksums,
            reorder,
            rate,
            mtu,
            dead_flows,
            cut,
        }
    })
}

proptest! {
    #[test]
    fn conditions_are_read_as_they_are_written(conditions in any_conditions()) {
        prop_assert_eq!(conditions.check(), Ok(()));
        let text = serde_json::to_string(&conditions).unwrap();
        prop_assert_eq!(serde_json::from_str::<Conditions>(&text).unwrap(), conditions);
    }

    /// Whatever is laid over whatever is in range when both are.
    #[test]
    fn a_patch_over_conditions_is_valid(base in any_conditions(), over in any_conditions()) {
        let laid = ConditionsPatch::from(over.clone()).over(&base);
        prop_assert_eq!(laid.check(), Ok(()));
        prop_assert_eq!(ConditionsPatch::from(over.clone()).over(&Conditions::default()), over);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in r#"\{("(delay|loss|rate|queue|mtu|cut)": ("[0-9a-zA-Z/]{0,9}"|[0-9.-]{1,6}),? ?){0,4}\}"#) {
        drop(patch(&text));
    }
}
