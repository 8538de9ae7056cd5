use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fact::Cache;
use crate::sample::{Story, infra, peer};

fn failure(unit: &str) -> Failure {
    let failure = Story::new().failure(infra("x"));
    Failure { subject: Subject::Unit(UnitId::new(unit)), ..failure }
}

fn classified(class: Class, remedy: Option<Remedy>) -> Classified {
    Classified { class, evidence: Vec::new(), remedy }
}

fn fault(fault: InfraFault, remedy: Option<Remedy>) -> Classified {
    classified(Class::Infra { fault: Some(fault) }, remedy)
}

fn rebuild(name: &str) -> Remedy {
    Remedy::Rebuild { cache: Cache::Build { peer: peer(name) } }
}

fn units(names: &[&str]) -> BTreeSet<UnitId> {
    names.iter().map(|name| UnitId::new(*name)).collect()
}

#[test]
fn what_hit_many_is_repaired_once_and_only_they_run_again() {
    let corrupt = InfraFault::CorruptCache;
    let round = [
        (failure("a"), fault(corrupt, Some(rebuild("python")))),
        (failure("b"), fault(corrupt, Some(rebuild("entity")))),
        (failure("c"), fault(corrupt, Some(rebuild("python")))),
        (failure("d"), classified(Class::Product, None)),
        (failure("e"), classified(Class::Flaky, None)),
        (failure("f"), classified(Class::Known { rule: "r".to_owned() }, None)),
        (failure("g"), classified(Class::Infra { fault: None }, None)),
        (failure("h"), fault(InfraFault::FullTemporary, None)),
    ];
    let expected = Repairs {
        repairs: vec![
            Repair { fault: corrupt, remedy: rebuild("entity"), again: units(&["b"]) },
            Repair { fault: corrupt, remedy: rebuild("python"), again: units(&["a", "c"]) },
        ],
        left: vec![(UnitId::new("h"), InfraFault::FullTemporary)],
    };
    assert_eq!(plan(round.iter().map(|(failure, classified)| (failure, classified))), expected);
    assert_eq!(plan([]), Repairs::default());
}

fn any_class() -> impl Strategy<Value = Classified> {
    let faults = (prop::sample::select(InfraFault::ALL.to_vec()), prop::option::of(0_u16..4));
    prop_oneof![
        Just(classified(Class::Product, None)),
        Just(classified(Class::Flaky, None)),
        Just(classified(Class::Infra { fault: None }, None)),
        faults.prop_map(|(of, port)| fault(of, port.map(|port| Remedy::LeavePort { port }))),
    ]
}

proptest! {
    #[test]
    fn each_unit_that_runs_again_failed_by_a_proved_fault_and_stands_in_one_repair(
        classes in prop::collection::vec(any_class(), 0..40),
    ) {
        let round: Vec<(Failure, Classified)> =
            classes.into_iter().enumerate().map(|(at, class)| (failure(&at.to_string()), class)).collect();
        let repairs = plan(round.iter().map(|(failure, classified)| (failure, classified)));
        let mut again: Vec<&UnitId> = repairs.repairs.iter().flat_map(|repair| &repair.again).collect();
        again.sort();
        let mut expected: Vec<UnitId> = Vec::new();
        for (failure, classified) in &round {
            if let (Subject::Unit(unit), Some(_)) = (&failure.subject, &classified.remedy) {
                expected.push(unit.clone());
            }
        }
        expected.sort();
        prop_assert_eq!(again, expected.iter().collect::<Vec<_>>());
        let remedies: BTreeSet<_> =
            repairs.repairs.iter().map(|repair| (repair.fault, &repair.remedy)).collect();
        prop_assert_eq!(remedies.len(), repairs.repairs.len());
    }
}
