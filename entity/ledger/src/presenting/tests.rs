use entity_crypto::signing::SigningKey;
use entity_wire::payload::token::{
    Amount, Epoch, LedgerId, Order, OrderSequence, SignedOrder, Terms, TransferId, Votes,
};
use entity_wire::time::Timestamp;

use super::*;
use crate::rules::TokenIndex;

fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed([seed; 32]).public_key()
}

fn presentation(receiver: Option<PublicKey>, waiting: &[u8]) -> Presentation {
    let owner = SigningKey::from_seed([1; 32]);
    let order = Order::new(Terms {
        ledger: LedgerId::from_bytes([1; 32]),
        epoch: Epoch::FIRST,
        transfer_id: TransferId::from_bytes([1; 16]),
        token: "AGT".parse().unwrap(),
        from: owner.public_key(),
        to: key(9),
        amount: Amount::new(1).unwrap(),
        sequence: OrderSequence::FIRST,
        expires_at: Timestamp::UNIX_EPOCH,
        memo: None,
    });
    let order = order.unwrap();
    let signature = owner.sign(&order.signed_bytes());
    let certificate = Certificate { signed: SignedOrder { order, signature }, votes: Votes::NONE };
    let account = AccountKey { owner: key(1), token: TokenIndex(0) };
    let waiting = waiting.iter().map(|seed| key(*seed)).collect();
    Presentation { certificate, account, receiver, waiting }
}

#[test]
fn only_what_no_more_than_the_faulty_members_wait_for_is_dropped() {
    // The members are 2, 3 and 4; one of them may be faulty.
    let is_member = |peer: &PublicKey| [key(2), key(3), key(4)].contains(peer);
    let drops = |receiver, waiting: &[u8]| {
        let mut presenting = Presenting::default();
        let number = presenting.add(presentation(receiver, waiting));
        presenting.drop_oldest(is_member, 1) == Some(number) && presenting.len() == 0
    };
    assert!(drops(None, &[2]));
    assert!(drops(Some(key(9)), &[2]), "the receiver has it");
    assert!(!drops(None, &[2, 3]), "a quorum has not");
    assert!(!drops(Some(key(9)), &[9]), "the receiver has not");
    assert!(!drops(Some(key(2)), &[2]), "a member that is paid is a receiver");
}
