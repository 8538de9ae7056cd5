use std::collections::BTreeSet;

use handfast_scenario::event::{CallOutcome, DisturbanceState};
use handfast_scenario::verdict::Verdict;
use proptest::prelude::*;

use super::*;
use crate::class::{Around, classify};
use crate::fact::Folder;
use crate::repair;
use crate::sample::{Story, failed, infra, ok, peer, refused, role, unit};

fn other() -> UnitId {
    UnitId::new("meeting/other")
}

fn process(of: Owner) -> Process {
    Process { pid: 7, started_ticks: 9, name: "entity".to_owned(), of }
}

fn ended(unit: UnitId) -> Owner {
    Owner::Ended { unit }
}

/// A fault as a unit shows it, with the fact that proves it and the remedy.
type Shown = (InfraFault, Story, Verdict, Fact, Option<Remedy>);

fn shown() -> Vec<Shown> {
    [shown_by_places(), shown_by_builds(), shown_under_way()].concat()
}

fn absent(reason: &str) -> Verdict {
    Verdict::Absent { peer: peer("python"), reason: reason.to_owned(), allowed: false }
}

fn in_use() -> Story {
    Story::new().log("b", "OSError: [Errno 98] Address already in use")
}

fn not_started() -> Verdict {
    failed(
        "the peer of b did not start: initialize failed: it went away before it answered (exit code 1)",
    )
}

fn shown_by_places() -> Vec<Shown> {
    vec![
        (
            InfraFault::PortTaken,
            in_use(),
            not_started(),
            Fact::PortHeld { port: 80, by: process(Owner::Stranger) },
            Some(Remedy::LeavePort { port: 80 }),
        ),
        (
            InfraFault::LeakedPeer,
            in_use(),
            not_started(),
            Fact::PortHeld { port: 80, by: process(ended(other())) },
            Some(Remedy::EndProcess { process: process(ended(other())) }),
        ),
        (
            InfraFault::FullTemporary,
            Story::new(),
            infra("failed to make the folder of the unit: No space left on device (os error 28)"),
            Fact::RoomShort {
                folder: "t".to_owned(),
                free_bytes: 1,
                needed_bytes: 2,
                largest: Some(Folder { path: "t/old".to_owned(), bytes: 9, of: ended(other()) }),
            },
            Some(Remedy::RemoveFolder { folder: "t/old".to_owned() }),
        ),
        (
            InfraFault::StaleLock,
            Story::new(),
            absent("peer python did not build: the lock of the folder is held"),
            Fact::LockFound { file: "l".to_owned(), of: Owner::Platform, holder_lives: false },
            Some(Remedy::RemoveLock { file: "l".to_owned() }),
        ),
        (
            InfraFault::TornStore,
            Story::new(),
            infra("h.db is no history of handfast, or is damaged"),
            Fact::StoreTorn { store: "h.db".to_owned(), of: Owner::Platform },
            Some(Remedy::MoveStore { store: "h.db".to_owned() }),
        ),
        (
            InfraFault::DeadDatabase,
            Story::new(),
            infra("failed to use the history: connection refused"),
            Fact::DatabaseGone { place: "d".to_owned(), of: Owner::Platform },
            Some(Remedy::RestartDatabase { place: "d".to_owned() }),
        ),
    ]
}

fn shown_by_builds() -> Vec<Shown> {
    let python = || peer("python");
    let build = || Cache::Build { peer: python() };
    vec![
        (
            InfraFault::CorruptCache,
            Story::new(),
            absent("peer python did not build: `cargo` ended with exit code 101"),
            Fact::CacheDamaged { cache: build(), noted: "aa".to_owned(), found: "bb".to_owned() },
            Some(Remedy::Rebuild { cache: build() }),
        ),
        (
            InfraFault::MissingBinary,
            Story::new(),
            infra("the program \"target/entity\" could not be started: No such file or directory"),
            Fact::ProgramMissing {
                file: "target/entity".to_owned(),
                built_by: Some(peer("entity")),
            },
            Some(Remedy::Rebuild { cache: Cache::Build { peer: peer("entity") } }),
        ),
        (
            InfraFault::WedgedBuild,
            Story::new(),
            absent("peer python did not build: it was ended"),
            Fact::BuildSilent { peer: python(), silent_us: 9, limit_us: 9 },
            Some(Remedy::RestartBuild { peer: python() }),
        ),
    ]
}

fn shown_under_way() -> Vec<Shown> {
    let began = || Story::played().step("1");
    vec![
        (
            InfraFault::DeadNamespace,
            began()
                .call("a", CallOutcome::TimedOut)
                .step_failed("1", "a did not answer session.open"),
            failed("a did not answer session.open within 5s"),
            Fact::NamespaceGone { unit: unit() },
            Some(Remedy::RebuildNetwork { unit: unit() }),
        ),
        (
            InfraFault::KilledForMemory,
            began()
                .call("b", CallOutcome::Lost)
                .exited("b", Exit::OutOfMemory)
                .step_failed("1", "it went away"),
            failed("it went away before it answered (SIGKILL for want of memory)"),
            Fact::MemoryShort { role: role("b"), own_bytes: 1, share_bytes: 2 },
            Some(Remedy::RunAlone { unit: unit() }),
        ),
        (
            InfraFault::ClockJump,
            began(),
            Verdict::TimedOut { after_us: 1, during: "step 1".to_owned() },
            Fact::ClockJumped { by_us: -3_600_000_000, at_us: 1_000 },
            Some(Remedy::ReadClock { at_us: 1_000 }),
        ),
    ]
}

#[test]
fn each_fault_is_recognised_by_text_and_fact_and_has_one_remedy() {
    let shown = shown();
    assert!(InfraFault::ALL.iter().all(|fault| shown.iter().any(|(of, ..)| of == fault)));
    for (fault, story, verdict, fact, remedy) in shown {
        let failure = story.failure(verdict);
        let found = recognise(&failure, std::slice::from_ref(&fact));
        let found = found.unwrap_or_else(|| panic!("{fault}"));
        assert_eq!((found.fault, found.remedy, found.fact), (fault, remedy, fact));
    }
}

#[test]
fn a_text_without_a_fact_proves_nothing() {
    for (fault, story, verdict, ..) in shown() {
        assert_eq!(recognise(&story.failure(verdict), &[]), None, "{fault}");
    }
}

#[test]
fn a_fact_of_which_no_text_speaks_explains_nothing() {
    for (fault, _, _, fact, _) in shown() {
        let silent = Story::new().failure(infra("something else"));
        assert_eq!(recognise(&silent, &[fact]), None, "{fault}");
    }
}

#[test]
fn whatever_was_measured_an_answer_that_is_wrong_is_the_products() {
    for (fault, _, verdict, fact, _) in shown() {
        for outcome in [ok(), refused()] {
            let story = Story::played().step("1").call("b", outcome).exited("b", Exit::OutOfMemory);
            // The failure even speaks of the fault.
            let reason = verdict.reason();
            let failure = story.step_failed("1", &reason).failure(failed(&reason));
            assert_eq!(recognise(&failure, std::slice::from_ref(&fact)), None, "{fault}");
        }
    }
}

#[track_caller]
fn check_not(fault: InfraFault, fact: Fact) {
    let (_, story, verdict, ..) = shown().into_iter().find(|(of, ..)| *of == fault).unwrap();
    assert_eq!(recognise(&story.failure(verdict), &[fact]), None);
}

#[test]
fn what_the_failed_units_own_peers_can_bring_about_proves_nothing() {
    let own = Owner::Unit { unit: unit() };
    check_not(InfraFault::PortTaken, Fact::PortHeld { port: 80, by: process(own.clone()) });
    check_not(InfraFault::LeakedPeer, Fact::ProcessLeft { process: process(ended(unit())) });
    check_not(
        InfraFault::StaleLock,
        Fact::LockFound { file: "l".to_owned(), of: own.clone(), holder_lives: false },
    );
    let full = |of| Fact::RoomShort {
        folder: "t".to_owned(),
        free_bytes: 1,
        needed_bytes: 2,
        largest: Some(Folder { path: "t/x".to_owned(), bytes: 9, of }),
    };
    check_not(InfraFault::FullTemporary, full(own.clone()));
    check_not(InfraFault::FullTemporary, full(ended(unit())));
    check_not(InfraFault::TornStore, Fact::StoreTorn { store: "s".to_owned(), of: own.clone() });
    check_not(InfraFault::DeadDatabase, Fact::DatabaseGone { place: "d".to_owned(), of: own });
}

#[test]
fn a_measure_that_is_as_it_should_be_proves_nothing() {
    let cache = |peer_name| Cache::Build { peer: peer(peer_name) };
    check_not(
        InfraFault::StaleLock,
        Fact::LockFound { file: "l".to_owned(), of: Owner::Platform, holder_lives: true },
    );
    check_not(
        InfraFault::FullTemporary,
        Fact::RoomShort { folder: "t".to_owned(), free_bytes: 2, needed_bytes: 2, largest: None },
    );
    check_not(InfraFault::DeadNamespace, Fact::NamespaceGone { unit: other() });
    let damaged = |cache, found: &str| Fact::CacheDamaged {
        cache,
        noted: "aa".to_owned(),
        found: found.to_owned(),
    };
    check_not(InfraFault::CorruptCache, damaged(cache("python"), "aa"));
    check_not(InfraFault::CorruptCache, damaged(cache("another"), "bb"));
    check_not(InfraFault::ClockJump, Fact::ClockJumped { by_us: 999_999, at_us: 1_000 });
    check_not(InfraFault::ClockJump, Fact::ClockJumped { by_us: i64::MIN, at_us: 1_000_000 });
    check_not(
        InfraFault::WedgedBuild,
        Fact::BuildSilent { peer: peer("python"), silent_us: 8, limit_us: 9 },
    );
    check_not(
        InfraFault::KilledForMemory,
        Fact::MemoryShort { role: role("a"), own_bytes: 1, share_bytes: 2 },
    );
    // It has taken all that it may: a leak looks like that.
    check_not(
        InfraFault::KilledForMemory,
        Fact::MemoryShort { role: role("b"), own_bytes: 2, share_bytes: 2 },
    );
}

#[test]
fn memory_that_the_scenario_takes_away_is_no_fault_of_the_machine() {
    let fact = [Fact::MemoryShort { role: role("b"), own_bytes: 1, share_bytes: 2 }];
    let story = |state| {
        let story = Story::played().step("1").disturbed(DisturbanceState::Applied).disturbed(state);
        let story = story.call("b", CallOutcome::Lost).exited("b", Exit::OutOfMemory);
        story.step_failed("1", "gone").failure(failed("it was ended for want of memory"))
    };
    assert_eq!(recognise(&story(DisturbanceState::Applied), &fact), None);
    assert!(recognise(&story(DisturbanceState::Undone), &fact).is_some());
}

#[test]
fn what_belongs_to_somebody_else_is_left_to_people() {
    let (_, story, verdict, ..) = shown().remove(2);
    let failure = story.failure(verdict);
    let fact =
        Fact::RoomShort { folder: "t".to_owned(), free_bytes: 1, needed_bytes: 2, largest: None };
    let found = recognise(&failure, &[fact]).unwrap();
    assert_eq!((found.fault, found.remedy), (InfraFault::FullTemporary, None));
    let failure = Story::new().failure(infra("python3: No such file or directory"));
    let fact = Fact::ProgramMissing { file: "python3".to_owned(), built_by: None };
    let found = recognise(&failure, &[fact]).unwrap();
    assert_eq!((found.fault, found.remedy), (InfraFault::MissingBinary, None));
}

#[test]
fn a_remedy_reads_back_from_its_text() {
    for (.., remedy) in shown() {
        let text = serde_json::to_string(&remedy).unwrap();
        assert_eq!(serde_json::from_str::<Option<Remedy>>(&text).unwrap(), remedy);
    }
}

#[test]
fn of_what_keeps_a_peer_from_coming_up_again_only_the_port_is_not_its_own_doing() {
    let reason = "the peer of b did not start: initialize failed: it went away before it answered (exit code 3)";
    for (fault, story, _, fact, remedy) in [shown_by_places(), shown_by_builds()].concat() {
        let said = fault.signature()[0];
        let story = story.step("1").call("a", ok()).step("2").log("b", said);
        let story = story.exited("b", Exit::Code { code: 3 }).step_failed("2", reason);
        let failure = story.failure(failed(reason));
        let found = recognise(&failure, std::slice::from_ref(&fact));
        let is_ports = matches!(fault, InfraFault::PortTaken | InfraFault::LeakedPeer);
        let expected = remedy.filter(|_| is_ports);
        assert_eq!(found.and_then(|found| found.remedy), expected, "{fault}");
    }
}

/// A failure of a peer that lives and answers, with every text that speaks of a fault and every fact that was ever measured.
fn product_defects() -> impl Strategy<Value = (Story, Verdict, Vec<Fact>)> {
    let outcome = prop_oneof![Just(ok()), Just(refused()), Just(CallOutcome::Unsupported)];
    let text = prop::sample::select(
        InfraFault::ALL.iter().flat_map(|fault| fault.signature()).copied().collect::<Vec<_>>(),
    );
    let facts: Vec<Fact> = shown().into_iter().map(|(_, _, _, fact, _)| fact).collect();
    let facts = prop::sample::subsequence(facts, 0..=12);
    let how = prop::option::of(prop::sample::select(vec![
        Exit::OutOfMemory,
        Exit::Code { code: 1 },
        Exit::Signal { signal: 9 },
    ]));
    (outcome, text, facts, how, any::<bool>()).prop_map(|(outcome, text, facts, how, is_silent)| {
        let mut story = Story::played().log("b", text).step("1").call("b", outcome);
        if is_silent {
            story = story.call("a", CallOutcome::TimedOut);
        }
        if let Some(how) = how {
            story = story.exited("b", how);
        }
        (story.step_failed("1", text), failed(text), facts)
    })
}

proptest! {
    #[test]
    fn no_defect_of_a_peer_that_answered_is_taken_for_a_fault((story, verdict, facts) in product_defects()) {
        prop_assert_eq!(recognise(&story.failure(verdict), &facts), None);
    }

    #[test]
    fn a_round_of_faults_and_defects_runs_again_what_the_faults_hit_and_nothing_else(
        faults in prop::collection::vec(0_usize..12, 0..20),
        defects in prop::collection::vec(product_defects(), 0..10),
    ) {
        let shown = shown();
        let mut round = Vec::new();
        let mut hit = BTreeSet::new();
        for at in faults {
            let (_, story, verdict, fact, _) = shown[at].clone();
            hit.insert(UnitId::new(round.len().to_string()));
            round.push((story.failure(verdict), vec![fact]));
        }
        for (story, verdict, facts) in defects {
            round.push((story.failure(verdict), facts));
        }
        let told = round.into_iter().enumerate().map(|(at, (failure, facts))| {
            let classified = classify(&failure, Around { facts: &facts, ..Around::default() });
            // Each was told of the same unit; only here they get names of their own.
            let subject = Subject::Unit(UnitId::new(at.to_string()));
            (Failure { subject, ..failure }, classified)
        });
        let told: Vec<_> = told.collect();
        let repairs = repair::plan(told.iter().map(|(failure, classified)| (failure, classified)));
        let again: BTreeSet<UnitId> =
            repairs.repairs.into_iter().flat_map(|repair| repair.again).collect();
        prop_assert_eq!(again, hit);
        prop_assert_eq!(repairs.left, []);
    }
}
