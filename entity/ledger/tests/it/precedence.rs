//! Which reason is told where there are several.

use entity_crypto::signing::Signature;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::token::{
    Epoch, OrderSequence, SignedOrder, Terms, TokenCode, TokenMessage, Votes,
};

use crate::net::{CAP, Letter, Net, amount, genesis, id, said, signing};
use crate::owner_liar::{order, request, vote_of};

/// Node 1 is the only one that runs: the second member of two. The issuer is 1; 5 has 100 and has paid 1 of it under
/// transfer id 77.
fn member() -> Net {
    let mut net = Net::of(genesis(&[1, 2]), &[2]);
    let (issuer, payer) = (signing(1), signing(5));
    let issued = order(&net, &issuer, |terms| {
        terms.to = payer.public_key();
        terms.amount = amount(101);
    });
    let spent = order(&net, &payer, |terms| {
        terms.to = issuer.public_key();
        terms.amount = amount(1);
        terms.transfer_id = id(77);
    });
    for signed in [&issued, &spent] {
        let mut votes = Votes::NONE;
        votes.add(vote_of(&issuer, &signed.order.digest()));
        answer(&mut net, request(signed, votes));
    }
    assert_eq!(net.balance(0, 0), 0);
    net
}

/// What the member answers, without receipts.
fn answer(net: &mut Net, message: TokenMessage) -> Option<TokenCode> {
    let (from, to) = (signing(5).public_key(), net.key(0));
    net.outside.clear();
    net.deliver(Letter { from, to, message });
    net.run();
    let said = said(&net.outside[0].message);
    if said.starts_with("vote ") { None } else { Some(TokenCode::from_text(&said).unwrap()) }
}

/// Makes an order refusable for one reason.
fn spoil(code: TokenCode, net: &Net, terms: &mut Terms) {
    match code {
        TokenCode::AmountInvalid | TokenCode::NotOwner | TokenCode::AccountFrozen => {}
        TokenCode::WrongEpoch => terms.epoch = Epoch::new(1).unwrap(),
        TokenCode::UnknownToken => terms.token = "OTHER".parse().unwrap(),
        TokenCode::DuplicateWithOtherContent => terms.transfer_id = id(77),
        TokenCode::Expired => terms.expires_at = net.now.offset(-1),
        TokenCode::WrongSequence => terms.sequence = OrderSequence::new(9).unwrap(),
        TokenCode::CapExceeded | TokenCode::InsufficientFunds => terms.amount = amount(CAP + 1),
    }
}

/// What an order is refused for that has all these faults.
fn refused_for(faults: &[TokenCode]) -> Option<TokenCode> {
    let mut net = member();
    // The issuer's account knows no transfer id yet: give it one.
    let is_issuer = faults.contains(&TokenCode::CapExceeded);
    let payer = signing(if is_issuer { 1 } else { 5 });
    if is_issuer {
        let spent = order(&net, &payer, |terms| {
            terms.to = net.key(0);
            terms.transfer_id = id(77);
            terms.sequence = OrderSequence::new(2).unwrap();
        });
        let mut votes = Votes::NONE;
        votes.add(vote_of(&payer, &spent.order.digest()));
        assert_eq!(answer(&mut net, request(&spent, votes)), None);
    }
    let next = OrderSequence::new(if is_issuer { 3 } else { 2 }).unwrap();
    let base = |terms: &mut Terms| {
        terms.to = signing(6).public_key();
        terms.transfer_id = id(500);
        terms.sequence = next;
    };
    if faults.contains(&TokenCode::AccountFrozen) {
        for (units, expected) in [(1, None), (2, Some(TokenCode::AccountFrozen))] {
            let double = order(&net, &payer, |terms| {
                base(terms);
                terms.amount = amount(units);
            });
            assert_eq!(answer(&mut net, request(&double, Votes::NONE)), expected);
        }
        assert_eq!(net.nodes[0].ledger.audit().evidence, 1);
    }
    let signed = order(&net, &payer, |terms| {
        base(terms);
        for fault in faults {
            spoil(*fault, &net, terms);
        }
    });
    let signature = if faults.contains(&TokenCode::NotOwner) {
        Signature::from_bytes([1; 64])
    } else {
        signed.signature
    };
    let message = request(&SignedOrder { signature, ..signed }, Votes::NONE);
    if faults.contains(&TokenCode::AmountInvalid) {
        return amount_refusal(message.to_object());
    }
    answer(&mut net, message)
}

/// What is answered where the payload cannot even be read.
fn amount_refusal(mut object: Object) -> Option<TokenCode> {
    let order = object.get_mut("order").unwrap();
    *order = order.clone().into_object().unwrap().with("amount", "0").into();
    let read = TokenMessage::from_object(&MessageKind::VoteRequest, &object).unwrap();
    read.unwrap_err().refusal.map(|refusal| refusal.code)
}

#[test]
fn each_code_is_told_for_its_fault_alone() {
    assert_eq!(refused_for(&[]), None);
    for code in TokenCode::ALL {
        assert_eq!(refused_for(&[*code]), Some(*code));
    }
}

#[test]
fn of_two_faults_the_earlier_in_the_table_is_told() {
    // docs/protocol/1.1.md#token-codes
    for (place, first) in TokenCode::ALL.iter().enumerate() {
        for second in &TokenCode::ALL[place + 1..] {
            // An account is the issuer's or it is not.
            let exclude = [TokenCode::CapExceeded, TokenCode::InsufficientFunds];
            if exclude.contains(first) && exclude.contains(second) {
                continue;
            }
            assert_eq!(refused_for(&[*first, *second]), Some(*first), "{first} with {second}");
            assert_eq!(refused_for(&[*second, *first]), Some(*first), "{second} with {first}");
        }
    }
}
