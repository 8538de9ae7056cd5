use super::*;

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
