use proptest::prelude::*;

use super::*;

#[test]
fn what_is_shorter_than_a_tag_does_not_open() {
    let key = SealingKey::new([1; 32]);
    for length in 0..TAG_LEN {
        assert_eq!(
            key.open(&[0; 12], b"", &vec![0; length]).map(|_| ()),
            Err(OpenError),
            "{length}"
        );
    }
}

#[test]
fn an_empty_plaintext_is_a_tag_alone() {
    let key = SealingKey::new([1; 32]);
    let sealed = key.seal(&[0; 12], b"associated", b"");
    assert_eq!(sealed.len(), TAG_LEN);
    assert_eq!(key.open(&[0; 12], b"associated", &sealed).unwrap().as_slice(), b"");
}

#[test]
fn debug_of_a_sealing_key_shows_nothing_of_it() {
    assert_eq!(format!("{:?}", SealingKey::new([0xa1; 32])), "SealingKey(..)");
}

proptest! {
    #[test]
    fn what_is_sealed_opens(key: [u8; 32], nonce: [u8; 12], associated: Vec<u8>, plaintext: Vec<u8>) {
        let key = SealingKey::new(key);
        let sealed = key.seal(&nonce, &associated, &plaintext);
        prop_assert_eq!(sealed.len(), plaintext.len() + TAG_LEN);
        let opened = key.open(&nonce, &associated, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }

    #[test]
    fn any_flipped_bit_of_any_input_is_refused(
        key: [u8; 32], nonce: [u8; 12], associated: Vec<u8>, plaintext: Vec<u8>, at: prop::sample::Index,
    ) {
        let sealed = SealingKey::new(key).seal(&nonce, &associated, &plaintext);
        let mut whole = [&key[..], &nonce, &associated, &sealed].concat();
        let bit = at.index(whole.len() * 8);
        whole[bit / 8] ^= 1 << (bit % 8);
        let (key, rest) = whole.split_at(32);
        let (nonce, rest) = rest.split_at(12);
        let (associated, sealed) = rest.split_at(associated.len());
        let opened = SealingKey::new(key.try_into().unwrap()).open(nonce.try_into().unwrap(), associated, sealed);
        prop_assert_eq!(opened.map(|_| ()), Err(OpenError), "bit {}", bit);
    }

    #[test]
    fn a_truncated_text_is_refused(key: [u8; 32], plaintext: Vec<u8>, cut: prop::sample::Index) {
        let key = SealingKey::new(key);
        let sealed = key.seal(&[9; 12], b"", &plaintext);
        prop_assert_eq!(key.open(&[9; 12], b"", &sealed[..cut.index(sealed.len())]).map(|_| ()), Err(OpenError));
    }

    #[test]
    fn bytes_cannot_move_between_associated_data_and_ciphertext(key: [u8; 32], plaintext in prop::collection::vec(any::<u8>(), 1..50)) {
        let key = SealingKey::new(key);
        let sealed = key.seal(&[9; 12], b"associated", &plaintext);
        let longer = [b"associated".as_slice(), &sealed[..1]].concat();
        prop_assert_eq!(key.open(&[9; 12], &longer, &sealed[1..]).map(|_| ()), Err(OpenError));
    }
}
