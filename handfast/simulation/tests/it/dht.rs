//! Very many nodes of the distributed hash table, in short forms: `handfast simulate dht` runs the long ones.

use std::time::Duration;

use entity_crypto::signing::SigningKey;
use entity_dht::{Config, Judge as _};
use entity_wire::json::Object;
use entity_wire::payload::dht::{Record, RecordKind, RecordName, RecordVersion, Terms};
use entity_wire::time::Timestamp;
use handfast_simulation::dht::judge::Modelled;
use handfast_simulation::dht::plan::Defect;
use handfast_simulation::dht::{Course, Plan};

/// Smaller where the code is not optimised: the suite `optimised` runs it as it is released.
fn size() -> usize {
    if cfg!(debug_assertions) { 300 } else { 2_000 }
}

fn settled(seed: u64) -> Plan {
    let minutes = Duration::from_mins(10);
    let lookups = size() / 2;
    let lifetime = Some(Duration::from_hours(1));
    Plan { lookups, records: 50, span: minutes, lifetime, ..Plan::settled(seed, size()) }
}

#[test]
fn with_a_fifth_dead_and_churn_999_lookups_of_1000_find_what_they_have_to() {
    let report = Course::run(settled(1));
    assert!(report.ended + report.cut_off >= size() / 2 - 1, "{report}");
    assert!(report.success() >= 0.999, "{report}");
    assert!(report.ever > size() * 5 / 4, "nodes died, and others joined: {report}");
    // Theory is for complete tables; dead contacts and lost messages cost more, but not much.
    assert!(report.questions_mean() < 1.5 * report.questions_theory(), "{report}");
    assert!(report.hops_mean() < report.hops_theory() + 2.0, "{report}");
}

#[test]
fn a_network_that_grew_through_joins_finds_999_of_1000() {
    let nodes = size() / 2;
    let plan = Plan { lookups: 2_000, records: 20, ..Plan::grown(2, nodes) };
    let report = Course::run(Plan { span: Duration::from_mins(5), ..plan });
    assert_eq!(report.ended, 2_000, "{report}");
    assert!(report.success() >= 0.999, "{report}");
    assert_eq!((report.alive, report.published), (nodes, 30), "{report}");
}

#[test]
fn the_same_seed_makes_the_same_history_and_another_seed_another() {
    let short = |seed| {
        let plan = Plan { lookups: 40, records: 10, ..settled(seed) };
        Course::run(Plan { nodes: 120, ..plan })
    };
    assert_eq!(short(5), short(5));
    assert_ne!(short(5).fingerprint, short(6).fingerprint);
}

/// What shows that the runs above can fail.
#[test]
fn a_table_that_asks_one_node_only_does_not_pass() {
    let config = Config { k: 1, alpha: 1, paths: 1, ..settled(1).config };
    let report = Course::run(Plan { config, ..settled(1) });
    assert!(report.success() < 0.9, "{report}");
}

#[test]
fn a_stale_record_that_wins_is_found() {
    let report = Course::run(Plan { defect: Some(Defect::StaleWins), ..settled(1) });
    // Half of the names get a second version, and half of the lookups are for records.
    assert!(report.success() < 0.999, "{report}");
    let sound = Course::run(settled(1));
    assert!(sound.success() >= 0.999 && sound.published == report.published, "{sound}");
}

#[test]
fn a_modelled_signature_is_of_one_record_and_one_world() {
    let record = |version| {
        let terms = Terms {
            kind: RecordKind::Capability,
            name: RecordName::of_capability("x").unwrap(),
            owner: SigningKey::from_seed([1; 32]).public_key(),
            value: Object::new(),
            version: RecordVersion::new(version).unwrap(),
            issued_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH.plus(Duration::from_secs(1)),
        };
        Record::new(terms).unwrap()
    };
    let (one, other) = (Modelled::new([1; 32]), Modelled::new([2; 32]));
    let signed = one.sign(record(1));
    assert!(one.is_genuine(&signed) && !other.is_genuine(&signed));
    let mut changed = signed;
    changed.record = record(2);
    assert!(!one.is_genuine(&changed));
}
