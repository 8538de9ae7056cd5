//! `entity dht`, as a person and as a program sees it.

use std::path::Path;

use serde_json::Value;

use crate::cli::{Run, check, entity, stdout};

/// A node of the table with a key of its own.
struct Member {
    home: tempfile::TempDir,
    run: Run,
}

impl Member {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        check(&entity(home.path(), &["wallet", "create", name, "--unprotected"]), 0, "");
        let run = Run::start(home.path(), &[&["--dht"], arguments].concat());
        Self { home, run }
    }

    fn data(&self) -> &Path {
        self.home.path()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = entity(self.data(), &[arguments, &["--json"]].concat());
        check(&output, 0, "");
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = entity(self.data(), arguments);
        check(&output, 0, "");
        stdout(&output)
    }
}

#[test]
fn two_nodes_find_each_other_and_what_they_store() {
    let a = Member::start("a", &[]);
    assert!(a.says(&["dht", "table"]).contains("nobody yet"));
    let key = a.json(&["wallet", "show"])["public_key"].as_str().unwrap().to_owned();
    let bootstrap = format!("id=a,address={},key={key}", a.run.address());
    let b = Member::start("b", &["--bootstrap", &bootstrap]);
    let put = b.says(&["dht", "put", "capability", "text.count", "{\"price\":\"3\"}"]);
    assert!(put.contains("is stored at 2 nodes until "), "{put}");
    let got = a.says(&["dht", "get", "capability", "text.count"]);
    assert!(got.contains("value    {\"price\":\"3\"}"), "{got}");
    let owner = b.json(&["wallet", "show"])["public_key"].clone();
    let record = &a.json(&["dht", "get", "capability", "text.count"])["records"][0];
    assert_eq!(record["owner"], owner);
    let table = a.says(&["dht", "table"]);
    assert!(table.contains("contacts  1 in 1 buckets") && table.contains("b "), "{table}");
    let stored = table.lines().find(|line| line.starts_with("stores ")).unwrap();
    assert!(stored.contains(" slots, ") && stored.ends_with(" bytes of records"), "{stored}");
    let named = b.says(&["dht", "find", "a"]);
    assert!(named.contains(&format!("key {key} (bootstrap)")), "{named}");
    assert!(a.says(&["dht", "find", "--capability", "text.sort"]).starts_with("nobody"));
    let left = b.says(&["dht", "leave"]);
    assert!(
        left.starts_with("left the table") && left.contains("as far as they took it"),
        "{left}"
    );
    assert_eq!(b.json(&["dht", "table"])["state"], "left");
    check(&entity(b.data(), &["dht", "leave"]), 1, "this node has left it");
    let wrong = entity(a.data(), &["dht", "put", "capability", "x", "[1"]);
    check(&wrong, 2, "write a JSON object");
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(9_000));
    check(&entity(a.data(), &["dht", "put", "capability", "x", &large]), 1, "a record of ");
}

#[test]
fn a_node_without_the_table_says_how_it_would_take_part() {
    let home = tempfile::tempdir().unwrap();
    check(&entity(home.path(), &["wallet", "create", "a", "--unprotected"]), 0, "");
    let _run = Run::start(home.path(), &[]);
    for verb in [&["dht", "table"][..], &["dht", "find", "b"], &["dht", "leave"]] {
        check(&entity(home.path(), verb), 1, "entity run --dht");
    }
}
