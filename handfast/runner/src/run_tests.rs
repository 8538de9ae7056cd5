use std::collections::BTreeMap;

use handfast_scenario::Scenario;
use handfast_scenario::name::CategoryName;
use handfast_scenario::scenario::Vocabulary;

use super::*;

fn unit(id: &str) -> plan::Unit {
    let text = "name = \"x\"\n[[step]]\nrole = \"a\"\ncall = \"stats\"\n";
    let scenario = Scenario::parse(id, text, &Vocabulary::default()).unwrap().remove(0);
    plan::Unit {
        id: UnitId::new(id),
        scenario: Arc::new(scenario),
        category: CategoryName::new("unit").unwrap(),
        budget: Duration::from_secs(1),
        peers: BTreeMap::new(),
    }
}

#[test]
fn every_round_of_a_repeated_unit_has_an_id_of_its_own() {
    let units = repeated(vec![unit("x"), unit("y")], 2);
    let ids: Vec<&str> = units.iter().map(|unit| unit.id.as_str()).collect();
    assert_eq!(ids, ["x #1", "y #1", "x #2", "y #2"]);
}

#[test]
fn a_single_round_keeps_the_ids() {
    assert_eq!(repeated(vec![unit("x")], 1)[0].id.as_str(), "x");
}
