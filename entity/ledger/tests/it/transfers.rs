use std::time::Duration;

use entity_ledger::{Event, Submitted, TransferError};
use entity_wire::payload::token::{TokenCode, TokenMessage};

use crate::net::{CAP, Net, amount, id, token};

fn cap() -> i128 {
    i128::try_from(CAP).unwrap()
}

fn kinds(net: &Net) -> Vec<String> {
    net.log.iter().map(|letter| letter.message.kind().to_string()).collect()
}

#[test]
fn a_treasury_alone_certifies_its_own_orders_at_once() {
    let mut net = Net::new(1, 1);
    let request = net.request(0, 1, 1, 100);
    let begun = net.begin(0, request).unwrap();
    assert!(matches!(begun, Submitted::Applied { .. }));
    net.run();
    assert_eq!(net.balance(0, 1), 100);
    assert_eq!(net.balance(1, 1), 100, "the receiver has the certificate");
    net.pay(1, 0, 1, 30);
    net.finish();
    assert_eq!(net.balances(0), [cap() - 70, 70]);
    assert_eq!(net.balances(1), [cap() - 70, 70]);
}

#[test]
fn both_sides_of_a_committee_of_two_agree() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 10_000);
    net.pay(1, 0, 1, 250);
    for place in 0..2 {
        assert_eq!(net.balances(place), [cap() - 9_750, 9_750]);
    }
    net.finish();
    assert_eq!(net.nodes[0].ledger.presented_count(), 0);
    assert_eq!(net.next_deadline(), None, "nothing is repeated for ever");
}

#[test]
fn a_transfer_between_two_takes_three_messages() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 1);
    net.log.clear();
    net.pay(0, 1, 2, 1);
    assert_eq!(kinds(&net), ["vote_request", "vote", "token_receipt"]);
    net.finish();
    assert_eq!(kinds(&net).len(), 3);
}

#[test]
fn committees_of_three_and_four_agree() {
    for members in [3, 4] {
        let mut net = Net::new(members, 1);
        net.pay(0, 1, 1, 500);
        net.pay(1, 2, 1, 200);
        net.pay(0, usize::from(members), 2, 7);
        net.finish();
        for place in 0..usize::from(members) {
            assert_eq!(net.balances(place), net.balances(0));
        }
        let stranger = usize::from(members);
        assert_eq!(net.balance(stranger, stranger), 7);
        assert_eq!(net.next_deadline(), None);
    }
}

#[test]
fn an_overdraft_is_refused_and_nothing_moves() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 100);
    let (request, before) = (net.request(1, 0, 9, 101), net.persists);
    let refused = TransferError::Refused(TokenCode::InsufficientFunds);
    assert_eq!(net.begin(1, request), Err(refused));
    let request = net.request(0, 1, 9, CAP);
    assert_eq!(net.begin(0, request), Err(TransferError::Refused(TokenCode::CapExceeded)));
    net.finish();
    assert_eq!(net.persists, before);
    assert_eq!(net.balances(0), [cap() - 100, 100]);
}

#[test]
fn the_same_transfer_again_changes_nothing_not_even_after_a_restart() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 100);
    net.finish();
    let request = net.request(0, 1, 1, 100);
    for _ in 0..2 {
        let again = net.begin(0, request.clone()).unwrap();
        assert!(matches!(again, Submitted::Applied { .. }));
        let other = entity_ledger::TransferRequest { amount: amount(101), ..request.clone() };
        let duplicate = TransferError::Refused(TokenCode::DuplicateWithOtherContent);
        assert_eq!(net.begin(0, other), Err(duplicate));
        assert_eq!(net.balances(1), [cap() - 100, 100]);
        net.restart(0);
        net.restart(1);
    }
    assert!(net.letters.is_empty());
}

#[test]
fn an_account_has_one_order_under_way() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 1);
    let first = net.request(0, 1, 2, 1);
    let begun = net.begin(0, first.clone()).unwrap();
    assert!(matches!(begun, Submitted::Pending { .. }));
    assert_eq!(net.begin(0, first), Ok(begun));
    let second = net.request(0, 1, 3, 1);
    assert_eq!(net.begin(0, second), Err(TransferError::Busy { id: id(2) }));
}

#[test]
fn what_cannot_be_an_order_is_not_begun() {
    let mut net = Net::new(2, 0);
    let own = net.request(0, 0, 1, 1);
    assert_eq!(net.begin(0, own), Err(TransferError::SameAccount));
    let foreign = net.request(1, 0, 1, 1);
    assert_eq!(net.begin(0, foreign), Err(TransferError::NotOwn));
    let unknown = entity_ledger::TransferRequest {
        token: "OTHER".parse().unwrap(),
        ..net.request(0, 1, 1, 1)
    };
    assert_eq!(net.begin(0, unknown), Err(TransferError::Refused(TokenCode::UnknownToken)));
    let late = entity_ledger::TransferRequest {
        expires_at: net.now.offset(-1),
        ..net.request(0, 1, 1, 1)
    };
    assert_eq!(net.begin(0, late), Err(TransferError::Refused(TokenCode::Expired)));
}

#[test]
fn a_member_that_missed_certificates_is_shown_them() {
    let mut net = Net::new(4, 0);
    net.pay(0, 1, 1, 1_000);
    let away = net.key(3);
    for number in 2..5 {
        let request = net.request(0, 1, number, 10);
        net.begin(0, request).unwrap();
        while !net.letters.is_empty() {
            let letter = net.letters.remove(0);
            if letter.to != away {
                net.deliver(letter);
            }
        }
    }
    assert_eq!(net.balance(3, 1), 1_000);
    assert_eq!(net.balance(0, 1), 1_030);
    net.nodes[0].ledger.handle_reachable(&away, net.now);
    net.collect(0);
    net.run();
    assert_eq!(net.balance(3, 1), 1_030);
}

#[test]
fn a_member_is_shown_what_paid_the_account() {
    // Members 0, 1 and 2 have seen the payment to 1, member 3 has not; 2 is away now.
    let mut net = Net::new(4, 0);
    let (late, away) = (net.key(3), net.key(2));
    let request = net.request(0, 1, 1, 50);
    net.begin(0, request).unwrap();
    while let Some(letter) = (!net.letters.is_empty()).then(|| net.letters.remove(0)) {
        let is_certificate = matches!(letter.message, TokenMessage::Transfer(_));
        if !(letter.to == late && is_certificate) {
            net.deliver(letter);
        }
    }
    assert_eq!(net.balance(3, 1), 0);
    let request = net.request(1, 2, 1, 50);
    net.begin(1, request).unwrap();
    while let Some(letter) = (!net.letters.is_empty()).then(|| net.letters.remove(0)) {
        if letter.to != away || matches!(letter.message, TokenMessage::AccountQuery(_)) {
            net.deliver(letter);
        }
    }
    assert_eq!(net.balance(1, 2), 50, "certified by 0, 1 and 3");
    let refused = net.nodes[1].events.iter().any(|event| {
        matches!(event, Event::VoteRefused { code: TokenCode::InsufficientFunds, .. })
    });
    assert!(refused, "member 3 had not seen it");
    net.finish();
    assert_eq!(net.balances(3), net.balances(0));
}

#[test]
fn an_order_fails_only_when_every_member_has_refused_it_for_good() {
    // 1 is no member here: it owns an account and nothing else.
    let mut net = Net::new(2, 1);
    net.pay(0, 2, 1, 100);
    let request = entity_ledger::TransferRequest {
        expires_at: net.now.plus(Duration::from_secs(5)),
        ..net.request(2, 1, 7, 40)
    };
    net.begin(2, request.clone()).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::VoteRequest(_)));
    net.letters.clear();
    net.now = net.now.plus(Duration::from_secs(6));
    let node = &mut net.nodes[2];
    node.ledger.handle_deadline(&node.keys, net.now);
    net.collect(2);
    // One refusal is not enough.
    let second = net.letters.pop().unwrap();
    net.run();
    let is_refused =
        |net: &Net| net.nodes[2].events.iter().any(|event| matches!(event, Event::Refused { .. }));
    assert!(!is_refused(&net));
    assert_eq!(net.nodes[2].ledger.pending().count(), 1);
    net.deliver(second);
    net.run();
    assert!(is_refused(&net));
    assert_eq!(net.nodes[2].ledger.pending().count(), 0);
    // The slot is free again.
    let again = net.request(2, 1, 8, 40);
    net.begin(2, again).unwrap();
    net.finish();
    assert_eq!(net.balance(0, 1), 40);
    let view = net.nodes[0].ledger.account(&net.key(2), &token()).unwrap();
    assert_eq!(view.next_sequence.get(), 2);
}

#[test]
fn an_expired_order_that_others_have_voted_for_is_completed() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 1);
    let request = entity_ledger::TransferRequest {
        expires_at: net.now.plus(Duration::from_secs(5)),
        ..net.request(0, 1, 2, 1)
    };
    net.begin(0, request).unwrap();
    net.letters.clear();
    net.now = net.now.plus(Duration::from_mins(1));
    net.finish();
    assert_eq!(net.balances(1), [cap() - 2, 2]);
}

#[test]
fn an_owner_that_lost_its_state_completes_what_it_had_begun() {
    let mut net = Net::new(2, 1);
    net.pay(0, 2, 1, 100);
    net.pay(2, 1, 1, 10);
    let request = net.request(2, 1, 2, 20);
    net.begin(2, request).unwrap();
    // Both members vote, and no vote comes back.
    net.run_until(|letter| matches!(letter.message, TokenMessage::Vote(_)));
    net.letters.retain(|letter| !matches!(letter.message, TokenMessage::Vote(_)));
    net.run_until(|letter| matches!(letter.message, TokenMessage::Vote(_)));
    net.letters.clear();
    net.forget(2);
    let request = net.request(2, 1, 3, 30);
    assert_eq!(net.begin(2, request), Ok(Submitted::Asking));
    net.finish();
    assert_eq!(net.balance(0, 1), 60, "10, 20 and 30");
    assert_eq!(net.balance(0, 2), 40);
    for node in &net.nodes {
        assert_eq!(node.ledger.audit().evidence, 0);
    }
}

#[test]
fn a_quorum_of_refusals_is_not_enough_to_give_an_order_up() {
    // With one member silent and one that may lie, two votes could still come, and f + 1 votes carry an order past its end.
    let mut net = Net::new(4, 1);
    net.pay(0, 4, 1, 100);
    let request = entity_ledger::TransferRequest {
        expires_at: net.now.plus(Duration::from_secs(1)),
        ..net.request(4, 1, 7, 40)
    };
    net.begin(4, request).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::VoteRequest(_)));
    net.now = net.now.plus(Duration::from_secs(2));
    let silent = net.letters.pop().unwrap();
    net.run();
    assert_eq!(net.nodes[4].ledger.pending().count(), 1, "three of four have refused");
    net.deliver(silent);
    net.run();
    assert_eq!(net.nodes[4].ledger.pending().count(), 0, "four of four have");
}

#[test]
fn one_name_is_one_transfer_whatever_the_token() {
    let issuer = crate::net::signing(1).public_key();
    let issued = |token: &str| entity_wire::payload::token::TokenGenesis {
        token: token.parse().unwrap(),
        issuer,
        cap: amount(CAP),
    };
    let members = vec![issuer, crate::net::signing(2).public_key()];
    let tokens = vec![issued("ONE"), issued("TWO")];
    let genesis = entity_wire::payload::token::Genesis::new(members, tokens).unwrap();
    let mut net = Net::of(genesis, &[1, 2]);
    let request = |net: &Net, token: &str, number| entity_ledger::TransferRequest {
        token: token.parse().unwrap(),
        ..net.request(0, 1, number, 5)
    };
    let duplicate = TransferError::Refused(TokenCode::DuplicateWithOtherContent);
    let asking = request(&net, "ONE", 1);
    assert_eq!(net.begin(0, asking), Ok(Submitted::Asking));
    let other = request(&net, "TWO", 1);
    assert_eq!(net.begin(0, other.clone()), Err(duplicate), "while members are asked");
    net.run_until(|letter| matches!(letter.message, TokenMessage::VoteRequest(_)));
    assert_eq!(net.begin(0, other.clone()), Err(duplicate), "while it is pending");
    net.restart(0);
    assert_eq!(net.begin(0, other.clone()), Err(duplicate), "after a restart");
    net.finish();
    assert_eq!(net.begin(0, other), Err(duplicate), "once it is applied");
    let fresh = request(&net, "TWO", 2);
    net.begin(0, fresh).unwrap();
    net.finish();
    for token in ["ONE", "TWO"] {
        let view = net.nodes[1].ledger.account(&net.key(1), &token.parse().unwrap()).unwrap();
        assert_eq!(view.balance.units(), 5, "{token}");
    }
}

#[test]
fn an_owner_that_lost_its_state_completes_also_what_only_one_member_has_heard_of() {
    let mut net = Net::new(4, 1);
    net.pay(0, 4, 1, 100);
    net.pay(4, 1, 1, 10);
    net.finish();
    let first = net.key(0);
    // Order 2 is certified, and of the members only the first is shown that; it alone is asked for its vote for order 3.
    let second = net.request(4, 1, 2, 20);
    net.begin(4, second).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::Transfer(_)));
    net.letters.retain(|letter| letter.to == first);
    net.run();
    let third = net.request(4, 1, 3, 30);
    net.begin(4, third).unwrap();
    net.letters.retain(|letter| letter.to == first);
    net.run_until(|letter| matches!(letter.message, TokenMessage::Vote(_)));
    net.letters.clear();
    net.forget(4);
    let fourth = net.request(4, 1, 4, 5);
    assert_eq!(net.begin(4, fourth), Ok(Submitted::Asking));
    net.finish();
    for place in 0..4 {
        assert_eq!(net.nodes[place].ledger.audit().evidence, 0, "member {place}");
        assert_eq!(net.balance(place, 1), 65, "10, 20, 30 and 5 at member {place}");
    }
}

#[test]
fn an_owner_that_lost_its_state_helps_a_member_that_lacks_a_certificate() {
    let mut net = Net::new(2, 1);
    net.pay(0, 2, 1, 100);
    net.pay(2, 1, 1, 10);
    net.finish();
    let first = net.key(0);
    let second = net.request(2, 1, 2, 20);
    net.begin(2, second).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::Transfer(_)));
    net.letters.retain(|letter| letter.to == first);
    net.run();
    let third = net.request(2, 1, 3, 30);
    net.begin(2, third).unwrap();
    net.letters.retain(|letter| letter.to == first);
    net.run_until(|letter| matches!(letter.message, TokenMessage::Vote(_)));
    net.letters.clear();
    net.forget(2);
    let fourth = net.request(2, 1, 4, 5);
    assert_eq!(net.begin(2, fourth), Ok(Submitted::Asking));
    net.finish();
    for place in 0..2 {
        assert_eq!(net.nodes[place].ledger.audit().evidence, 0, "member {place}");
        assert_eq!(net.balance(place, 1), 65, "10, 20, 30 and 5 at member {place}");
    }
}

#[test]
fn an_order_that_was_given_up_and_is_shown_by_a_liar_stops_no_owner() {
    let mut net = Net::new(4, 1);
    net.pay(0, 4, 1, 100);
    // Nobody hears of order 7 in time, so all refuse it for good; order 8 takes its slot.
    let request = entity_ledger::TransferRequest {
        expires_at: net.now.plus(Duration::from_secs(1)),
        ..net.request(4, 1, 7, 40)
    };
    net.begin(4, request).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::VoteRequest(_)));
    let TokenMessage::VoteRequest(given_up) = net.letters[0].message.clone() else { panic!() };
    net.now = net.now.plus(Duration::from_secs(2));
    net.run();
    net.pay(4, 1, 8, 10);
    net.finish();
    net.forget(4);
    let request = net.request(4, 1, 9, 5);
    assert_eq!(net.begin(4, request), Ok(Submitted::Asking));
    net.run_until(|letter| matches!(letter.message, TokenMessage::AccountState(_)));
    let liar = net.key(3);
    for letter in &mut net.letters {
        if let TokenMessage::AccountState(state) = &mut letter.message
            && letter.from == liar
        {
            state.next_sequence = given_up.signed.order.terms().sequence;
            let votes = entity_wire::payload::token::Votes::NONE;
            state.pending = Some((given_up.signed.clone(), votes));
        }
    }
    net.finish();
    assert_eq!(net.balance(0, 1), 15, "10 and 5");
    assert_eq!(net.nodes[4].ledger.pending().count(), 0);
}

#[test]
fn an_owner_that_lost_its_state_is_told_when_members_see_too_little_and_signs_nothing() {
    let mut net = Net::new(2, 1);
    net.pay(0, 2, 1, 100);
    net.pay(2, 1, 1, 10);
    net.finish();
    net.forget(2);
    for (number, units, is_covered) in
        [(2, 91, false), (3, 50, true), (4, 41, false), (5, 40, true)]
    {
        let request = net.request(2, 1, number, units);
        assert_eq!(net.begin(2, request), Ok(Submitted::Asking), "{units}");
        net.finish();
        let refused = Event::Refused {
            id: id(number),
            digest: None,
            from: net.key(2),
            code: TokenCode::InsufficientFunds,
        };
        assert_eq!(net.nodes[2].events.contains(&refused), !is_covered, "{units}");
        assert_eq!(net.nodes[2].ledger.pending().count(), 0, "{units}");
    }
    assert_eq!(net.balances(0), [cap() - 100, 100, 0]);
}
