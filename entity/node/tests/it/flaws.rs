//! Planted flaws are no part of the program that everybody uses.
#![cfg(not(feature = "flaws"))]

use std::fs;
use std::process::Command;

/// The catalogue as its source has it: `Name "name" "Sentence."` in each line.
const CATALOGUE: &str = include_str!("../../../flaw/src/flaws.rs");

#[test]
fn nothing_of_the_planted_flaws_is_in_the_default_program() {
    let lines = CATALOGUE.lines().filter(|line| line.trim_end().ends_with(".\""));
    let texts: Vec<&str> = lines.flat_map(|line| line.split('"').skip(1).step_by(2)).collect();
    assert!(texts.len() >= 80, "names and sentences were read: {}", texts.len());
    assert!(is_in_the_program(&["no-such-text", "HANDFAST_SEED"]), "what is there is found");
    assert!(!is_in_the_program(&texts));
}

#[test]
fn the_default_program_cannot_be_told_to_be_wrong() {
    for arguments in [&["--flaw", "accepts-replay"][..], &["--list-flaws"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
        let output = command.args(["shim", "--name", "a"]).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("unexpected argument"), "{error}");
    }
}

/// Whether the program has one of these texts in it. An unoptimised program is large, and `grep` is quick.
fn is_in_the_program(texts: &[&str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let wanted = folder.path().join("wanted");
    fs::write(&wanted, texts.join("\n")).unwrap();
    let mut grep = Command::new("grep");
    let grep = grep.args(["-q", "-a", "-F", "-f"]).arg(wanted).arg(env!("CARGO_BIN_EXE_entity"));
    match grep.status().unwrap().code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("grep ended with {other:?}"),
    }
}
