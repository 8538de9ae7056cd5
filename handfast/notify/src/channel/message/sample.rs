//! Letters for tests.

use handfast_scenario::event::Summary;

use crate::letter::{
    Class, Counts, Death, Failure, Incident, Key, Kind, Letter, Mention, Owner, State,
};

pub(in crate::channel) fn incident() -> Incident {
    Incident {
        project: "demo".to_owned(),
        subject: "daily".to_owned(),
        class: Class::Product,
        state: State::Open,
        opened_unix_us: 1_795_312_800_000_000,
        seen_unix_us: 1_795_320_060_000_000,
        runs: 1,
        run: "2026-11-22T02-00-00Z-7".to_owned(),
        over: true,
        exit_code: Some(1),
        command: ["handfast", "run", "token/pay", "--notify=daily", "--seed", "7"]
            .map(str::to_owned)
            .to_vec(),
        counts: Counts {
            done: 120,
            total: 120,
            summary: Summary { passed: 117, failed: 2, timed_out: 1, ..Summary::default() },
        },
        failures: vec![
            Failure {
                unit: "token/pay[version=1.1]".to_owned(),
                category: "token".to_owned(),
                peers: vec!["entity".to_owned(), "reference10".to_owned()],
                reason: "step 3: balance of \"bob\" is 5, expected 7".to_owned(),
                owner: Some(Owner {
                    who: Some("payments team".to_owned()),
                    slack: Some("@S0PAY".to_owned()),
                }),
            },
            Failure {
                unit: "message/order".to_owned(),
                category: "message".to_owned(),
                peers: Vec::new(),
                reason: "message 4 came before message 3".to_owned(),
                owner: None,
            },
        ],
        failures_more: 1,
        link: Some("https://ci.example.com/runs/7?a=1&b=2".to_owned()),
        record: ".handfast/runs/7".to_owned(),
        died: None,
    }
}

pub(in crate::channel) fn letter(kind: Kind) -> Letter {
    Letter {
        key: Key::new("demo:daily:product:1:post").unwrap(),
        kind,
        incident: incident(),
        mention: Mention::Loud,
        reference: None,
        unsure: false,
    }
}

pub(in crate::channel) fn died() -> Letter {
    let mut letter = letter(Kind::Post);
    letter.incident.class = Class::Infra;
    letter.incident.over = false;
    letter.incident.exit_code = None;
    letter.incident.failures.clear();
    letter.incident.failures_more = 0;
    letter.incident.counts.done = 40;
    letter.incident.counts.summary = Summary { passed: 40, ..Summary::default() };
    letter.incident.died = Some(Death {
        noticed_unix_us: 1_795_312_900_000_000,
        unit: Some("session/rekey".to_owned()),
    });
    letter
}

/// A letter in which every text is `text` and every list is full.
pub(in crate::channel) fn full_of(text: &str, kind: Kind) -> Letter {
    let failure = Failure {
        unit: text.to_owned(),
        category: text.to_owned(),
        peers: vec![text.to_owned(); 9],
        reason: text.to_owned(),
        owner: Some(Owner { who: Some(text.to_owned()), slack: Some(text.to_owned()) }),
    };
    let mut letter = letter(kind);
    let incident = &mut letter.incident;
    for field in
        [&mut incident.project, &mut incident.subject, &mut incident.run, &mut incident.record]
    {
        text.clone_into(field);
    }
    incident.command = vec![text.to_owned(); 9];
    incident.link = Some(text.to_owned());
    incident.failures = vec![failure; Incident::FAILURES_MAX + 5];
    incident.failures_more = u64::MAX / 2;
    incident.died = Some(Death { noticed_unix_us: i64::MAX, unit: Some(text.to_owned()) });
    letter
}
