use entity_crypto::signing::SigningKey;
use entity_wire::payload::token::{
    Amount, Epoch, LedgerId, MemberVote, Memo, Order, OrderSequence, Terms,
};
use entity_wire::time::Timestamp;

use super::*;

fn certificate(memo: Option<&str>, voters: u8) -> Certificate {
    let key = |seed: u8| SigningKey::from_seed([seed; 32]);
    let terms = Terms {
        ledger: LedgerId::from_bytes([7; 32]),
        epoch: Epoch::FIRST,
        transfer_id: TransferId::from_bytes([1; 16]),
        token: "A-Z.0_z".parse().unwrap(),
        from: key(1).public_key(),
        to: key(2).public_key(),
        amount: Amount::new(u128::MAX >> 1).unwrap(),
        sequence: OrderSequence::FIRST.next(),
        expires_at: Timestamp::from_iso_strict("2026-01-01T00:00:00.000001+00:00").unwrap(),
        memo: memo.map(|memo| Memo::new(memo).unwrap()),
    };
    let order = Order::new(terms).unwrap();
    let signature = key(1).sign(&order.signed_bytes());
    let mut votes = Votes::NONE;
    for member in (1..=voters).map(key) {
        let signature = member.sign(b"vote");
        votes.add(MemberVote { member: member.public_key(), signature });
    }
    Certificate { signed: SignedOrder { order, signature }, votes }
}

#[test]
fn a_certificate_is_written_as_its_tree_is() {
    for memo in [None, Some(""), Some("gr\u{fc}\u{df}e \"\\\u{7f}\n\u{1f980}")] {
        for voters in [0, 1, 3] {
            let certificate = certificate(memo, voters);
            let tree = canonical::object_to_vec(&certificate.to_object());
            assert_eq!(certificate_text(&certificate), tree);
            let order = certificate.signed.order;
            assert_eq!(order.canonical(), canonical::object_to_vec(&order.to_object()));
        }
    }
}

#[test]
fn an_object_is_written_as_its_tree_is() {
    let keys = [1, 2].map(|seed| SigningKey::from_seed([seed; 32]).public_key());
    let list = |keys: &[PublicKey]| {
        Value::Array(keys.iter().map(|key| Value::from(key.to_hex())).collect())
    };
    let tree = Object::new()
        .with("a", true)
        .with("b", list(&keys))
        .with("c", list(&[]))
        .with("d", u64::MAX)
        .with("e", "-5")
        .with("f", "\u{e9}\t\u{10ffff}");
    let text = Writing::with_room(0)
        .flag("a", true)
        .keys("b", &keys)
        .keys("c", &[])
        .number("d", u64::MAX)
        .plain("e", "-5")
        .text("f", "\u{e9}\t\u{10ffff}");
    assert_eq!(text.end(), canonical::object_to_vec(&tree));
    assert_eq!(Writing::with_room(0).end(), b"{}");
    assert!(is_plain("az AZ09/+=-") && !is_plain("\"") && !is_plain("\\") && !is_plain("\u{7f}"));
}
