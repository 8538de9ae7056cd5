//! An owner that signs two orders for one slot, with as many liars among the members as may be.

use std::collections::BTreeMap;

use entity_crypto::signing::SigningKey;
use entity_ledger::Event;
use entity_wire::payload::token::{
    Certificate, Digest, MemberVote, Order, SignedOrder, Terms, TokenMessage, TokenTransfer, Vote,
    VoteRequest, Votes, vote_bytes,
};
use proptest::prelude::*;

use crate::net::{Dice, Letter, Net, amount, genesis, id, said, signing, token};

/// An order that `owner` signs, whatever it has signed before.
pub(crate) fn order(net: &Net, owner: &SigningKey, change: impl FnOnce(&mut Terms)) -> SignedOrder {
    let mut terms = Terms {
        ledger: net.genesis.ledger(),
        epoch: entity_wire::payload::token::Epoch::FIRST,
        transfer_id: id(1),
        token: token(),
        from: owner.public_key(),
        to: signing(7).public_key(),
        amount: amount(10),
        sequence: entity_wire::payload::token::OrderSequence::FIRST,
        expires_at: net.now.plus(std::time::Duration::from_mins(1)),
        memo: None,
    };
    change(&mut terms);
    let order = Order::new(terms).unwrap();
    let signature = owner.sign(&order.signed_bytes());
    SignedOrder { order, signature }
}

pub(crate) fn request(signed: &SignedOrder, votes: Votes) -> TokenMessage {
    let (signed, certificates) = (signed.clone(), Vec::new());
    TokenMessage::VoteRequest(VoteRequest { signed, votes, certificates })
}

pub(crate) fn vote_of(member: &SigningKey, digest: &Digest) -> MemberVote {
    let signature = member.sign(&vote_bytes(digest));
    MemberVote { member: member.public_key(), signature }
}

/// All votes that left the nodes, by the order they are for.
fn votes(net: &Net) -> BTreeMap<Digest, Votes> {
    let mut votes: BTreeMap<Digest, Votes> = BTreeMap::new();
    for letter in &net.log {
        if let TokenMessage::Vote(vote) = &letter.message {
            votes.entry(vote.digest).or_default().add(vote.of_member());
        }
    }
    votes
}

/// Sends a message of nobody's node, and lets everything travel.
fn send(net: &mut Net, from: &SigningKey, place: usize, message: TokenMessage) {
    let (from, to) = (from.public_key(), net.key(place));
    net.deliver(Letter { from, to, message });
    net.run();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A committee of four, one of them a liar that votes for whatever it is asked, and an issuer that pays the same
    /// slot to two.
    #[test]
    fn never_two_certificates_for_one_slot(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        // Node keys 1, 2, 3 are honest members, 4 is the liar, 1's account is not touched; 9 is the issuer.
        let issued = entity_wire::payload::token::TokenGenesis {
            token: token(),
            issuer: signing(9).public_key(),
            cap: amount(1_000),
        };
        let members = (1..=4).map(|seed| signing(seed).public_key()).collect();
        let genesis = entity_wire::payload::token::Genesis::new(members, vec![issued]).unwrap();
        let mut net = Net::of(genesis, &[1, 2, 3]);
        let (owner, liar) = (signing(9), signing(4));
        let orders: Vec<SignedOrder> = (0..3)
            .map(|number| order(&net, &owner, |terms| {
                terms.to = net.key(number);
                terms.transfer_id = id(if dice.chance(50) { 1 } else { number as u128 });
            }))
            .collect();
        for _ in 0..24 {
            let signed = &orders[dice.below(orders.len())];
            let digest = signed.order.digest();
            let mut shown = Votes::NONE;
            if dice.chance(50) {
                shown.add(vote_of(&liar, &digest));
            }
            for vote in votes(&net).get(&digest).into_iter().flatten() {
                if dice.chance(50) {
                    shown.add(*vote);
                }
            }
            if dice.chance(30) {
                net.now = net.now.plus(std::time::Duration::from_secs(dice.below(40) as u64));
            }
            let place = dice.below(3);
            if dice.chance(20) {
                net.restart(place);
            }
            send(&mut net, &owner, place, request(signed, shown));
            // With the liar's vote, whatever has become of the others: at most one order has a quorum.
            let certified: Vec<Certificate> = orders.iter().filter_map(|signed| {
                let digest = signed.order.digest();
                let mut all = votes(&net).remove(&digest).unwrap_or_default();
                all.add(vote_of(&liar, &digest));
                (all.len() >= 3).then(|| Certificate { signed: signed.clone(), votes: all })
            }).collect();
            prop_assert!(certified.len() <= 1);
            if let Some(certificate) = certified.first().filter(|_| dice.chance(30)) {
                let certificate = certificate.clone();
                let place = dice.below(3);
                send(&mut net, &owner, place, TokenMessage::Transfer(TokenTransfer { certificate }));
            }
        }
        let paid: Vec<bool> = (0..3).map(|of| (0..3).any(|at| net.balance(at, of) > 0)).collect();
        prop_assert!(paid.iter().filter(|paid| **paid).count() <= 1, "{paid:?}");
    }
}

#[test]
fn a_member_votes_once_for_a_slot_and_keeps_the_evidence() {
    let mut net = Net::of(genesis(&[1, 2]), &[2]);
    let owner = signing(1);
    let first = order(&net, &owner, |_| {});
    let second = order(&net, &owner, |terms| terms.amount = amount(11));
    let fresh = order(&net, &owner, |terms| terms.transfer_id = id(2));
    send(&mut net, &owner, 0, request(&first, Votes::NONE));
    send(&mut net, &owner, 0, request(&second, Votes::NONE));
    send(&mut net, &owner, 0, request(&fresh, Votes::NONE));
    net.restart(0);
    send(&mut net, &owner, 0, request(&second, Votes::NONE));
    send(&mut net, &owner, 0, request(&first, Votes::NONE));
    let said: Vec<String> = net.outside.iter().map(|letter| said(&letter.message)).collect();
    let vote = format!("vote {}", first.order.digest());
    let frozen = "ACCOUNT_FROZEN".to_owned();
    assert_eq!(said, [vote.clone(), frozen.clone(), frozen.clone(), frozen, vote]);
    let equivocations =
        net.nodes[0].events.iter().filter(|event| matches!(event, Event::Equivocation { .. }));
    assert_eq!(equivocations.count(), 1);
    assert_eq!(net.nodes[0].ledger.audit().evidence, 1);
}

#[test]
fn the_same_vote_comes_again_byte_by_byte() {
    let mut net = Net::of(genesis(&[1, 2]), &[2]);
    let owner = signing(1);
    let signed = order(&net, &owner, |_| {});
    for _ in 0..3 {
        send(&mut net, &owner, 0, request(&signed, Votes::NONE));
        net.restart(0);
    }
    let votes: Vec<&TokenMessage> = net.outside.iter().map(|letter| &letter.message).collect();
    let digest = signed.order.digest();
    let MemberVote { member, signature } = vote_of(&signing(2), &digest);
    let expected = TokenMessage::Vote(Vote { digest, member, signature });
    assert_eq!(votes, [&expected, &expected, &expected]);
}

#[test]
fn a_member_whose_lock_was_overruled_votes_for_no_other_order_of_the_slot() {
    let mut net = Net::of(genesis(&[1, 2, 3, 4]), &[4]);
    let owner = signing(1);
    let locked = order(&net, &owner, |_| {});
    let certified = order(&net, &owner, |terms| terms.transfer_id = id(2));
    let digest = certified.order.digest();
    let mut votes = Votes::NONE;
    for member in 1..=3 {
        votes.add(vote_of(&signing(member), &digest));
    }
    let certificate = Certificate { signed: certified.clone(), votes };
    send(&mut net, &owner, 0, request(&locked, Votes::NONE));
    send(&mut net, &owner, 0, TokenMessage::Transfer(TokenTransfer { certificate }));
    for _ in 0..2 {
        send(&mut net, &owner, 0, request(&certified, Votes::NONE));
        send(&mut net, &owner, 0, request(&locked, Votes::NONE));
        net.restart(0);
    }
    let said: Vec<String> = net.outside.iter().map(|letter| said(&letter.message)).collect();
    let vote = format!("vote {}", locked.order.digest());
    let mut expected = vec![vote.as_str(), "token_receipt"];
    expected.extend(["ACCOUNT_FROZEN", "ACCOUNT_FROZEN", "ACCOUNT_FROZEN", "ACCOUNT_FROZEN"]);
    assert_eq!(said, expected, "it voted once for the slot");
}
