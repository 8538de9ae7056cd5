use handfast_scenario::event::WireTaken;
use handfast_scenario::plan::UnitId;
use handfast_scenario::{Recorded, RunEvent};

use super::detail::{BODY_BYTES_MAX, LOG_LINES_MAX, MOMENTS_MAX, WIRE_MAX};
use super::text::anchor;
use super::{DETAILS_MAX, HtmlReport};
use crate::sample;

fn report(events: &[Recorded]) -> HtmlReport {
    let mut report = HtmlReport::new();
    for event in events {
        report.read(event);
    }
    report
}

#[test]
fn behind_a_failure_stand_reason_command_wire_record_and_logs() {
    let html = report(&sample::failed_events()).render();
    let id = anchor(&sample::unit("u1"));
    for part in [
        "<h1 class=\"bad\">0 passed, 1 failed</h1>",
        &format!("<a href=\"#{id}\">"),
        &format!("id=\"{id}\""),
        "scenarios/x.toml:7 step 2: expect session.list",
        "expected ready\n     got failed",
        "handfast run u1 --peer a=entity --peer b=entity</code>",
        "Wire record (1 messages)",
        "#1 POST /message message =&gt; 200",
        "Log of a (the last 1 lines)",
        "WARN something",
    ] {
        assert!(html.contains(part), "{part:?} is missing in\n{html}");
    }
}

#[test]
fn what_passed_is_listed_without_its_story() {
    let report = report(&sample::passed_events());
    assert!(report.kept.is_empty() && report.running.is_empty());
    let html = report.render();
    assert!(html.contains("<h1 class=\"good\">1 passed, 0 failed</h1>"), "{html}");
    assert!(!html.contains("id=\"failures\""), "{html}");
}

#[test]
fn what_passed_under_disturbances_shows_asked_beside_measured() {
    let html = report(&sample::disturbed_events()).render();
    for part in ["asked and measured</h2>", "<td>2 %</td><td>2.1 % of 4,000</td>", ">held</td>"] {
        assert!(html.contains(part), "{part:?} is missing in\n{html}");
    }
}

#[test]
fn a_run_that_did_not_end_says_so() {
    let mut events = sample::passed_events();
    events.pop();
    let html = report(&events).render();
    assert!(html.contains("<h1 class=\"doubtful\">") && html.contains("did not end"), "{html}");
}

#[test]
fn nothing_that_a_peer_says_becomes_markup() {
    let mut events = sample::failed_events();
    let evil = "</pre><script>alert(1)</script>\u{1b}[31m\"'&";
    let log = RunEvent::PeerLog {
        unit: sample::unit("u1"),
        role: sample::role("a"),
        line: evil.to_owned(),
        truncated: false,
    };
    let body = sample::wire("u1", evil.as_bytes(), WireTaken::Passed);
    let event = sample::peer_event("u1", "b", "message.received", serde_json::json!({ "x": evil }));
    for event in [log, body, event] {
        events.insert(4, sample::at(10_500, event));
    }
    let html = report(&events).render();
    assert_eq!(html.matches("<script>").count(), 1, "only the page's own");
    assert!(html.contains("&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}[31m"));
    assert!(!html.contains('\u{1b}'));
}

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let html = report(&sample::failed_events()).render();
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn every_list_has_its_limit_and_says_what_is_missing() {
    let mut events = sample::failed_events();
    let long = vec![b'x'; BODY_BYTES_MAX + 1];
    for number in 0..=MOMENTS_MAX.max(LOG_LINES_MAX).max(WIRE_MAX) {
        let log = RunEvent::PeerLog {
            unit: sample::unit("u1"),
            role: sample::role("a"),
            line: format!("line {number}"),
            truncated: false,
        };
        let n = serde_json::json!({ "number": number });
        let event = sample::peer_event("u1", "b", "message.received", n);
        let body = sample::wire("u1", &long, WireTaken::Passed);
        for event in [log, event, body] {
            events.insert(4, sample::at(10_500, event));
        }
    }
    let report = report(&events);
    let detail = &report.kept[&sample::unit("u1")];
    assert_eq!(detail.moments.len(), MOMENTS_MAX);
    assert_eq!(detail.wire.len(), WIRE_MAX);
    assert_eq!(detail.logs[&sample::role("a")].len(), LOG_LINES_MAX);
    assert!(detail.wire.iter().all(|exchange| exchange.request.text.len() <= BODY_BYTES_MAX));
    let html = report.render();
    assert!(html.contains("earlier ones are only in events.jsonl"), "says what is missing");
    assert!(html.contains("bytes, cut here)"));
}

#[test]
fn of_very_many_failures_only_the_first_have_their_story() {
    let events = sample::failed_events();
    let mut many = vec![events[0].clone()];
    for number in 0..=DETAILS_MAX {
        let text = |recorded: &Recorded| {
            let line = recorded.to_line().replace("\"u1\"", &format!("\"u{number}\""));
            serde_json::from_str::<Recorded>(&line).unwrap()
        };
        many.extend(events[1..events.len() - 1].iter().map(text));
    }
    let report = report(&many);
    assert_eq!(report.kept.len(), DETAILS_MAX);
    assert!(report.render().contains("this page has room for some"));
}

#[test]
fn a_stub_is_called_one() {
    let mut events = sample::passed_events();
    let started = RunEvent::PeerStarted {
        unit: sample::unit("u1"),
        role: sample::role("b"),
        peer: serde_json::from_value("python-stub".into()).unwrap(),
        pid: 1,
        ready_us: 1,
        address: "http".to_owned(),
        key: None,
        version: "stub of python".to_owned(),
        protocol_versions: Vec::new(),
    };
    events.insert(2, sample::at(2_000, started));
    let html = report(&events).render();
    assert!(html.contains("python-stub is a stub of python"), "{html}");
}

#[test]
fn a_test_of_a_suite_that_failed_shows_its_output() {
    let html = report(&sample::suite_events_with("assertion <failed>")).render();
    assert!(html.contains("tests::bad") && html.contains("assertion &lt;failed&gt;"), "{html}");
}

#[test]
fn anchors_differ_where_units_do() {
    let of = |id: &str| anchor(&serde_json::from_value::<UnitId>(id.into()).unwrap());
    assert_eq!(of("a/b[v=1.0]"), "u-a-2fb-5bv-3d1-2e0-5d");
    assert_ne!(of("a-b"), of("a/b"));
}
