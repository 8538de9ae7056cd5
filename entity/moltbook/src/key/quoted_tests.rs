//! A key that is quoted in any form is taken out, and nothing else is.

use entity_crypto::encoding::{base64_encode, base64url_encode, hex_encode};
use proptest::prelude::*;

use super::ApiKey;
use crate::reply::BODY_MAX;

const TEXT: &str = "moltbook_sk_0123+/89abcdef";

fn key() -> ApiKey {
    ApiKey::parse(TEXT).unwrap()
}

#[track_caller]
fn check_gone(quoted: &str) {
    let scrubbed = key().scrub(&format!("bad {quoted}, yes"));
    assert_eq!(scrubbed, "bad (key), yes", "{quoted}");
    assert!(key().occurs_in(quoted));
}

/// Each character of the key as `form` writes it.
fn each(form: impl Fn(u8) -> String) -> String {
    TEXT.bytes().map(form).collect()
}

/// A text as JSON has it between the quotation marks.
fn inner(text: &str) -> String {
    let whole = serde_json::to_string(text).unwrap();
    whole[1..whole.len() - 1].to_owned()
}

#[test]
fn a_key_in_escapes_of_json_is_taken_out() {
    check_gone(&each(|byte| format!("\\u{byte:04x}")));
    check_gone(&each(|byte| format!("\\u{byte:04X}")));
    check_gone(&TEXT.replace('/', "\\/"));
    check_gone(&TEXT.replacen('m', "\\u006d", 1));
    check_gone(&TEXT.replace('/', "\\u002F"));
    check_gone(&each(|byte| format!("\\x{byte:02x}")));
}

#[test]
fn a_key_in_a_quotation_of_a_quotation_is_taken_out() {
    for backslashes in ["\\\\", "\\\\\\", "\\\\\\\\", "\\\\\\\\\\\\\\\\"] {
        check_gone(&each(|byte| format!("{backslashes}u{byte:04x}")));
        check_gone(&TEXT.replace('/', &format!("{backslashes}/")));
    }
}

#[test]
fn a_key_in_escapes_of_addresses_and_pages_is_taken_out() {
    check_gone(&each(|byte| format!("%{byte:02X}")));
    check_gone(&each(|byte| format!("%{byte:02x}")));
    check_gone(&each(|byte| format!("%25{byte:02x}")));
    check_gone(&TEXT.replace('+', "%2B").replace('/', "%2f"));
    check_gone(&each(|byte| format!("&#{byte};")));
    check_gone(&each(|byte| format!("&#x{byte:x};")));
    check_gone(&each(|byte| format!("&#X{byte:04X};")));
}

#[test]
fn the_digits_of_a_key_are_taken_out() {
    check_gone(&hex_encode(TEXT.as_bytes()));
    check_gone(&hex_encode(TEXT.as_bytes()).to_uppercase());
}

/// Whatever stands before and after it in the same base64.
#[test]
fn a_key_within_base64_is_taken_out() {
    for before in ["", "B", "Be", "Bearer ", "x:"] {
        for after in ["", "\n", "!!", "yes"] {
            let whole = format!("{before}{TEXT}{after}");
            for encoded in [base64_encode(whole.as_bytes()), base64url_encode(whole.as_bytes())] {
                let scrubbed = key().scrub(&encoded);
                let (left, right) = scrubbed.split_once("(key)").expect(&encoded);
                // At most the bits that share a character with something else.
                assert!(left.len() <= before.len() * 4 / 3 + 1, "{before:?} {scrubbed}");
                assert!(right.len() <= after.len().div_ceil(3) * 4 + 2, "{after:?} {scrubbed}");
            }
            let escaped = base64_encode(whole.as_bytes()).replace('/', "\\/").replace('+', "%2B");
            assert!(key().scrub(&escaped).contains("(key)"), "{escaped}");
        }
    }
}

#[test]
fn a_key_with_characters_that_begin_escapes_is_taken_out_plainly_and_escaped() {
    let text = "%41\\u0041&#65;\"quoted";
    let key = ApiKey::parse(text).unwrap();
    assert_eq!(key.scrub(&format!("[{text}]")), "[(key)]");
    let json = serde_json::to_string(text).unwrap();
    assert_eq!(key.scrub(&json), "\"(key)\"");
}

#[test]
fn what_only_begins_like_a_key_stays() {
    let cut = &TEXT[..TEXT.len() - 1];
    for text in [cut, "\\u006", "%6", "%", "&#109", "&#xzz;", "\\", "\\u", "%25", "&#;", "\\u+06d"]
    {
        assert_eq!(key().scrub(text), text);
        let twice = format!("{cut}{text}");
        assert_eq!(key().scrub(&twice), twice);
    }
}

#[test]
fn a_body_of_the_longest_kind_is_searched_whole() {
    let body = [vec![b'm'; BODY_MAX], TEXT.as_bytes().to_vec()].concat();
    let scrubbed = key().scrub_bytes(&body);
    assert_eq!(scrubbed.len(), BODY_MAX + "(key)".len());
}

proptest! {
    #[test]
    fn however_each_character_is_written_the_key_is_gone_and_json_stays_json(
        text in "[!-~]{16,40}",
        forms in proptest::collection::vec(0_u8..3, 40),
        (before, after) in ("[ a-z\\n\"\\\\]{0,8}", "[ a-z\\n\"\\\\]{0,8}"),
    ) {
        let key = ApiKey::parse(&text).unwrap();
        let written = |(character, form): (char, &u8)| match form {
            0 => format!("\\u{:04x}", u32::from(character)),
            1 => format!("\\u{:04X}", u32::from(character)),
            _ => inner(&character.to_string()),
        };
        let quoted: String = text.chars().zip(&forms).map(written).collect();
        let json = format!("\"{}{quoted}{}\"", inner(&before), inner(&after));
        let read: String = serde_json::from_str(&json).unwrap();
        prop_assert!(read.contains(&text));
        let scrubbed: String = serde_json::from_str(&key.scrub(&json)).unwrap();
        prop_assert!(!scrubbed.contains(&text), "{scrubbed}");
        prop_assert!(scrubbed.contains("(key)"), "{scrubbed}");
    }

    #[test]
    fn a_text_without_the_key_is_left_as_it_is(text in "(\\PC|[\\\\%&#u0-9a-f;+/=]){0,200}") {
        prop_assert_eq!(key().scrub(&text), text);
    }

    #[test]
    fn bytes_that_are_no_text_are_left_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(key().scrub_bytes(&bytes), bytes);
    }
}
