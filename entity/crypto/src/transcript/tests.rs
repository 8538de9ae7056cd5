use proptest::prelude::*;

use super::*;
use crate::derivation::sha256;
use crate::encoding::hex_encode;

/// SHA-256(label 00 LP(item) ...), built as one string.
fn slow_digest(label: &str, items: &[Vec<u8>]) -> [u8; 32] {
    let mut bytes = [label.as_bytes(), &[0]].concat();
    for item in items {
        bytes.extend_from_slice(&u32::try_from(item.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(item);
    }
    sha256(&bytes)
}

#[test]
fn the_framing_is_pinned() {
    let mut transcript = Transcript::new("peer-v1.1-transcript");
    transcript.push(b"");
    transcript.push(b"abc");
    // SHA-256 of 706565722d76312e312d7472616e736372697074 00 00000000 00000003 616263.
    let expected = "2e170cc813720d837fffa1d0b519fc6c3c5120b4fd3e0467373d3ea7a0f6e7c9";
    assert_eq!(hex_encode(&transcript.digest()), expected);
    assert_eq!(hex_encode(&sha256(b"peer-v1.1-transcript\0\0\0\0\0\0\0\0\x03abc")), expected);
}

#[test]
fn a_clone_goes_on_by_itself() {
    let mut trunk = Transcript::new("label");
    trunk.push(b"common");
    let before = trunk.digest();
    let mut branch = trunk.clone();
    branch.push(b"branch");
    assert_eq!(trunk.digest(), before);
    assert_ne!(branch.digest(), before);
}

#[test]
#[should_panic(expected = "a label that could be mistaken")]
fn a_label_with_a_zero_byte_is_a_bug_of_the_caller() {
    drop(Transcript::new("a\0b"));
}

proptest! {
    #[test]
    fn digests_agree_with_the_slow_reference(label in "[a-z0-9.-]{0,30}", items: Vec<Vec<u8>>) {
        let mut transcript = Transcript::new(&label);
        for item in &items {
            transcript.push(item);
        }
        prop_assert_eq!(transcript.digest(), slow_digest(&label, &items));
    }

    #[test]
    fn moving_a_boundary_changes_the_digest(left: Vec<u8>, right in prop::collection::vec(any::<u8>(), 1..20)) {
        let (mut one, mut other) = (Transcript::new("label"), Transcript::new("label"));
        one.push(&left);
        one.push(&right);
        other.push(&[&left[..], &right[..1]].concat());
        other.push(&right[1..]);
        prop_assert_ne!(one.digest(), other.digest());
    }
}
