use super::*;

fn started(format: u32) -> Recorded {
    Recorded {
        at_us: 0,
        event: RunEvent::RunStarted {
            format,
            run: "r1".to_owned(),
            handfast: "0.1.0".to_owned(),
            command: vec!["handfast".to_owned(), "run".to_owned()],
            seed: 7,
            started_unix_us: 1,
            units: 1,
            suites: 0,
            shard: None,
        },
    }
}

fn ended() -> Recorded {
    let unit = UnitId::new("meeting/x [a=entity, b=entity]");
    let verdict = Verdict::Failed { reason: "no session".to_owned() };
    Recorded { at_us: 9, event: RunEvent::UnitEnded { unit, verdict, duration_us: 8, cpu_us: 7 } }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let events = vec![started(FORMAT), ended()];
    let text: String = events.iter().map(Recorded::to_line).collect();
    assert_eq!(read_record(&text).unwrap(), events);
}

#[test]
fn the_line_of_an_event_is_pinned() {
    let expected = concat!(
        r#"{"at_us":9,"event":{"kind":"unit_ended","unit":"meeting/x [a=entity, b=entity]","#,
        r#""verdict":{"verdict":"failed","reason":"no session"},"duration_us":8,"cpu_us":7}}"#,
        "\n"
    );
    assert_eq!(ended().to_line(), expected);
}

#[test]
fn the_lines_of_shards_are_pinned() {
    let shard: Shard = "2/4".parse().unwrap();
    let mark = ShardMark { shard, partition: "ab".to_owned(), pieces: 9 };
    let mut first = started(FORMAT);
    if let RunEvent::RunStarted { shard, .. } = &mut first.event {
        *shard = Some(mark);
    }
    let expected = concat!(
        r#"{"at_us":0,"event":{"kind":"run_started","format":6,"run":"r1","handfast":"0.1.0","#,
        r#""command":["handfast","run"],"seed":7,"started_unix_us":1,"units":1,"suites":0,"#,
        r#""shard":{"shard":"2/4","partition":"ab","pieces":9}}}"#,
        "\n"
    );
    assert_eq!(first.to_line(), expected);
    let line = ShardLine {
        shard: Some(shard),
        run: "r1".to_owned(),
        folder: "shards/2".to_owned(),
        units: 3,
        suites: 1,
        seed: 7,
        exit: Some(ExitCode::Passed),
        duration_us: 5,
    };
    let (faults, notes) = (vec!["f".to_owned()], vec!["n".to_owned()]);
    let merged =
        Recorded { at_us: 0, event: RunEvent::ShardsMerged { shards: vec![line], faults, notes } };
    let expected = concat!(
        r#"{"at_us":0,"event":{"kind":"shards_merged","shards":[{"shard":"2/4","run":"r1","#,
        r#""folder":"shards/2","units":3,"suites":1,"seed":7,"exit":"passed","duration_us":5}],"#,
        r#""faults":["f"],"notes":["n"]}}"#,
        "\n"
    );
    assert_eq!(merged.to_line(), expected);
    let text = first.to_line() + &merged.to_line();
    assert_eq!(read_record(&text).unwrap(), [first, merged]);
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    assert_eq!(read_record(text).unwrap_err().to_string(), expected);
}

#[test]
fn a_record_of_another_format_is_refused() {
    check_refused(
        &started(FORMAT + 1).to_line(),
        &format!("the record has format {}, this handfast reads format {FORMAT}", FORMAT + 1),
    );
}

#[test]
fn a_record_without_its_first_line_is_refused() {
    check_refused(&ended().to_line(), "the record does not begin with run_started");
    check_refused("", "the record does not begin with run_started");
}

#[test]
fn a_line_that_is_no_event_is_named() {
    let text = started(FORMAT).to_line() + "{}\n";
    check_refused(&text, "line 2 of the record is not an event");
}

#[test]
fn long_bodies_are_cut_and_say_so() {
    let whole = WireBytes::of(&vec![7; WIRE_BYTES_MAX]);
    assert!(!whole.is_truncated());
    let cut = WireBytes::of(&vec![7; WIRE_BYTES_MAX + 1]);
    assert!(cut.is_truncated());
    assert_eq!(cut.bytes().unwrap().len(), WIRE_BYTES_MAX);
    assert_eq!(cut.len, WIRE_BYTES_MAX as u64 + 1);
}

#[test]
fn a_body_of_which_a_part_is_known_says_so() {
    for (len, known, is_truncated) in
        [(0, "", false), (1, "x", false), (2, "xy", false), (3, "xyz", false), (4, "xyz", true)]
    {
        let bytes = WireBytes::part_of(len, known.as_bytes());
        assert_eq!(bytes.is_truncated(), is_truncated, "{len}");
        assert_eq!(bytes.bytes().unwrap(), known.as_bytes());
    }
}
