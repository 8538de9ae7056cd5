//! What counts only from members, only when it is whole, and only for this ledger.

use entity_crypto::signing::Signature;
use entity_ledger::{Event, QUERY_PATIENCE, Submitted};
use entity_wire::payload::token::{
    AccountState, Balance, Certificate, LedgerId, MemberVote, OrderSequence, SignedOrder,
    TokenCode, TokenMessage, Vote, VoteRefusal, VoteRequest, Votes,
};

use crate::net::{Letter, Net, genesis, id, said, signing, token};
use crate::owner_liar::{order, request, vote_of};

/// Gives a node a message of the key with this seed.
fn tell(net: &mut Net, seed: u8, place: usize, message: TokenMessage) {
    let (from, to) = (signing(seed).public_key(), net.key(place));
    net.deliver(Letter { from, to, message });
}

/// An order of the last node, under way, and nothing else.
fn pending(net: &mut Net) -> SignedOrder {
    let last = net.nodes.len() - 1;
    net.pay(0, last, 1, 100);
    net.finish();
    let request = net.request(last, 0, 7, 40);
    net.begin(last, request).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::VoteRequest(_)));
    let TokenMessage::VoteRequest(asked) = net.letters[0].message.clone() else { panic!() };
    net.letters.clear();
    asked.signed
}

/// The second of two members, with certificates that the first has voted for too.
fn member() -> (Net, [Certificate; 2]) {
    let net = Net::of(genesis(&[1, 2]), &[2]);
    let certificates = [1, 2].map(|number| {
        let signed = order(&net, &signing(1), |terms| {
            terms.sequence = OrderSequence::new(number).unwrap();
            terms.transfer_id = id(number.into());
        });
        let mut votes = Votes::NONE;
        for seed in [1, 2] {
            votes.add(vote_of(&signing(seed), &signed.order.digest()));
        }
        Certificate { signed, votes }
    });
    (net, certificates)
}

#[test]
fn votes_of_strangers_make_no_certificate() {
    let mut net = Net::new(2, 1);
    let digest = pending(&mut net).order.digest();
    for seed in [1, 20, 21] {
        let MemberVote { member, signature } = vote_of(&signing(seed), &digest);
        tell(&mut net, seed, 2, TokenMessage::Vote(Vote { digest, member, signature }));
    }
    let under_way: Vec<_> = net.nodes[2].ledger.under_way().collect();
    assert_eq!((under_way.len(), under_way[0].votes), (1, 1));
}

#[test]
fn refusals_of_strangers_and_refusals_that_pass_give_no_order_up() {
    let mut net = Net::new(2, 1);
    let digest = pending(&mut net).order.digest();
    let refusal = |code| TokenMessage::VoteRefusal(VoteRefusal { digest, code });
    for seed in [20, 21, 22] {
        tell(&mut net, seed, 2, refusal(TokenCode::Expired));
    }
    tell(&mut net, 1, 2, refusal(TokenCode::WrongSequence));
    tell(&mut net, 2, 2, refusal(TokenCode::Expired));
    assert_eq!(net.nodes[2].ledger.pending().count(), 1, "one member says that it may vote yet");
    tell(&mut net, 1, 2, refusal(TokenCode::Expired));
    assert_eq!(net.nodes[2].ledger.pending().count(), 0);
}

/// An answer to the question how an account is seen that has never paid.
fn state(net: &Net, of: usize, next: u64) -> TokenMessage {
    TokenMessage::AccountState(AccountState {
        from: net.key(of),
        token: token(),
        next_sequence: OrderSequence::new(next).unwrap(),
        balance: Balance::new(50),
        pending: None,
    })
}

/// Whether a node has signed an order.
fn has_signed(net: &Net, place: usize) -> bool {
    net.nodes[place].events.iter().any(|event| matches!(event, Event::Signed { .. }))
}

/// The last node, which is no member of four, asks how its account is seen.
fn asking() -> Net {
    let mut net = Net::new(4, 1);
    let request = net.request(4, 1, 1, 10);
    assert_eq!(net.begin(4, request), Ok(Submitted::Asking));
    net.letters.clear();
    net
}

#[test]
fn strangers_say_nothing_about_an_account() {
    let mut net = asking();
    for seed in 20..24 {
        let said = state(&net, 4, 1);
        tell(&mut net, seed, 4, said);
    }
    assert!(!has_signed(&net, 4));
    for seed in 1..=4 {
        assert!(!has_signed(&net, 4), "member {seed} has not answered");
        let said = state(&net, 4, 1);
        tell(&mut net, seed, 4, said);
    }
    assert!(has_signed(&net, 4));
}

/// Three of four members name these slots; then time passes, so much more than the patience of an owner.
fn three_answers(slots: [u64; 3], later_us: i64) -> bool {
    let mut net = asking();
    for (seed, slot) in (1..).zip(slots) {
        let said = state(&net, 4, slot);
        tell(&mut net, seed, 4, said);
    }
    net.now = net.now.plus(QUERY_PATIENCE).offset(later_us);
    let node = &mut net.nodes[4];
    node.ledger.handle_deadline(&node.keys, net.now);
    net.collect(4);
    has_signed(&net, 4)
}

#[test]
fn a_quorum_of_answers_is_enough_only_after_a_while_and_only_where_they_agree() {
    assert!(!three_answers([1, 1, 1], -1));
    assert!(three_answers([1, 1, 1], 0));
    assert!(!three_answers([1, 1, 2], 0));
}

#[test]
fn an_order_of_another_ledger_gets_no_vote() {
    let (mut net, _) = member();
    let other = order(&net, &signing(1), |terms| terms.ledger = LedgerId::from_bytes([7; 32]));
    tell(&mut net, 1, 0, request(&other, Votes::NONE));
    net.run();
    assert_eq!(said(&net.outside[0].message), "WRONG_EPOCH");
}

#[test]
fn certificates_after_one_that_does_not_hold_and_those_with_an_order_of_nobody_are_not_applied() {
    let (mut net, [first, second]) = member();
    let third = order(&net, &signing(1), |terms| {
        terms.sequence = OrderSequence::new(3).unwrap();
        terms.transfer_id = id(3);
    });
    let mut forged = first.clone();
    forged.signed.signature = Signature::from_bytes([0; 64]);
    let ask = |signed: &SignedOrder, certificates: &[&Certificate]| {
        TokenMessage::VoteRequest(VoteRequest {
            signed: signed.clone(),
            votes: Votes::NONE,
            certificates: certificates.iter().copied().cloned().collect(),
        })
    };
    let answers = |net: &mut Net, message| {
        net.outside.clear();
        tell(net, 1, 0, message);
        net.run();
        net.outside.iter().map(|letter| said(&letter.message)).collect::<Vec<_>>()
    };
    let nobody = SignedOrder { signature: Signature::from_bytes([0; 64]), ..third.clone() };
    assert_eq!(answers(&mut net, ask(&nobody, &[&first])), ["NOT_OWNER"]);
    assert_eq!(answers(&mut net, ask(&third, &[&forged, &first])), ["WRONG_SEQUENCE"]);
    assert_eq!(answers(&mut net, ask(&third, &[&first, &forged, &second]))[0], "token_receipt");
    let view = net.nodes[0].ledger.account(&signing(1).public_key(), &token()).unwrap();
    assert_eq!(view.next_sequence.get(), 2);
}
