use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::machine::{at, job, name};
use crate::jitter;
use crate::job::JobName;
use crate::mark::ProcessEnd::{Exited, Signalled};
use crate::mark::{MARK_LEN_MAX, outcome};
use crate::state::{BEGUN_MAX, FILE_LEN_MAX, Running};
use crate::{Claim, Machine, Mark, Outcome, Output, Stage, State, StateError};

/// What the file looks like; `docs/design/schedule.md` shows the same.
const GOLDEN: &str = r#"{
  "format": 1,
  "seed": "0000000000000007",
  "running": {
    "job": "full",
    "occurrence": "2026-11-22T01:00:00Z",
    "attempt": 1,
    "began": "2026-11-22T01:10:00Z"
  },
  "jobs": [
    {
      "name": "daily",
      "cron": "0 2 * * *",
      "zone": "Europe/Berlin",
      "through": "2026-11-22T01:00:00Z",
      "owed": null,
      "begun": [
        "2026-11-22T01:00:00Z"
      ],
      "last": {
        "occurrence": "2026-11-22T01:00:00Z",
        "attempt": 1,
        "began": "2026-11-22T01:00:00Z",
        "ended": "2026-11-22T01:10:00Z",
        "outcome": {
          "exited": 1
        }
      }
    },
    {
      "name": "full",
      "cron": "0 2 * * SUN",
      "zone": "Europe/Berlin",
      "through": "2026-11-22T01:00:00Z",
      "owed": null,
      "begun": [
        "2026-11-22T01:00:00Z"
      ],
      "last": null
    }
  ]
}
"#;

fn golden() -> State {
    let jobs = vec![job("daily", "0 2 * * *"), job("full", "0 2 * * SUN")];
    let mut machine = Machine::new(jobs, State::new(7), None, at("2026-11-22T00:00:00Z"));
    machine.handle_deadline(at("2026-11-22T01:00:00Z"));
    machine.handle_ended(Outcome::Exited(1), at("2026-11-22T01:10:00Z"));
    machine.state().clone()
}

#[test]
fn the_file_is_the_documented_one() {
    assert_eq!(String::from_utf8(golden().to_bytes()).unwrap(), GOLDEN);
    assert_eq!(State::parse(GOLDEN.as_bytes()).unwrap(), golden());
    let document = include_str!("../../../../docs/design/schedule.md");
    let (_, rest) = document.split_once("```json\n").unwrap();
    assert_eq!(rest.split_once("```").unwrap().0, GOLDEN);
}

#[test]
fn every_outcome_reads_back() {
    for outcome in [Outcome::Exited(6), Outcome::Died(9), Outcome::Interrupted, Outcome::NotStarted]
    {
        let mut machine = Machine::new(
            vec![job("daily", "0 2 * * *")],
            State::new(7),
            None,
            at("2026-11-22T00:00:00Z"),
        );
        machine.handle_deadline(at("2026-11-22T01:00:00Z"));
        machine.handle_stop(at("2026-11-22T01:00:01Z"));
        machine.handle_ended(outcome, at("2026-11-22T01:10:00Z"));
        let state = machine.state();
        assert_eq!(&State::parse(&state.to_bytes()).unwrap(), state);
        assert_eq!(state.last(&JobName::new("daily").unwrap()).unwrap().outcome, outcome);
    }
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let newer = r#"{ "format": 2, "whatever": [] }"#;
    assert_eq!(State::parse(newer.as_bytes()), Err(StateError::Newer { found: 2 }));
}

#[track_caller]
fn damaged(text: &str, part: &str) {
    let error = State::parse(text.as_bytes()).unwrap_err();
    assert!(matches!(&error, StateError::Damaged { what } if what.contains(part)), "{error}");
}

#[test]
fn what_is_damaged_is_refused() {
    damaged("", "EOF");
    damaged(&GOLDEN[..GOLDEN.len() / 2], "EOF");
    damaged(&GOLDEN.replace("\"owed\": null,", "\"owed\": null, \"x\": 1,"), "unknown field");
    damaged(&GOLDEN.replace("\"name\": \"full\"", "\"name\": \"daily\""), "there twice");
    damaged(
        &GOLDEN.replace("\"through\": \"2026-11-22T01:00:00Z\"", "\"through\": \"soon\""),
        "no time",
    );
    damaged(&GOLDEN.replace("\"name\": \"full\"", "\"name\": \"../x\""), "cannot be called");
    damaged(&" ".repeat(FILE_LEN_MAX + 1), "longer than");
    let times = vec!["\"2026-11-22T01:00:00Z\""; BEGUN_MAX + 1].join(",");
    damaged(
        &GOLDEN.replacen("\"2026-11-22T01:00:00Z\"\n      ]", &format!("{times}]"), 1),
        "occurrences",
    );
    let format = GOLDEN.split_once("    {\n").unwrap().1.split_once("\n    },").unwrap().0;
    let many: Vec<String> = (0..33)
        .map(|number| format!("{{{}}}", format.replace("daily", &format!("j{number}"))))
        .collect();
    let many = format!(r#"{{"format":1,"seed":"0","running":null,"jobs":[{}]}}"#, many.join(","));
    damaged(&many, "more than 32 jobs");
}

#[test]
fn what_a_run_wrote_of_itself_decides_how_it_ended() {
    let claim = || Claim::parse("daily 2026-11-22T01:00:00Z 1").unwrap();
    let began = at("2026-11-22T01:00:00Z");
    let running = Running { job: name("daily"), occurrence: began, attempt: 1, began };
    let of = |stage, end, is_stopping| {
        let mark = Mark::new(claim(), stage);
        outcome(Some(&mark), &running, end, is_stopping)
    };
    for is_stopping in [false, true] {
        // It had come to its end, also where it was to be stopped.
        assert_eq!(of(Stage::Ended(1), Exited(1), is_stopping), Outcome::Exited(1));
        assert_eq!(of(Stage::Ended(0), Signalled(15), is_stopping), Outcome::Exited(0));
        // The mark is that of an earlier run, or there is none: it never began.
        let earlier = Claim::parse("daily 2026-11-21T01:00:00Z 1").unwrap();
        let earlier = Mark::new(earlier, Stage::Ended(0));
        for mark in [None, Some(&earlier)] {
            for end in [Exited(3), Signalled(15)] {
                assert_eq!(outcome(mark, &running, end, is_stopping), Outcome::NotStarted);
            }
        }
    }
    // Asked to end it may still pass, with a part of what it was to do.
    assert_eq!(of(Stage::Began, Exited(0), true), Outcome::Interrupted);
    assert_eq!(of(Stage::Began, Signalled(9), true), Outcome::Interrupted);
    assert_eq!(of(Stage::Began, Signalled(9), false), Outcome::Died(9));
    assert_eq!(of(Stage::Began, Exited(101), false), Outcome::Exited(101));
}

#[test]
fn a_mark_is_one_line() {
    let claim = Claim::parse("daily 2026-11-22T01:00:00Z 1").unwrap();
    for (stage, line) in [
        (Stage::Began, "daily 2026-11-22T01:00:00Z 1 began\n"),
        (Stage::Ended(6), "daily 2026-11-22T01:00:00Z 1 6\n"),
    ] {
        let mark = Mark::new(claim.clone(), stage);
        assert_eq!(mark.to_bytes(), line.as_bytes());
        assert_eq!(Mark::parse(line.as_bytes()), Some(mark));
        for len in 0..line.len() {
            assert_eq!(Mark::parse(&line.as_bytes()[..len]), None, "half a line says nothing");
        }
    }
    assert_eq!(Mark::parse(&[b'x'; MARK_LEN_MAX + 1]), None);
    assert_eq!(Claim::parse("daily 2026-11-22T01:00:00Z 1 2"), None);
}

#[test]
fn the_jitter_of_a_seed_stays_what_it_is() {
    let delay =
        |seed, job, occurrence| jitter::delay(seed, job, at(occurrence), Duration::from_mins(5));
    let found = [
        delay(7, "daily", "2026-11-22T01:00:00Z"),
        delay(7, "daily", "2026-11-23T01:00:00Z"),
        delay(7, "full", "2026-11-22T01:00:00Z"),
        delay(8, "daily", "2026-11-22T01:00:00Z"),
    ];
    assert_eq!(found.map(|delay| delay.as_millis()), [295_155, 167_586, 217_138, 76_905]);
}

proptest! {
    #[test]
    fn no_bytes_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..1000_usize) {
        State::parse(&bytes).unwrap_err();
        assert!(Mark::parse(&bytes).is_none_or(|mark| mark.to_bytes() == bytes));
        let mut text = GOLDEN.as_bytes().to_vec();
        let place = cut % text.len();
        text[place] ^= bytes.first().copied().unwrap_or(1);
        if let Ok(state) = State::parse(&text) {
            prop_assert_eq!(State::parse(&state.to_bytes()), Ok(state));
        }
    }

    #[test]
    fn jitter_stays_below_its_limit_and_before_the_next_occurrence(
        seed in any::<u64>(),
        second in 1_700_000_000_i64..1_900_000_000,
        minutes in 0_u64..3000,
        cron in prop::sample::select(vec!["0 2 * * *", "*/5 * * * *", "0 2 * * SUN", "30 2 * * *"]),
    ) {
        let mut job = job("daily", cron);
        job.jitter = Duration::from_mins(minutes);
        let occurrence = job.calendar.next_after(Timestamp::from_second(second).unwrap()).unwrap();
        let due = job.due(seed, occurrence);
        prop_assert!(due >= occurrence);
        prop_assert!(minutes == 0 || due < occurrence + jiff::SignedDuration::from_mins(i64::try_from(minutes).unwrap()));
        prop_assert!(due < job.calendar.next_after(occurrence).unwrap());
        prop_assert_eq!(due, job.due(seed, occurrence));
    }
}

#[test]
fn outputs_keep_what_they_say() {
    let jobs = vec![job("daily", "0 2 * * *")];
    let mut machine = Machine::new(jobs, State::new(7), None, at("2026-11-22T00:00:00Z"));
    machine.handle_deadline(at("2026-11-22T01:00:00Z"));
    let mut kept = None;
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Keep(state) => kept = State::parse(&state.to_bytes()).ok(),
            Output::Begin(begin) => {
                let running = kept.as_ref().and_then(|kept| kept.running().cloned()).unwrap();
                assert_eq!((running.job, running.occurrence), (begin.job, begin.occurrence));
            }
            Output::Tell(_) => {}
        }
    }
    assert!(kept.is_some_and(|kept| kept.running().is_some()));
}
