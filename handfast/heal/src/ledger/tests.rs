use std::error::Error as _;

use handfast_scenario::event::Exit;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::VerdictKind;
use proptest::prelude::*;

use super::*;
use crate::class::Watched;
use crate::fact::{Fact, Owner, Process};
use crate::sample::role;

fn process() -> Process {
    let of = Owner::Ended { unit: UnitId::new("meeting/y") };
    Process { pid: 7, started_ticks: 9, name: "entity".to_owned(), of }
}

fn healed() -> Entry {
    Entry {
        at_unix_us: 1_795_464_000_000_000,
        run: "r1".to_owned(),
        failed: "meeting/x".to_owned(),
        reason: "the peer of b did not start".to_owned(),
        class: Class::Infra { fault: Some(InfraFault::LeakedPeer) },
        evidence: vec![
            Evidence::Measured { fact: Fact::PortHeld { port: 80, by: process() }, proves: true },
            Evidence::Said {
                by: "stderr of b".to_owned(),
                text: "Address already in use".to_owned(),
            },
            Evidence::Verdict {
                verdict: VerdictKind::Failed,
                reason: "the peer of b did not start".to_owned(),
            },
            Evidence::Exited { role: role("b"), how: Exit::Code { code: 1 } },
            Evidence::Watched { state: Watched::Healthy },
        ],
        act: Act::Repaired { remedy: Remedy::EndProcess { process: process() } },
        outcome: Outcome::Healed,
        cost_us: 1_200_000,
    }
}

fn plain(failed: &str, class: Class, act: Act, outcome: Outcome) -> Entry {
    Entry { failed: failed.to_owned(), class, act, outcome, evidence: Vec::new(), ..healed() }
}

#[test]
fn the_lines_of_a_ledger_are_pinned() {
    assert_eq!(head_line(), "{\"ledger\":\"handfast healings\",\"format\":1}\n");
    let expected = concat!(
        r#"{"at_unix_us":1795464000000000,"run":"r1","failed":"meeting/x","reason":"the peer of b did not start","#,
        r#""class":{"class":"infra","fault":"leaked_peer"},"evidence":["#,
        r#"{"seen":"measured","fact":{"fact":"port_held","port":80,"by":{"pid":7,"started_ticks":9,"name":"entity","of":{"owner":"ended","unit":"meeting/y"}}},"proves":true},"#,
        r#"{"seen":"said","by":"stderr of b","text":"Address already in use"},"#,
        r#"{"seen":"verdict","verdict":"failed","reason":"the peer of b did not start"},"#,
        r#"{"seen":"exited","role":"b","how":{"how":"code","code":1}},"#,
        r#"{"seen":"watched","state":"healthy"}],"#,
        r#""act":{"act":"repaired","remedy":{"remedy":"end_process","process":{"pid":7,"started_ticks":9,"name":"entity","of":{"owner":"ended","unit":"meeting/y"}}}},"#,
        r#""outcome":"healed","cost_us":1200000}"#,
        "\n"
    );
    assert_eq!(healed().to_line(), expected);
    let left = Act::Left { why: "the run has had its 10 repairs".to_owned() };
    let line = plain("cargo/a", Class::Product, left, Outcome::Stands).to_line();
    assert!(line.contains(r#""class":{"class":"product"},"evidence":[],"act":{"act":"left","why":"the run has had its 10 repairs"},"outcome":"stands""#), "{line}");
}

#[test]
fn a_line_cut_by_the_end_of_its_writer_is_left_out() {
    let text = head_line() + &healed().to_line() + &healed().to_line();
    assert_eq!(read("l", &text).unwrap().len(), 2);
    for end in head_line().len() + 1..text.len() {
        let whole = usize::from(end >= head_line().len() + healed().to_line().len());
        assert_eq!(read("l", &text[..end]).unwrap().len(), whole, "{end}");
    }
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = read("heal.jsonl", text).unwrap_err();
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn what_is_no_ledger_is_refused_with_its_line() {
    check_refused("", "heal.jsonl:1: this is no ledger");
    check_refused("{\"ledger\":\"another\",\"format\":1}\n", "heal.jsonl:1: this is no ledger");
    check_refused(&head_line().replace(":1", ":2"), "heal.jsonl:1: the ledger has format 2");
    let text = head_line() + &healed().to_line() + "{}\n";
    check_refused(&text, "heal.jsonl:3: this is no entry");
    assert!(read("l", &text).unwrap_err().source().is_some());
}

#[test]
fn what_is_too_long_is_cut() {
    let evidence = vec![Evidence::PassedAgain; EVIDENCE_MAX + 1];
    let reason = "é".repeat(REASON_LEN_MAX);
    let line = Entry { reason, evidence, ..healed() }.to_line();
    let entries = read("l", &(head_line() + &line)).unwrap();
    assert_eq!(
        (entries[0].evidence.len(), entries[0].reason.len()),
        (EVIDENCE_MAX, REASON_LEN_MAX)
    );
}

#[test]
fn the_summary_names_what_was_done_and_what_it_cost() {
    let issue = || "https://example.org/7".to_owned();
    let known = Class::Known { rule: "late".to_owned() };
    let entries = [
        healed(),
        plain("token/pay", Class::Flaky, Act::Retried, Outcome::Flaky),
        plain("token/late", known, Act::Marked { issue: issue() }, Outcome::Stands),
        Entry { run: "r2".to_owned(), ..healed() },
    ];
    let summary = Summary::of("r1", &entries);
    let expected = "healing: 1 healed, 1 flaky, 1 stands; 3.6 s\n\
        \x20 healed        meeting/x   infra: leaked peer: end the process entity (7)\n\
        \x20 flaky         token/pay   flaky: run again\n\
        \x20 stands        token/late  known: late: marked as known, https://example.org/7\n";
    assert_eq!(summary.to_string(), expected);
    assert_eq!((summary.cost(), summary.run()), (Duration::from_millis(3_600), "r1"));
    assert!(summary.has_softened());
    let left = Act::Left { why: "product".to_owned() };
    let stands = [plain("x", Class::Product, left, Outcome::Stands)];
    assert!(!Summary::of("r1", &stands).has_softened());
    assert_eq!(Summary::of("r3", &entries).to_string(), "");
}

#[test]
fn a_summary_names_so_many_and_counts_the_rest() {
    let entries = vec![healed(); Summary::NAMED_MAX + 3];
    let shown = Summary::of("r1", &entries).to_string();
    assert_eq!(shown.lines().count(), Summary::NAMED_MAX + 2);
    assert!(shown.ends_with("  and 3 more: see the ledger\n"), "{shown}");
}

#[test]
fn a_run_heals_so_often_and_so_long_and_no_more() {
    let limits = Limits { acts_max: 3, acts_of_fault_max: 2, time_max: Duration::from_secs(5) };
    let mut budget = Budget::new(limits);
    let (port, lock) = (InfraFault::PortTaken, InfraFault::StaleLock);
    assert_eq!([budget.take(port), budget.take(port)], [Ok(()), Ok(())]);
    let error = budget.take(port).unwrap_err();
    assert_eq!(error, Spent::Fault { fault: port, acts_max: 2 });
    assert_eq!(
        error.to_string(),
        "port taken was repaired 2 times in this run already, and came back"
    );
    assert_eq!(budget.take(lock), Ok(()));
    assert_eq!(budget.take(lock), Err(Spent::Acts { acts_max: 3 }));
    let mut budget = Budget::new(limits);
    budget.spend(Duration::from_secs(4));
    assert_eq!(budget.take(lock), Ok(()));
    budget.spend(Duration::from_secs(1));
    let error = budget.take(lock).unwrap_err();
    assert_eq!(error.to_string(), "repairs have taken the 5 s that a run has for them");
    assert_eq!(budget.spent(), (1, Duration::from_secs(5)));
}

fn entries() -> impl Strategy<Value = Entry> {
    let class = prop_oneof![
        Just(Class::Product),
        Just(Class::Flaky),
        prop::option::of(prop::sample::select(InfraFault::ALL.to_vec()))
            .prop_map(|fault| Class::Infra { fault }),
        "[a-z]{1,8}".prop_map(|rule| Class::Known { rule }),
    ];
    let act = prop_oneof![
        Just(Act::Retried),
        any::<String>().prop_map(|issue| Act::Marked { issue }),
        any::<String>().prop_map(|issue| Act::Skipped { issue }),
        any::<String>().prop_map(|issue| Act::Quarantined { issue }),
        any::<String>().prop_map(|why| Act::Left { why }),
        any::<u16>().prop_map(|port| Act::Repaired { remedy: Remedy::LeavePort { port } }),
    ];
    let outcome = prop::sample::select(vec![
        Outcome::Healed,
        Outcome::Flaky,
        Outcome::FailedAgain,
        Outcome::NotRepaired,
        Outcome::Stands,
    ]);
    (any::<(i64, u64)>(), any::<String>(), any::<String>(), class, act, outcome).prop_map(
        |((at_unix_us, cost_us), failed, reason, class, act, outcome)| Entry {
            at_unix_us,
            failed,
            reason,
            class,
            act,
            outcome,
            cost_us,
            ..healed()
        },
    )
}

proptest! {
    #[test]
    fn a_ledger_reads_back_as_it_was_written(entries in prop::collection::vec(entries(), 0..8)) {
        let lines: String = entries.iter().map(Entry::to_line).collect();
        prop_assert_eq!(read("l", &(head_line() + &lines)).unwrap(), entries);
    }

    #[test]
    fn a_ledger_that_nobody_meant_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        piece in any::<String>(),
    ) {
        let mut text = head_line() + &healed().to_line();
        text.insert_str(at.index(text.len()), &piece);
        if let Ok(entries) = read("l", &text) {
            prop_assert!(entries.len() <= 1 + piece.lines().count());
        }
    }
}
