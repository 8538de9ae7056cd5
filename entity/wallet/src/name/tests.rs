use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn file(name: &str) -> String {
    name.parse::<KeyName>().unwrap().file_name().to_string()
}

#[test]
fn file_names_have_one_fixed_form() {
    assert_eq!(file("entity-a"), "entity-a.key");
    assert_eq!(file("Entity_A"), "%45ntity_%41.key");
    assert_eq!(file("a.b"), "a.b.key");
    assert_eq!(file(".hidden"), "%2ehidden.key");
    assert_eq!(file("a/b"), "a%2fb.key");
    assert_eq!(file("entity-b:日本/test id"), "entity-b%3a%e6%97%a5%e6%9c%ac%2ftest%20id.key");
    assert_eq!(file("default"), "default.key");
    assert_eq!(file("a~0"), "a%7e0.key");
    let long = "A".repeat(160);
    let hash = hex_encode(&sha256(long.as_bytes()));
    assert_eq!(file(&long), format!("{}%~{hash}.key", "%41".repeat(33)));
}

#[test]
fn ids_that_an_earlier_peer_kept_in_one_file_have_files_of_their_own() {
    let ids = ["a.b", "ab", "a/b", "entity a", "entity_a", "Entity_A", "日本", "entitya"];
    let files: BTreeSet<_> = ids.iter().map(|id| file(id).to_lowercase()).collect();
    assert_eq!(files.len(), ids.len());
}

#[test]
fn what_is_no_name_is_refused() {
    let parse = |text: &str| text.parse::<KeyName>();
    assert_eq!(parse(""), Err(InvalidKeyName::Length { bytes: 0 }));
    assert_eq!(parse(&"a".repeat(161)), Err(InvalidKeyName::Length { bytes: 161 }));
    assert!(parse(&"a".repeat(160)).is_ok());
    assert_eq!(parse("a\nb"), Err(InvalidKeyName::Control));
    assert_eq!(parse(" a"), Err(InvalidKeyName::Space));
    assert_eq!(parse("a\u{3000}"), Err(InvalidKeyName::Space));
}

#[test]
fn no_path_is_the_name_of_a_file() {
    for text in ["", ".key", "../a.key", "a/b.key", "A.key", "a", "a.key\0", "a.key.new", ".a.key"]
    {
        assert_eq!(FileName::parse(text), None, "{text:?}");
    }
    assert_eq!(FileName::parse(&format!("{}.key", "a".repeat(252))), None);
    assert!(FileName::parse("default").is_some_and(|name| !name.is_key()));
}

proptest! {
    #[test]
    fn no_two_names_share_a_file_even_where_case_is_folded(
        first in "\\PC{1,60}",
        second in "\\PC{1,60}",
    ) {
        let parsed = (first.parse::<KeyName>(), second.parse::<KeyName>());
        let (Ok(first), Ok(second)) = parsed else { return Ok(()) };
        let (a, b) = (first.file_name(), second.file_name());
        let folded = |name: &FileName| name.as_str().to_lowercase();
        prop_assert_eq!(first == second, folded(&a) == folded(&b));
        prop_assert_eq!(FileName::parse(a.as_str()), Some(a));
    }
}
