//! What members do with certificates, and what a lying member can do.

use entity_crypto::signing::Signature;
use entity_ledger::certificate::{InvalidCertificate, Known, verify_certificate};
use entity_ledger::{Event, HELD_MAX, HELD_OF_ACCOUNT_MAX, Outcome, REPEAT_MAX, State};
use entity_wire::payload::token::{
    AccountState, Balance, Certificate, MemberVote, OrderSequence, SignedOrder, TokenCode,
    TokenMessage, TokenTransfer, Vote, VoteRefusal, Votes,
};
use proptest::prelude::*;

use crate::net::{CAP, Dice, Letter, Net, amount, genesis, id, signing, token};
use crate::owner_liar::{order, vote_of};

/// A certificate of the committee of 1 and 2, for an order of whom it says.
fn certificate(net: &Net, owner: u8, sequence: u64, to: u8, units: u128) -> Certificate {
    let owner = signing(owner);
    let signed = order(net, &owner, |terms| {
        terms.sequence = OrderSequence::new(sequence).unwrap();
        terms.transfer_id = id(u128::from(sequence));
        terms.to = signing(to).public_key();
        terms.amount = amount(units);
    });
    certify(&signed)
}

fn certify(signed: &SignedOrder) -> Certificate {
    let mut votes = Votes::NONE;
    votes.add(vote_of(&signing(1), &signed.order.digest()));
    votes.add(vote_of(&signing(2), &signed.order.digest()));
    Certificate { signed: signed.clone(), votes }
}

/// Shows node 0 a certificate and says which receipts come.
fn show(net: &mut Net, certificate: Certificate) -> Vec<String> {
    let (from, to) = (signing(9).public_key(), net.key(0));
    let message = TokenMessage::Transfer(TokenTransfer { certificate });
    net.outside.clear();
    net.deliver(Letter { from, to, message });
    net.run();
    net.outside.iter().map(|letter| letter.message.kind().to_string()).collect()
}

fn member() -> Net {
    Net::of(genesis(&[1, 2]), &[2])
}

#[test]
fn certificates_are_applied_in_the_order_of_their_sequences() {
    let mut net = member();
    let made: Vec<Certificate> =
        (1..=4).map(|number| certificate(&net, 1, number, 5, 10)).collect();
    for later in [3, 2, 1] {
        assert_eq!(show(&mut net, made[later].clone()), Vec::<String>::new());
    }
    assert_eq!(net.nodes[0].ledger.held_count(), 3);
    assert_eq!(show(&mut net, made[0].clone()), ["token_receipt"]);
    assert_eq!(net.nodes[0].ledger.held_count(), 0);
    for again in &made {
        assert_eq!(show(&mut net, again.clone()), ["token_receipt"]);
    }
    let five = net.nodes[0].ledger.account(&signing(5).public_key(), &token()).unwrap();
    assert_eq!(five.balance.units(), 40);
}

#[test]
fn a_certificate_is_never_refused_for_funds() {
    let mut net = member();
    // 5 spends what 1 has paid it, and the payment comes later.
    let spending = certificate(&net, 5, 1, 6, 70);
    assert_eq!(show(&mut net, spending), ["token_receipt"]);
    let view = |net: &Net| net.nodes[0].ledger.account(&signing(5).public_key(), &token()).unwrap();
    assert_eq!(view(&net).balance.units(), -70);
    let paying = certificate(&net, 1, 1, 5, 100);
    assert_eq!(show(&mut net, paying), ["token_receipt"]);
    assert_eq!(view(&net).balance.units(), 30);
}

#[test]
fn held_certificates_are_bounded() {
    let mut net = member();
    for number in 0..=HELD_OF_ACCOUNT_MAX as u64 {
        let made = certificate(&net, 1, number + 2, 5, 1);
        show(&mut net, made);
    }
    assert_eq!(net.nodes[0].ledger.held_count(), HELD_OF_ACCOUNT_MAX);
    let accounts = HELD_MAX / HELD_OF_ACCOUNT_MAX;
    for owner in 0..accounts {
        let owner = 20 + u8::try_from(owner).unwrap();
        for number in 0..HELD_OF_ACCOUNT_MAX as u64 {
            let made = certificate(&net, owner, number + 2, 5, 1);
            show(&mut net, made);
        }
    }
    assert_eq!(net.nodes[0].ledger.held_count(), HELD_MAX);
    let made = certificate(&net, 1, 1, 5, 1);
    assert_eq!(show(&mut net, made), ["token_receipt"]);
    assert_eq!(net.nodes[0].ledger.held_count(), HELD_MAX - HELD_OF_ACCOUNT_MAX);
}

#[test]
fn two_certificates_for_one_slot_prove_a_broken_committee() {
    let mut net = member();
    let first = certificate(&net, 1, 1, 5, 10);
    let second = certificate(&net, 1, 1, 6, 10);
    assert_eq!(show(&mut net, first), ["token_receipt"]);
    assert_eq!(show(&mut net, second), Vec::<String>::new());
    let broken = |event: &Event| matches!(event, Event::CommitteeBroken { .. });
    assert_eq!(net.nodes[0].events.iter().filter(|event| broken(event)).count(), 1);
    let six = net.nodes[0].ledger.account(&signing(6).public_key(), &token()).unwrap();
    assert_eq!(six.balance, Balance::ZERO);
}

#[test]
fn a_certificate_against_a_lock_is_applied_and_is_evidence() {
    let mut net = member();
    let locked = order(&net, &signing(1), |terms| terms.amount = amount(3));
    let (from, to) = (signing(9).public_key(), net.key(0));
    let message = crate::owner_liar::request(&locked, Votes::NONE);
    net.deliver(Letter { from, to, message });
    net.run();
    assert_eq!(net.nodes[0].ledger.pending().count(), 1);
    let made = certificate(&net, 1, 1, 5, 10);
    assert_eq!(show(&mut net, made), ["token_receipt"]);
    assert_eq!(net.nodes[0].ledger.pending().count(), 0);
    assert_eq!(net.nodes[0].ledger.audit().evidence, 1);
    net.restart(0);
    assert_eq!(net.nodes[0].ledger.audit().evidence, 1);
    let next = certificate(&net, 1, 2, 5, 10);
    assert_eq!(show(&mut net, next), ["token_receipt"], "frozen accounts are still applied to");
}

#[test]
fn what_no_balance_can_hold_is_not_applied() {
    let net = member();
    let rules = net.nodes[0].ledger.rules();
    let mut state = State::new(std::sync::Arc::clone(rules), true);
    let huge = u128::MAX >> 1;
    for (number, expected) in [(1, Outcome::Applied), (2, Outcome::Impossible)] {
        let made = certificate(&net, 5, number, 6, huge);
        let made = verify_certificate(rules, made, &Known::default()).unwrap();
        assert_eq!(state.apply(&made), expected);
    }
}

#[test]
fn every_part_of_a_certificate_counts() {
    let net = member();
    let rules = net.nodes[0].ledger.rules();
    let made = certificate(&net, 1, 1, 5, 10);
    let check = |change: &dyn Fn(&mut Certificate)| {
        let mut changed = made.clone();
        change(&mut changed);
        verify_certificate(rules, changed, &Known::default()).map(drop)
    };
    assert_eq!(check(&|_| {}), Ok(()));
    let with = |votes: &[MemberVote]| {
        let mut list = Votes::NONE;
        for vote in votes {
            assert!(list.add(*vote));
        }
        list
    };
    let digest = made.digest();
    let [first, second, stranger] = [1, 2, 3].map(|seed| vote_of(&signing(seed), &digest));
    let one = InvalidCertificate::TooFewVotes { found: 1, quorum: 2 };
    assert_eq!(check(&|held| held.votes = with(&[first])), Err(one));
    let not_member = Err(InvalidCertificate::NotMember(stranger.member));
    assert_eq!(check(&|held| held.votes = with(&[first, stranger])), not_member);
    assert_eq!(check(&|held| held.votes = with(&[first, second, stranger])), not_member);
    let forged = MemberVote { signature: first.signature, ..second };
    let invalid = Err(InvalidCertificate::InvalidVote(second.member));
    assert_eq!(check(&|held| held.votes = with(&[first, forged])), invalid);
    let not_owner = Err(InvalidCertificate::Order(TokenCode::NotOwner));
    assert_eq!(check(&|held| held.signed.signature = Signature::from_bytes([0; 64])), not_owner);
    let other = order(&net, &signing(1), |terms| {
        terms.epoch = entity_wire::payload::token::Epoch::new(1).unwrap();
    });
    let wrong_epoch = Err(InvalidCertificate::Order(TokenCode::WrongEpoch));
    assert_eq!(check(&|held| *held = certify(&other)), wrong_epoch);
    let unknown = order(&net, &signing(1), |terms| terms.token = "X".parse().unwrap());
    let unknown_token = Err(InvalidCertificate::Order(TokenCode::UnknownToken));
    assert_eq!(check(&|held| *held = certify(&unknown)), unknown_token);
    // A signature for one thing is none for another.
    let swapped =
        MemberVote { signature: signing(2).sign(&made.signed.order.signed_bytes()), ..second };
    assert_eq!(check(&|held| held.votes = with(&[first, swapped])), invalid);
}

/// A member that says whatever the dice say.
fn lie(net: &mut Net, dice: &mut Dice, letter: &Letter) {
    let liar = signing(4);
    let message = if let TokenMessage::VoteRequest(request) = &letter.message {
        let digest = request.signed.order.digest();
        let MemberVote { member, signature } = vote_of(&liar, &digest);
        let code = TokenCode::ALL[dice.below(TokenCode::ALL.len())];
        match dice.below(4) {
            0 => TokenMessage::Vote(Vote { digest, member, signature }),
            1 => {
                let signature = Signature::from_bytes([9; 64]);
                TokenMessage::Vote(Vote { digest, member, signature })
            }
            2 => TokenMessage::VoteRefusal(VoteRefusal { digest, code }),
            _ => return,
        }
    } else if let TokenMessage::AccountQuery(query) = &letter.message {
        // Silence would keep the owner waiting for ten seconds; a lie must not keep it for ever.
        TokenMessage::AccountState(AccountState {
            from: query.from,
            token: query.token.clone(),
            next_sequence: OrderSequence::new(1 + dice.below(9) as u64).unwrap(),
            balance: Balance::new(i128::try_from(dice.below(1_000_000)).unwrap() - 500_000),
            pending: None,
        })
    } else if let TokenMessage::Transfer(transfer) = &letter.message {
        let digest = transfer.certificate.digest();
        TokenMessage::Receipt(entity_wire::payload::token::TokenReceipt { digest })
    } else {
        return;
    };
    net.letters.push(Letter { from: letter.to, to: letter.from, message });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Three honest members out of four pay each other all the same.
    #[test]
    fn one_liar_of_four_stops_nobody(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let mut net = Net::of(genesis(&[1, 2, 3, 4]), &[1, 2, 3]);
        for (from, to, number, units) in [(0, 1, 1, 900), (1, 2, 1, 300), (2, 0, 1, 40), (0, 2, 2, 1)] {
            let request = net.request(from, to, number, units);
            net.begin(from, request).unwrap();
            for _ in 0..20 {
                net.run();
                for letter in std::mem::take(&mut net.outside) {
                    lie(&mut net, &mut dice, &letter);
                }
                net.run();
                let next = net.next_deadline().filter(|at| at.since(net.now) <= REPEAT_MAX);
                let Some(at) = next.filter(|_| net.letters.is_empty()) else { continue };
                net.now = net.now.max(at);
                for place in 0..3 {
                    let node = &mut net.nodes[place];
                    node.ledger.handle_deadline(&node.keys, net.now);
                    net.collect(place);
                }
            }
        }
        let expected = [i128::try_from(CAP).unwrap() - 861, 600, 261];
        for place in 0..3 {
            prop_assert_eq!(net.balances(place), expected);
        }
    }
}
