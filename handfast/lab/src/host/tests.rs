use super::*;

#[test]
fn everything_is_tried_once_and_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::examine(folder.path());
    let names: Vec<&str> = host.abilities.iter().map(|ability| ability.name).collect();
    assert_eq!(names, Host::NAMES);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    for ability in &host.abilities {
        assert!(!ability.found.is_empty(), "{ability:?}");
        let lacks = ability.state != State::Can;
        assert_eq!(lacks, !ability.costs.is_empty() && !ability.remedy.is_empty(), "{ability:?}");
    }
    assert!(host.cores > 0 && host.memory_bytes > 0 && !host.kernel.is_empty());
}

fn ability(name: &'static str, essential: bool, state: State) -> Ability {
    Question { name, essential, costs: "x", remedy: "y" }.answer(state, "z")
}

#[test]
fn a_lack_counts_where_it_is_indispensable_or_asked_for() {
    let abilities = vec![
        ability("scratch", true, State::Cannot),
        ability("loopback", true, State::Partly),
        ability("tun", false, State::Cannot),
        ability("timer", false, State::Partly),
    ];
    let host = Host { kernel: String::new(), cores: 1, memory_bytes: 1, root: false, abilities };
    let names = |needed: &[&str]| -> Vec<&str> {
        let needed: Vec<String> = needed.iter().map(|&name| name.to_owned()).collect();
        host.lacks(&needed).map(|ability| ability.name).collect()
    };
    assert_eq!(names(&[]), ["scratch"]);
    assert_eq!(names(&["tun", "timer"]), ["scratch", "tun"]);
}
