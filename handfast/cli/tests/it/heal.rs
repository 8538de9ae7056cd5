//! `handfast heal`: the drill in short, and what is shown of acts and rules.

use serde_json::Value;

use crate::support::Project;

/// Every fault that is planted is healed once, and a defect of each sort is not healed away.
#[test]
fn each_planted_fault_is_healed_and_no_defect_is() {
    let project = Project::bare("");
    let ran = project.run(&["heal", "drill", "--times", "1", "--defects", "3", "--json"]);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found["is_good"], true, "{}", ran.out);
    assert_eq!(found["defects"], 3);
    let faults = found["faults"].as_array().unwrap();
    let is_planted = |fault: &&Value| fault["not_planted"].is_null();
    for fault in faults.iter().filter(is_planted) {
        assert_eq!((&fault["planted"], &fault["healed"]), (&1.into(), &1.into()), "{fault}");
    }
    assert_eq!((faults.len(), faults.iter().filter(is_planted).count()), (12, 8));
    assert_eq!(ran.code, 0);
}

#[test]
fn the_acts_of_a_run_and_the_rules_are_shown() {
    let crash = "[[step]]\nrole = \"b\"\ncall = \"crash\"\n";
    let project = Project::new("").scenario("x", crash);
    project.run(&["run"]);
    let ran = project.run(&["heal", "acts"]);
    assert!(ran.out.contains("healing: 1 stands; "), "{}", ran.out);
    let ran = project.run(&["heal", "acts", "--json"]);
    let acts: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(acts[0]["failed"], "test_unit_x");
    let rules = project.run(&["heal", "rules"]);
    assert!(rules.out.contains("no rule and no quarantine"), "{}", rules.out);
    project.write(
        "known.toml",
        "[[known]]\nname = \"gone\"\nact = \"skip\"\nscenario = \"none/*\"\nowner = \"mara\"\nreason = \"it is over\"\n\
         issue = \"https://example.org/7\"\nuntil = { day = \"2020-01-01\" }\n",
    );
    let rules = project.run(&["heal", "rules"]);
    for part in ["ended  gone", "has ended: its last day was 2020-01-01", "is for no scenario"] {
        assert!(rules.out.contains(part), "{part}: {}", rules.out);
    }
}
