use std::fs;

use handfast_scenario::Project;
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Scenario, name::PeerName};
use tempfile::TempDir;

use super::*;

/// A project whose peer is two files and a folder.
fn project(more: &str) -> (TempDir, Project) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("lib/deep")).unwrap();
    for file in ["peer.sh", "config", "lib/one", "lib/deep/two"] {
        fs::write(folder.path().join(file), file).unwrap();
    }
    let text = format!(
        "[project]\nname = \"p\"\n[peers.x]\nstart = [\"./peer.sh\", \"--config\", \"config\"]\ninputs = [\"lib\"]\n{more}"
    );
    (folder, Project::parse("handfast.toml", &text).unwrap())
}

fn built((folder, project): &(TempDir, Project)) -> Result<Digest, String> {
    build(&Places::find(folder.path(), None), &project.peers[0])
}

#[test]
fn touching_a_file_of_the_start_command_or_of_an_input_is_another_build() {
    let project = project("");
    let before = built(&project).unwrap();
    assert_eq!(built(&project).unwrap(), before);
    let mut all = vec![before];
    for file in ["peer.sh", "config", "lib/one", "lib/deep/two"] {
        fs::write(project.0.path().join(file), "touched").unwrap();
        all.push(built(&project).unwrap());
    }
    fs::rename(project.0.path().join("lib/one"), project.0.path().join("lib/three")).unwrap();
    all.push(built(&project).unwrap());
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn what_tools_leave_behind_and_what_is_not_named_makes_no_difference() {
    let project = project("");
    let before = built(&project).unwrap();
    let root = project.0.path();
    fs::create_dir_all(root.join("lib/__pycache__")).unwrap();
    for file in ["lib/__pycache__/x.pyc", "lib/.hidden", "elsewhere"] {
        fs::write(root.join(file), "x").unwrap();
    }
    assert_eq!(built(&project).unwrap(), before);
}

#[test]
fn a_program_is_looked_up_where_it_would_be_started_from() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[project]\nname = \"p\"\n[peers.x]\nstart = [\"sh\"]\n";
    let project = Project::parse("handfast.toml", text).unwrap();
    assert!(built(&(folder, project)).is_ok());
}

#[test]
fn a_program_or_an_input_that_is_not_there_is_named() {
    let missing = project("");
    fs::remove_dir_all(missing.0.path().join("lib")).unwrap();
    let error = built(&missing).unwrap_err();
    assert!(error.starts_with("its input lib cannot be read"), "{error}");
    let missing = project("");
    fs::remove_file(missing.0.path().join("peer.sh")).unwrap();
    let error = built(&missing).unwrap_err();
    assert!(error.contains("peer.sh is not there"), "{error}");
}

#[test]
fn inputs_are_no_deeper_than_their_limit() {
    let deep = |depth: usize| {
        let project = project("");
        let path = project.0.path().join("lib").join("d/".repeat(depth));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("file"), "x").unwrap();
        built(&project)
    };
    assert!(deep(DEPTH_MAX - 1).is_ok());
    assert!(deep(DEPTH_MAX).is_err());
}

#[test]
fn inputs_are_no_more_files_than_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), "x").unwrap();
    let mut files: BTreeMap<String, PathBuf> =
        (1..FILES_MAX).map(|at| (at.to_string(), PathBuf::new())).collect();
    collect(&folder.path().join("x"), "x", 0, &mut files).unwrap();
    assert_eq!(files.len(), FILES_MAX);
    assert!(collect(&folder.path().join("x"), "y", 0, &mut files).is_err());
}

#[test]
fn scenario_files_and_the_files_they_name_are_read_and_words_are_not() {
    let (folder, project) = project("");
    let text = "name = \"n\"\n[roles.a]\nargs = [\"--config\", \"config\"]\n";
    fs::write(folder.path().join("test_unit_x.toml"), text).unwrap();
    let scenario = Scenario::parse("test_unit_x.toml", text, &Vocabulary::default()).unwrap();
    let peers = vec![PeerName::new("x").unwrap()];
    let ask = handfast_matrix::Ask { peers, ..handfast_matrix::Ask::default() };
    let cells = handfast_matrix::cells(&project, &scenario, &ask).unwrap();
    let mut ingredients = Ingredients::default();
    scenario_files(&mut ingredients, folder.path(), [(&cells[0], "test_unit_x.toml")]);
    let names: Vec<&str> = ingredients.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["config", "test_unit_x.toml"]);
}
