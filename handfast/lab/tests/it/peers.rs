//! Peers that keep the contract, and each way of breaking it.

use std::time::Duration;

use handfast_contract::client::Violation;
use handfast_contract::codec::CodecError;
use handfast_lab::unit::StopError;
use handfast_lab::{CallError, Exit, Fact, PeerFault, StartError};
use serde_json::json;

use crate::support::{LONG, TestLab, wait_for};

#[tokio::test]
async fn two_peers_start_and_stop_and_nothing_is_left() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", "good")]).await;
    let (a, b) = tokio::join!(unit.start("a"), unit.start("b"));
    assert_eq!(a.unwrap().initialized().name, "a");
    assert_eq!(b.unwrap().initialized().name, "b");
    assert!(unit.dir().join("a").is_dir());
    let report = unit.close().await;
    assert_eq!(report.stopped["a"], Ok(Exit::Code(0)));
    assert_eq!(report.stopped["b"], Ok(Exit::Code(0)));
    assert!(report.clean && report.settled, "{report:?}");
    assert_eq!((report.left, report.lost_facts), (Vec::new(), 0));
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_peer_gets_the_environment_of_the_contract() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", "good")]).await;
    let a = unit.start("a").await.unwrap();
    let environment = a.call("environment", json!({}), LONG).await.unwrap();
    assert_eq!(environment["HANDFAST_NAME"], "a");
    assert_eq!(environment["HANDFAST_LISTEN"], "127.0.0.1:0");
    assert_eq!(environment["HANDFAST_RUN"], lab.run.as_str());
    assert_eq!(environment["HANDFAST_ADVERTISE"], unit.tap().advertised("a").unwrap());
    assert_eq!(environment["HANDFAST_DATA_DIR"], unit.dir().join("a").to_str().unwrap());
    unit.close().await;
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn calls_end_in_a_result_a_refusal_or_unsupported() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let a = unit.start("a").await.unwrap();
    assert_eq!(a.call("echo", json!({"x": 1}), LONG).await, Ok(json!({"x": 1})));
    let Err(CallError::Refused(refused)) = a.call("refuse", json!({}), LONG).await else {
        panic!("not refused");
    };
    assert_eq!(refused.refusal().unwrap().code, "SEQUENCE_ERROR");
    let method = "nonsense".to_owned();
    let unknown = a.call("nonsense", json!({}), LONG).await;
    assert_eq!(unknown, Err(CallError::Unsupported { method }));
    unit.close().await;
}

#[tokio::test]
async fn a_call_without_an_answer_times_out_and_the_next_one_works() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let a = unit.start("a").await.unwrap();
    let (method, within) = ("hang".to_owned(), Duration::from_millis(20));
    let hung = a.call("hang", json!({}), within).await;
    assert_eq!(hung, Err(CallError::TimedOut { method, within }));
    assert_eq!(a.call("echo", json!({}), LONG).await, Ok(json!({})));
    unit.close().await;
}

#[tokio::test]
async fn a_crash_names_the_exit_code_and_keeps_the_log() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let a = unit.start("a").await.unwrap();
    let crashed = a.call("crash", json!({}), LONG).await;
    let gone = Err(CallError::Gone { exit: Some(Exit::Code(7)) });
    assert_eq!(crashed, gone);
    assert_eq!(a.call("echo", json!({}), LONG).await, gone);
    let mut facts = unit.evidence().reader();
    let exited = wait_for(&mut facts, |fact| matches!(fact, Fact::Exited { .. })).await;
    let Fact::Exited { exit, expected, .. } = &exited.fact else { unreachable!() };
    assert_eq!((*exit, *expected), (Exit::Code(7), false));
    let mut facts = unit.evidence().reader();
    wait_for(
        &mut facts,
        |fact| matches!(fact, Fact::LogLine { line, .. } if line == "about to crash"),
    )
    .await;
    unit.close().await;
    let last = a.log().lines().last().unwrap().text.clone();
    assert_eq!(last, "about to crash");
}

#[tokio::test]
async fn a_killed_peer_starts_again_at_its_address() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", "good")]).await;
    let first = unit.start("a").await.unwrap();
    let again = unit.start("a").await;
    assert!(matches!(again, Err(StartError::RunsAlready { .. })), "{again:?}");
    assert_eq!(unit.kill("a").await, Ok(Exit::Signal(9)));
    let role = "a".to_owned();
    assert_eq!(unit.kill("a").await, Err(StopError::NotRunning { role }));
    let second = unit.start("a").await.unwrap();
    assert_ne!(first.pid(), second.pid());
    assert_eq!(first.initialized().addresses, second.initialized().addresses);
    assert_eq!(unit.stop("a", LONG).await, Ok(Exit::Code(0)));
    unit.start("a").await.unwrap();
    unit.close().await;
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_peer_that_is_sealed_has_no_proxy_before_it_and_keeps_its_address() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", "listens-sealed")]).await;
    let first = unit.start("b").await.unwrap();
    assert!(first.initialized().addresses["https"].starts_with("https://127.0.0.1:"));
    let mut client = crate::taps::Client::connect(&unit, "a", "b").await;
    let answered = client.post("/message", "{}").await;
    assert!(!matches!(answered, Ok((200, _))), "{answered:?}");
    unit.kill("b").await.unwrap();
    let second = unit.start("b").await.unwrap();
    assert_eq!(first.initialized().addresses, second.initialized().addresses);
    assert!(unit.close().await.clean);
    lab.check_nothing_is_left();
}

async fn start(behaviour: &str) -> StartError {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", behaviour)]).await;
    let error = unit.start("a").await.expect_err("it started");
    // The slot is free again: an error leaves no half-started peer.
    assert!(unit.peer("a").is_none());
    let report = unit.close().await;
    assert!(report.clean, "{report:?}");
    lab.check_nothing_is_left();
    error
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let lab = TestLab::open();
    let mut role = crate::support::role("a", "good");
    role.program = "no-such-program".to_owned();
    let config = handfast_lab::UnitConfig { roles: vec![role], ..Default::default() };
    let unit = lab.lab.unit(config).await.unwrap();
    let error = unit.start("a").await.unwrap_err();
    assert!(
        matches!(&error, StartError::Spawn { program, .. } if program == "no-such-program"),
        "{error}"
    );
    assert!(unit.close().await.clean);
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_peer_that_crashes_at_once_is_gone() {
    let error = start("crashes-at-once").await;
    let exit = Some(Exit::Code(3));
    assert!(
        matches!(&error, StartError::Initialize(CallError::Gone { exit: e }) if *e == exit),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_peer_that_hangs_at_initialize_times_out() {
    let lab = TestLab::open();
    let mut role = crate::support::role("a", "hangs-at-initialize");
    role.ready_within = Some(Duration::from_millis(300));
    let config = handfast_lab::UnitConfig { roles: vec![role], ..Default::default() };
    let unit = lab.lab.unit(config).await.unwrap();
    let error = unit.start("a").await.unwrap_err();
    assert!(matches!(&error, StartError::Initialize(CallError::TimedOut { .. })), "{error:?}");
    assert_eq!(crate::support::marked(&lab.run).len(), 1, "only the reaper is left");
    assert!(unit.close().await.clean);
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_peer_that_answers_garbage_breaks_the_contract() {
    let error = start("answers-garbage").await;
    let StartError::Initialize(CallError::Fault(PeerFault::Contract(violation))) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(violation, Violation::Line(CodecError::Json { .. })), "{violation:?}");
}

#[tokio::test]
async fn a_line_without_end_on_stdout_breaks_the_contract() {
    let error = start("floods-stdout").await;
    let StartError::Initialize(CallError::Fault(PeerFault::Contract(violation))) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(violation, Violation::Line(CodecError::TooLong { .. })), "{violation:?}");
}

#[tokio::test]
async fn a_flood_of_events_breaks_the_contract() {
    let error = start("floods-events").await;
    let flood = |fault: &PeerFault| matches!(fault, PeerFault::EventFlood { .. });
    assert!(
        matches!(&error, StartError::Initialize(CallError::Fault(fault)) if flood(fault)),
        "{error:?}"
    );
}

/// Far fewer than the limit of their number, but each almost as long as a line may be.
#[tokio::test]
async fn few_long_events_are_a_flood_too() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "floods-long-events")]).await;
    let mut facts = unit.evidence().reader();
    let error = unit.start("a").await.unwrap_err();
    let flood = |fault: &PeerFault| matches!(fault, PeerFault::EventFlood { .. });
    assert!(
        matches!(&error, StartError::Initialize(CallError::Fault(fault)) if flood(fault)),
        "{error:?}"
    );
    unit.close().await;
    let mut events = 0;
    while let Some(observation) = facts.next().await {
        events += u64::from(matches!(observation.fact, Fact::Notification { .. }));
    }
    let most = handfast_lab::peer::EVENT_BYTES_MAX / 1_000_000;
    assert!(events <= most as u64, "{events} events were taken, at most {most} fit");
}

#[tokio::test]
async fn a_flood_on_stderr_is_counted_and_hurts_nobody() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "floods-stderr")]).await;
    let a = unit.start("a").await.unwrap();
    while a.log().dropped_bytes < 8 * 1024 * 1024 {
        a.call("echo", json!({}), LONG).await.unwrap();
    }
    let report = unit.close().await;
    assert_eq!((&report.stopped["a"], report.lost_facts), (&Ok(Exit::Code(0)), 0));
    let log = a.log();
    let kept: usize = log.lines().map(|line| line.text.len()).sum();
    assert!(kept <= handfast_lab::peer::LOG_HEAD_MAX + handfast_lab::peer::LOG_TAIL_MAX);
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_crash_right_after_initialize_names_the_signal() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "crashes-after-initialize")]).await;
    let a = unit.start("a").await.unwrap();
    assert_eq!(a.exited().await, Some(Exit::Signal(11)));
    let exit = Some(Exit::Signal(11));
    assert_eq!(a.call("echo", json!({}), LONG).await, Err(CallError::Gone { exit }));
    let report = unit.close().await;
    assert!(report.clean && report.stopped.is_empty(), "{report:?}");
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_is_undone() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "hangs-at-initialize")]).await;
    let mut facts = unit.evidence().reader();
    tokio::select! {
        started = unit.start("a") => panic!("it hangs: {started:?}"),
        _ = wait_for(&mut facts, |fact| matches!(fact, Fact::LogLine { .. })) => {}
    }
    let exited = wait_for(&mut facts, |fact| matches!(fact, Fact::Exited { .. })).await;
    let Fact::Exited { exit, expected, .. } = &exited.fact else { unreachable!() };
    assert_eq!((*exit, *expected), (Exit::Signal(9), true));
    assert!(unit.close().await.left.is_empty());
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_told_no_more_than_the_limit() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let a = unit.start("a").await.unwrap();
    a.call("stop-reading", json!({}), LONG).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    let large = "x".repeat(900_000);
    for _ in 0..20 {
        let (a, large) = (a.clone(), large.clone());
        calls.spawn(async move { a.call("echo", json!({"x": large}), LONG).await });
    }
    let refused = calls.join_next().await.unwrap().unwrap();
    let max_bytes = handfast_lab::peer::OUTGOING_MAX;
    assert_eq!(refused, Err(CallError::NotReading { max_bytes }));
    calls.shutdown().await;
    unit.kill("a").await.unwrap();
    unit.close().await;
}

#[tokio::test]
async fn a_peer_that_ignores_shutdown_is_killed() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "ignores-shutdown")]).await;
    let a = unit.start("a").await.unwrap();
    let within = Duration::from_millis(200);
    assert_eq!(unit.stop("a", within).await, Err(StopError::Lingered { within }));
    assert_eq!(a.exit(), Some(Exit::Signal(9)));
    assert!(unit.close().await.clean);
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn events_come_with_their_counter() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good"), ("b", "good")]).await;
    unit.start("b").await.unwrap();
    let mut client = crate::taps::Client::connect(&unit, "a", "b").await;
    for body in ["one", "two"] {
        client.post("/message", body).await.unwrap();
    }
    let mut facts = unit.evidence().reader();
    for (counter, text) in [(1, "one"), (2, "two")] {
        let fact = wait_for(&mut facts, |fact| matches!(fact, Fact::Notification { .. })).await;
        let Fact::Notification { role, n, method, params } = &fact.fact else { unreachable!() };
        assert_eq!((role.as_str(), *n, method.as_str()), ("b", counter, "message.received"));
        assert_eq!(params, &json!({"body": text}));
    }
    unit.close().await;
}

#[tokio::test]
async fn long_answers_are_no_events_and_fill_no_flood() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let a = unit.start("a").await.unwrap();
    for _ in 0..=handfast_lab::peer::EVENT_BYTES_MAX / 1_000_000 {
        a.call("long", json!({}), LONG).await.unwrap();
    }
    assert_eq!(a.call("tell", json!({}), LONG).await, Ok(json!({})));
    unit.close().await;
}

#[tokio::test]
async fn a_stopped_process_is_ended_like_any_other() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let a = unit.start("a").await.unwrap();
    a.call("freeze", json!({}), LONG).await.unwrap();
    let stopped = unit.stop("a", Duration::from_millis(100)).await;
    assert!(matches!(stopped, Err(StopError::Shutdown(CallError::TimedOut { .. }))), "{stopped:?}");
    assert_eq!(a.exit(), Some(Exit::Signal(9)));
    let report = unit.close().await;
    assert!(report.clean && report.settled, "{report:?}");
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn two_hundred_children_are_ended_with_their_peer_and_named() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "leaves-200-children")]).await;
    unit.start("a").await.unwrap();
    let report = unit.close().await;
    assert_eq!((report.left.len(), report.clean), (200, true));
    lab.check_nothing_is_left();
}
