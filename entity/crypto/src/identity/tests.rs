use super::*;

fn check(text: &str, expected: Result<(), InvalidPeerId>) {
    let parsed = text.parse::<PeerId>();
    assert_eq!(parsed.as_ref().map(|_| ()).map_err(|error| *error), expected, "{text:?}");
    if let Ok(id) = parsed {
        assert_eq!(id.to_string(), text);
    }
}

#[test]
fn names_of_the_grammar_are_accepted() {
    for text in ["a", "entity-a", "A.b_C-9", "0", "...", &"x".repeat(PEER_ID_LEN_MAX)] {
        check(text, Ok(()));
    }
}

#[test]
fn every_byte_outside_the_grammar_is_refused_at_its_index() {
    let allowed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for byte in 0..=0x7f_u8 {
        let text = format!("ab{}", char::from(byte));
        let expected = if allowed.contains(&byte) {
            Ok(())
        } else {
            Err(InvalidPeerId::Character { index: 2 })
        };
        check(&text, expected);
    }
    check("é", Err(InvalidPeerId::Character { index: 0 }));
}

#[test]
fn the_length_limit_is_reached_and_no_more() {
    check("", Err(InvalidPeerId::Length { bytes: 0 }));
    check(
        &"x".repeat(PEER_ID_LEN_MAX + 1),
        Err(InvalidPeerId::Length { bytes: PEER_ID_LEN_MAX + 1 }),
    );
}

#[test]
fn names_compare_bytewise_and_with_case() {
    let mut names: Vec<PeerId> =
        ["b", "B", "a", "_", "-"].iter().map(|text| text.parse().unwrap()).collect();
    names.sort();
    let sorted: Vec<&str> = names.iter().map(PeerId::as_str).collect();
    assert_eq!(sorted, ["-", "B", "_", "a", "b"]);
}
