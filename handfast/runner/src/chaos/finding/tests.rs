use std::time::Duration;

use handfast_faults::disturbance::{Cue, What, When};
use handfast_scenario::Scenario;
use handfast_scenario::scenario::Vocabulary;

use super::*;

const ORIGINAL: &str = "\
name = \"Two peers meet\"

[[step]]
stop = \"a\"
";

fn failure() -> Failure {
    let peer = |name: &str| PeerName::new(name).unwrap();
    let role = |name: &str| RoleName::new(name).unwrap();
    Failure {
        format: FORMAT,
        id: "20261123-070000-0badcafe".to_owned(),
        unit: "meeting/x (b=python)".to_owned(),
        scenario: "meeting/x".to_owned(),
        variant: None,
        peers: BTreeMap::from([(role("a"), peer("entity")), (role("b"), peer("python"))]),
        flaw: Some(Planted { peer: peer("python"), flaw: "forgets".to_owned(), role: role("b") }),
        seed: 7,
        reason: "exactly-once: 1 message is missing\nmore".to_owned(),
        steps: [20, 1],
        is_minimal: true,
        found: Rate { failures: 3, tries: 3, unclear: 0 },
        confirmed: Rate { failures: 5, tries: 5, unclear: 1 },
    }
}

/// The bytes of the file: whoever changes them changes [`FORMAT`].
const JSON: &str = r#"{
  "format": 1,
  "id": "20261123-070000-0badcafe",
  "unit": "meeting/x (b=python)",
  "scenario": "meeting/x",
  "variant": null,
  "peers": {
    "a": "entity",
    "b": "python"
  },
  "flaw": {
    "peer": "python",
    "flaw": "forgets",
    "role": "b"
  },
  "seed": 7,
  "reason": "exactly-once: 1 message is missing\nmore",
  "steps": [
    20,
    1
  ],
  "is_minimal": true,
  "found": {
    "failures": 3,
    "tries": 3,
    "unclear": 0
  },
  "confirmed": {
    "failures": 5,
    "tries": 5,
    "unclear": 1
  }
}
"#;

fn schedule(steps: u64) -> Schedule {
    let cue = |nth| Cue::Message {
        from: "a".to_owned(),
        to: "b".to_owned(),
        message_type: Some("message".to_owned()),
        nth,
    };
    let step = |nth: u64| Disturbance {
        name: format!("{nth}"),
        when: When::On { cue: cue(nth), after: Duration::from_millis(20) },
        lasts: Some(Duration::from_millis(100)),
        what: What::Kill { role: "b".to_owned() },
    };
    Schedule::new((1..=steps).map(step).collect())
}

fn written() -> (tempfile::TempDir, Failure) {
    let folder = tempfile::tempdir().unwrap();
    let failure = failure();
    let (found, smallest) = (schedule(20), schedule(1));
    let finding = Finding {
        failure: &failure,
        original: ORIGINAL,
        own: &[],
        found: &found,
        smallest: &smallest,
        events: &[],
    };
    finding.write(folder.path()).unwrap();
    (folder, failure)
}

#[test]
fn a_failure_is_written_in_these_bytes_and_read_back() {
    let (folder, failure) = written();
    let path = folder.path().join(FAILURE);
    assert_eq!(fs::read_to_string(&path).unwrap(), JSON);
    assert_eq!(Failure::read(&path).unwrap(), failure);
}

#[test]
fn the_scenario_of_a_failure_is_an_ordinary_scenario() {
    let (folder, _) = written();
    let text = fs::read_to_string(folder.path().join(SCENARIO)).unwrap();
    assert!(text.starts_with(
        "# Found by `handfast chaos meeting/x` and reduced from 20 disturbances to 1.\n\
         # It failed with: exactly-once: 1 message is missing\n\
         # `handfast reproduce 20261123-070000-0badcafe` plays it again.\n\nname = "
    ));
    let scenarios = Scenario::parse("meeting/x.toml", &text, &Vocabulary::default()).unwrap();
    assert_eq!(scenarios[0].disturbances, schedule(1).steps);
    assert_eq!(scenarios[0].name, "Two peers meet");
    let found = fs::read_to_string(folder.path().join("found.toml")).unwrap();
    let scenarios = Scenario::parse("meeting/x.toml", &found, &Vocabulary::default()).unwrap();
    assert_eq!(scenarios[0].disturbances.len(), 20);
}

#[test]
fn what_is_no_failure_of_this_version_is_refused() {
    let (folder, _) = written();
    let path = folder.path().join(FAILURE);
    fs::write(&path, JSON.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(matches!(Failure::read(&path), Err(FindingError::Format { found: 2, .. })));
    fs::write(&path, "{}").unwrap();
    assert!(matches!(Failure::read(&path), Err(FindingError::Json { .. })));
    assert!(matches!(Failure::read(&folder.path().join("no")), Err(FindingError::Io { .. })));
}
