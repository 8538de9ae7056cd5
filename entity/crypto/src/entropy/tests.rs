use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::encoding::hex_encode;

#[test]
fn the_stream_is_chacha20_with_a_zero_nonce() {
    // RFC 8439 appendix A.1, test vectors 1 and 2: the zero key, counters 0 and 1.
    let mut entropy = Entropy::from_seed([0; 32]);
    let stream: [u8; 128] = entropy.bytes();
    assert_eq!(
        hex_encode(&stream[..32]),
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    );
    assert_eq!(
        hex_encode(&stream[64..96]),
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
    );
}

#[test]
fn uuids_are_of_version_4_and_do_not_repeat() {
    let mut entropy = Entropy::from_seed([3; 32]);
    let uuids: BTreeSet<[u8; 16]> = (0..1000).map(|_| entropy.uuid_v4()).collect();
    assert_eq!(uuids.len(), 1000);
    for uuid in &uuids {
        assert_eq!(uuid[6] >> 4, 4);
        assert_eq!(uuid[8] >> 6, 0b10);
    }
}

#[test]
fn debug_of_a_generator_shows_nothing_of_it() {
    assert_eq!(format!("{:?}", Entropy::from_seed([0xa1; 32])), "Entropy(..)");
}

proptest! {
    #[test]
    fn the_same_seed_makes_the_same_choices(seed: [u8; 32]) {
        let (mut one, mut other) = (Entropy::from_seed(seed), Entropy::from_seed(seed));
        prop_assert_eq!(one.bytes::<40>(), other.bytes::<40>());
        prop_assert_eq!(one.uuid_v4(), other.uuid_v4());
    }

    #[test]
    fn another_seed_makes_other_choices(a: [u8; 32], b: [u8; 32]) {
        prop_assume!(a != b);
        prop_assert_ne!(Entropy::from_seed(a).bytes::<16>(), Entropy::from_seed(b).bytes::<16>());
    }
}
