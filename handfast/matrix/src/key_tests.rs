use std::sync::Arc;

use handfast_scenario::Project;
use handfast_scenario::Scenario;
use handfast_scenario::scenario::Vocabulary;
use proptest::prelude::*;

use super::*;
use crate::cell::{Ask, cells};

const PROJECT: &str = "[project]\nname = \"p\"\n[peers.rust]\nstart = \"rust-peer\"\n[peers.python]\nstart = \"python-peer\"\n";

/// Three scenario files; the second is started with a file of the project.
fn all() -> (Vec<Cell>, Vec<String>) {
    let project = Project::parse("handfast.toml", PROJECT).unwrap();
    let texts = [
        "name = \"n\"\nvariants = [{ v = \"1.0\" }, { v = \"1.1\" }]\n[roles.a]\nprotocol = \"${v}\"\n[roles.b]",
        "name = \"n\"\n[roles.a]\nargs = [\"--config\", \"some.conf\"]\n[roles.b]",
        "name = \"n\"\n[roles.a]\npeer = \"python\"",
    ];
    let scenarios: Vec<Scenario> = texts
        .iter()
        .enumerate()
        .flat_map(|(at, text)| {
            Scenario::parse(&format!("test_unit_{at}.toml"), text, &Vocabulary::default()).unwrap()
        })
        .collect();
    let peers = project.peers.iter().map(|peer| peer.name.clone()).collect();
    let cells = cells(&project, &scenarios, &Ask { peers, ..Ask::default() }).unwrap();
    let files = cells.iter().map(|cell| format!("scenarios/{}", cell.unit.scenario.file)).collect();
    (cells, files)
}

fn peer(name: &str) -> PeerName {
    PeerName::new(name).unwrap()
}

fn ingredients() -> Ingredients {
    let file = |name: &str| (name.to_owned(), Digest::of(name.as_bytes()));
    Ingredients {
        platform: Some(Digest::of(b"platform")),
        builds: ["rust", "python"].map(|name| (peer(name), Digest::of(name.as_bytes()))).into(),
        files: (0..3)
            .map(|at| file(&format!("scenarios/test_unit_{at}.toml")))
            .chain([file("some.conf")])
            .collect(),
        means: String::new(),
    }
}

fn keys(ingredients: &Ingredients) -> Vec<Option<Digest>> {
    let (cells, files) = all();
    cells.iter().zip(files).map(|(cell, file)| ingredients.key(cell, &file)).collect()
}

/// Something that a key is made of.
#[derive(Debug, Clone, Copy)]
enum Touched {
    Platform,
    Build(&'static str),
    Scenario(usize),
    Config,
}

const TOUCHABLE: [Touched; 7] = [
    Touched::Platform,
    Touched::Build("rust"),
    Touched::Build("python"),
    Touched::Scenario(0),
    Touched::Scenario(1),
    Touched::Scenario(2),
    Touched::Config,
];

fn touch(ingredients: &mut Ingredients, what: Touched, content: &[u8]) {
    let digest = Digest::of(content);
    match what {
        Touched::Platform => ingredients.platform = Some(digest),
        Touched::Build(name) => {
            ingredients.builds.insert(peer(name), digest);
        }
        Touched::Scenario(at) => {
            ingredients.files.insert(format!("scenarios/test_unit_{at}.toml"), digest);
        }
        Touched::Config => {
            ingredients.files.insert("some.conf".to_owned(), digest);
        }
    }
}

/// Whether a cell's verdict follows from it, told from the outside.
fn concerns(cell: &Cell, what: Touched) -> bool {
    let file = cell.unit.scenario.file.as_str();
    match what {
        Touched::Platform => true,
        Touched::Build(name) => cell.unit.peers.values().any(|peer| peer.as_str() == name),
        Touched::Scenario(at) => file == format!("test_unit_{at}.toml"),
        Touched::Config => file == "test_unit_1.toml",
    }
}

proptest! {
    /// The law of the warm run: what is touched changes the keys of the cells it concerns, and no others.
    #[test]
    fn a_touched_input_changes_exactly_the_keys_of_its_cells(
        touched in prop::collection::vec((0_usize..TOUCHABLE.len(), any::<[u8; 4]>()), 0..4)
    ) {
        let before = keys(&ingredients());
        let mut changed = ingredients();
        for (what, content) in &touched {
            touch(&mut changed, TOUCHABLE[*what], content);
        }
        let (cells, _) = all();
        for ((cell, before), after) in cells.iter().zip(before).zip(keys(&changed)) {
            let concerned = touched.iter().any(|(what, _)| concerns(cell, TOUCHABLE[*what]));
            prop_assert_eq!(before != after, concerned, "{}", cell.unit.id);
        }
    }
}

#[test]
fn all_cells_have_different_keys() {
    let keys: BTreeSet<_> = keys(&ingredients()).into_iter().collect();
    let (cells, _) = all();
    assert_eq!((keys.len(), keys.contains(&None)), (cells.len(), false));
}

#[test]
fn a_cell_with_an_absent_peer_or_an_unknown_file_has_no_key() {
    let mut absent = ingredients();
    absent.builds.remove("python");
    let (cells, _) = all();
    for (cell, key) in cells.iter().zip(keys(&absent)) {
        assert_eq!(key.is_none(), concerns(cell, Touched::Build("python")), "{}", cell.unit.id);
    }
    let mut unread = ingredients();
    unread.files.remove("scenarios/test_unit_0.toml");
    for (cell, key) in cells.iter().zip(keys(&unread)) {
        assert_eq!(key.is_none(), concerns(cell, Touched::Scenario(0)), "{}", cell.unit.id);
    }
    assert!(keys(&Ingredients { platform: None, ..ingredients() }).iter().all(Option::is_none));
}

#[test]
fn budget_and_protocols_are_part_of_a_key() {
    let (cells, files) = all();
    let key = |cell: &Cell| ingredients().key(cell, &files[0]);
    let mut patient = cells[0].clone();
    patient.unit.budget *= 2;
    let mut older = cells[0].clone();
    for role in Arc::make_mut(&mut older.unit.scenario).roles.values_mut() {
        role.protocol = Some("0.9".to_owned());
    }
    assert_eq!(BTreeSet::from([key(&cells[0]), key(&patient), key(&older)]).len(), 3);
}

fn program(more: &str) -> PeerProgram {
    let text = format!("[project]\nname = \"p\"\n[peers.x]\nstart = [\"x\", \"y\"]\n{more}");
    Project::parse("handfast.toml", &text).unwrap().peers.remove(0)
}

#[test]
fn a_build_is_its_settings_and_its_files() {
    let files = |content: &str| BTreeMap::from([("x".to_owned(), Digest::of(content.as_bytes()))]);
    let builds = [
        build(&program(""), &files("1")),
        build(&program(""), &files("2")),
        build(&program(""), &BTreeMap::new()),
        build(&program("env = { A = \"1\" }"), &files("1")),
        build(&program("env = { A = \"2\" }"), &files("1")),
        build(&program("versions = [\"1.0\"]"), &files("1")),
    ];
    assert_eq!(BTreeSet::from(builds).len(), builds.len());
    assert_eq!(build(&program(""), &files("1")), builds[0]);
}

#[test]
fn a_digest_is_the_known_one_of_sha_256() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Digest::of(b"abc").to_string(), expected);
}

#[test]
fn the_key_of_a_cell_is_pinned() {
    // A change here makes every verdict of earlier runs worthless: change TAG with it.
    let expected = "04ac8d6bd418a10a88136f3bb34f84a62c5ef3904d62f665df45fa2272bd5cc2";
    assert_eq!(keys(&ingredients())[0].unwrap().to_string(), expected);
}

#[test]
fn the_means_of_a_network_are_part_of_a_key_where_a_scenario_asks_for_one() {
    let (mut cells, files) = all();
    let key = |cell: &Cell, means: &str| {
        let means = means.to_owned();
        Ingredients { means, ..ingredients() }.key(cell, &files[0])
    };
    assert_eq!(key(&cells[0], "proxies"), key(&cells[0], ""));
    let scenario = Arc::make_mut(&mut cells[0].unit.scenario);
    scenario.network = handfast_scenario::scenario::Network::Preset("lte");
    assert_ne!(key(&cells[0], "proxies"), key(&cells[0], ""));
}
