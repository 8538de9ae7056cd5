use serde_json::json;

use super::*;

fn network() -> Disturbance {
    let change = serde_json::from_value(json!({"loss": 0.2, "delay": "50ms"})).unwrap();
    Disturbance {
        name: "rain".to_owned(),
        when: When::At(Duration::from_millis(1_200)),
        lasts: Some(Duration::from_secs(3)),
        what: What::Network { from: "a".to_owned(), to: "b".to_owned(), both: true, change },
    }
}

#[test]
fn the_text_of_disturbances_is_for_ever() {
    let cue = Cue::Message {
        from: "a".to_owned(),
        to: "b".to_owned(),
        message_type: Some("chunk".to_owned()),
        nth: 3,
    };
    let kill = Disturbance {
        name: "kill".to_owned(),
        when: When::On { cue, after: Duration::from_millis(10) },
        lasts: None,
        what: What::Kill { role: "b".to_owned() },
    };
    let limit = Disturbance {
        what: What::Limit { role: "b".to_owned(), what: Limit::Memory { bytes: 64 << 20 } },
        ..kill.clone()
    };
    for (disturbance, text) in [
        (
            network(),
            r#"{"name":"rain","when":{"at":"1200ms"},"lasts":"3s","what":{"network":{"from":"a","to":"b","both":true,"change":{"delay":"50ms","loss":0.2}}}}"#,
        ),
        (
            kill,
            r#"{"name":"kill","when":{"on":{"cue":{"message":{"from":"a","to":"b","message_type":"chunk","nth":3}},"after":"10ms"}},"what":{"kill":{"role":"b"}}}"#,
        ),
        (
            limit,
            r#"{"name":"kill","when":{"on":{"cue":{"message":{"from":"a","to":"b","message_type":"chunk","nth":3}},"after":"10ms"}},"what":{"limit":{"role":"b","what":{"memory":{"bytes":67108864}}}}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&disturbance).unwrap(), text);
        assert_eq!(serde_json::from_str::<Disturbance>(text).unwrap(), disturbance);
    }
}

#[test]
fn people_read_a_disturbance_in_one_line() {
    let every = Duration::from_millis(500);
    let role = || "b".to_owned();
    let (from, to) = ("a".to_owned(), "b".to_owned());
    for (what, text) in [
        (network().what, "a <-> b: delay 50ms, loss 20.00 %"),
        (What::Cut { from, to, both: false, how: Cut::Silent }, "a -> b: cut silently"),
        (What::Kill { role: role() }, "b is killed"),
        (What::Pause { role: role() }, "b stands still"),
        (What::CrashLoop { role: role(), times: 3, every }, "b is killed 3 times, every 500ms"),
        (What::Clock { role: role(), offset_ms: -90_000 }, "the clock of b is off by -90000 ms"),
        (
            What::Limit { role: role(), what: Limit::DiskSlow { bytes_per_s: 65_536 } },
            "b has a disk of 64KiB/s",
        ),
    ] {
        assert_eq!(what.to_string(), text);
    }
    assert_eq!(network().to_string(), "a <-> b: delay 50ms, loss 20.00 %, for 3s");
}

#[test]
fn a_change_is_of_the_directions_that_it_is_about() {
    let both = network().what;
    assert!(both.change_of("a", "b").is_some() && both.change_of("b", "a").is_some());
    assert_eq!(both.change_of("a", "c"), None);
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let one_way = What::Cut { from, to, both: false, how: Cut::Reset };
    assert_eq!(one_way.change_of("a", "b"), Some(ConditionsPatch::cut(Cut::Reset)));
    assert_eq!(one_way.change_of("b", "a"), None);
    assert_eq!(What::Kill { role: "b".to_owned() }.change_of("a", "b"), None);
    assert_eq!(both.roles(), ["a", "b"]);
}
