use handfast_scenario::name::SuiteName;
use handfast_scenario::plan::UnitId;
use proptest::prelude::*;

use super::*;

fn plan() -> ShardPlan {
    let unit = |id: &str, us, is_guess| Load { piece: Piece::Unit(UnitId::new(id)), us, is_guess };
    let suite =
        Load { piece: Piece::Suite(SuiteName::new("cargo").unwrap()), us: 90, is_guess: false };
    let loads = vec![unit("meeting/x[version=1.1]", 40, false), suite, unit("y (a=p)", 40, true)];
    ShardPlan {
        command: vec!["handfast".to_owned(), "shards".to_owned()],
        within_us: 100,
        partition: Partition::within(loads, 100, 20),
    }
}

const GOLDEN: &str = include_str!("../../tests/data/shard-plan.json");

#[test]
fn the_bytes_of_a_plan_are_pinned() {
    assert_eq!(plan().to_text().unwrap(), GOLDEN);
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    assert_eq!(ShardPlan::parse(GOLDEN).unwrap(), plan());
}

#[track_caller]
fn check_refused(from: &str, to: &str, part: &str) {
    assert!(GOLDEN.contains(from), "{from:?} is not in the plan");
    let error = ShardPlan::parse(&GOLDEN.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_plan_that_was_changed_is_refused() {
    check_refused("\"cargo\"", "\"nextest\"", "changed after it was made");
    check_refused("meeting/x", "meeting/z", "changed after it was made");
    check_refused("y (a=p)", "meeting/x[version=1.1]", "is in it twice");
}

#[test]
fn what_is_no_plan_is_refused_with_the_place() {
    check_refused("\"format\": 1", "\"format\": 2", "format 2, this handfast reads format 1");
    check_refused("handfast shard plan", "a letter", "but \"a letter\"");
    check_refused("\"1/2\"", "\"2/2\"", "where shard 1/2 should stand there is 2/2");
    check_refused("\"1/2\"", "\"1/3\"", "where shard 1/2 should stand there is 1/3");
    check_refused("\"1/2\"", "\"0/2\"", "line ");
    check_refused("\"within_us\"", "\"within\"", "unknown field");
    assert!(ShardPlan::parse("").unwrap_err().to_string().starts_with("line 1"));
}

#[test]
fn a_plan_without_shards_and_one_that_is_too_long_are_refused() {
    let mut value: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    value["shards"] = serde_json::json!([]);
    let error = ShardPlan::parse(&value.to_string()).unwrap_err();
    assert!(matches!(error, PlanFileError::Empty), "{error}");
    let error = ShardPlan::parse(&" ".repeat(LEN_MAX + 1)).unwrap_err();
    assert!(matches!(error, PlanFileError::TooLong { .. }), "{error}");
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(at in 0_usize..GOLDEN.len(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = GOLDEN.as_bytes().to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        // Whatever it says, it does not panic; and what it takes is the partition it was.
        if let Ok(read) = ShardPlan::parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert_eq!(read.partition.digest(), plan().partition.digest());
        }
    }
}
