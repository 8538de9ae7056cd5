use proptest::prelude::*;

use super::*;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 base64, one bit at a time, accepting only the one text of the bytes.
fn slow_decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().take_while(|byte| *byte != b'=').collect();
    let padding = text.len() - digits.len();
    if padding > 2 || text[digits.len()..].iter().any(|byte| *byte != b'=') {
        return None;
    }
    let mut bits = Vec::new();
    for digit in digits {
        let value = ALPHABET.iter().position(|letter| *letter == digit)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let (whole, rest) = bits.split_at(bits.len() / 8 * 8);
    if rest.contains(&1) || rest.len() != padding * 2 {
        return None;
    }
    Some(
        whole
            .chunks(8)
            .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit == 1)))
            .collect(),
    )
}

fn check_base64(text: &str, expected: Option<&[u8]>) {
    assert_eq!(base64_decode_strict(text).ok().as_deref(), expected, "{text:?}");
    assert_eq!(slow_decode(text.as_bytes()).as_deref(), expected, "the slow reference on {text:?}");
}

fn check_hex(text: &str, expected: Result<&[u8], InvalidHex>) {
    assert_eq!(hex_decode_lower(text).as_deref().map_err(|error| *error), expected, "{text:?}");
}

#[test]
fn canonical_base64_is_decoded() {
    for (text, bytes) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Zm9vYmE=", "fooba"),
    ] {
        check_base64(text, Some(bytes.as_bytes()));
        assert_eq!(base64_encode(bytes.as_bytes()), text);
    }
    check_base64("+/+/", Some(&[0xfb, 0xff, 0xbf]));
}

#[test]
fn respelt_base64_is_refused() {
    let respelt = [
        "Zh==", "Zm9=", "Zg", "Zg=", "Zg===", "Zg====", "Zm8", "Zm9v=", "Zm9v====", "=", "==",
        "====", "Z", "Zg= =", " Zg==", "Zg==\n", "Zm\n9v", "Zm9v ", "Zm9v\0", "-_-_", "Zg==Zg==",
        "Z=g=", "Zm9vé", "Zm 9v", "*g==", "Zg%3D%3D",
    ];
    for text in respelt {
        check_base64(text, None);
    }
}

#[test]
fn base64_of_the_wrong_number_of_bytes_is_refused() {
    assert_eq!(base64_decode_array::<3>("Zm9v"), Ok(*b"foo"));
    assert_eq!(
        base64_decode_array::<4>("Zm9v"),
        Err(InvalidBase64::Length { expected: 4, found: 3 })
    );
    assert_eq!(
        base64_decode_array::<2>("Zm9v"),
        Err(InvalidBase64::Length { expected: 2, found: 3 })
    );
}

#[test]
fn only_lower_case_hexadecimal_is_decoded() {
    check_hex("", Ok(&[]));
    check_hex("00ff1a", Ok(&[0, 0xff, 0x1a]));
    check_hex("00FF", Err(InvalidHex::Digit { index: 2 }));
    check_hex("0x00", Err(InvalidHex::Digit { index: 1 }));
    check_hex("00 f", Err(InvalidHex::Digit { index: 2 }));
    check_hex("0é", Err(InvalidHex::Digit { index: 1 }));
    check_hex("abc", Err(InvalidHex::Length));
    assert_eq!(hex_decode_array::<2>("00ff"), Ok([0, 0xff]));
    assert_eq!(hex_decode_array::<3>("00ff"), Err(InvalidHex::Length));
    assert_eq!(hex_decode_array::<1>("00ff"), Err(InvalidHex::Length));
}

proptest! {
    #[test]
    fn bytes_survive_both_encodings(bytes: Vec<u8>) {
        let text = base64_encode(&bytes);
        prop_assert_eq!(base64_decode_strict(&text), Ok(bytes.clone()));
        prop_assert_eq!(hex_decode_lower(&hex_encode(&bytes)), Ok(bytes));
    }

    #[test]
    fn strict_base64_agrees_with_the_slow_reference(text in "[A-Ca-c0-2+/=_ \n-]{0,9}") {
        let slow = slow_decode(text.as_bytes());
        prop_assert_eq!(base64_decode_strict(&text).ok(), slow.clone());
        // One text for each byte string: what decodes is what would have been encoded.
        if let Some(bytes) = slow {
            prop_assert_eq!(base64_encode(&bytes), text);
        }
    }

    #[test]
    fn a_changed_character_never_decodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 1..40), at: prop::sample::Index, letter: char) {
        let text = base64_encode(&bytes);
        let index = at.index(text.len());
        let mut changed: Vec<char> = text.chars().collect();
        changed[index] = letter;
        let changed: String = changed.into_iter().collect();
        prop_assume!(changed != text);
        prop_assert_ne!(base64_decode_strict(&changed).ok(), Some(bytes));
    }
}

#[test]
fn base64_for_urls_has_one_text_for_each_byte_string() {
    assert_eq!(base64url_encode(&[0xfb, 0xff]), "-_8");
    assert_eq!(base64url_decode_strict("-_8"), Ok(vec![0xfb, 0xff]));
    for text in ["-_8=", "+/8", "-_9", "-", "- 8", "-_8\n"] {
        assert_eq!(base64url_decode_strict(text), Err(InvalidBase64::Text), "{text:?}");
    }
}
