//! Whatever the network does: nothing is created, nothing happens twice, everybody agrees in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use entity_journal::Journal;
use entity_ledger::record::CERTIFICATE;
use entity_ledger::{Event, Submitted, TransferError, TransferRequest};
use entity_wire::json::{self, RULES_1_1};
use entity_wire::payload::token::{Certificate, Digest, TokenCode};
use proptest::prelude::*;

use crate::net::{CAP, Crash, Dice, Net};

/// Loss, duplication, reordering, crashes and time, while nodes pay each other.
fn disturb(net: &mut Net, dice: &mut Dice, steps: usize) -> Vec<(usize, TransferRequest)> {
    let mut asked: Vec<(usize, TransferRequest)> = Vec::new();
    let count = net.nodes.len();
    for _ in 0..steps {
        match dice.below(12) {
            0..=1 => {
                let (from, to) = (dice.below(count), dice.below(count));
                let units = if from == 0 { dice.below(5_000) } else { dice.below(200) } as u128 + 1;
                let number = asked.len() as u128;
                if from != to {
                    let request = net.request(from, to, number, units);
                    asked.push((from, request.clone()));
                    net.begin(from, request).ok();
                }
            }
            2 if !asked.is_empty() => {
                let (from, request) = asked[dice.below(asked.len())].clone();
                net.begin(from, request).ok();
            }
            3 => {
                let at = net.persists + 1 + dice.below(3);
                net.crash = Some(Crash { at, kept: dice.chance(50) });
            }
            4 => net.restart(dice.below(count)),
            5 => {
                net.now = net.now.plus(Duration::from_millis(dice.below(3_000) as u64));
                let node = dice.below(count);
                let node_ref = &mut net.nodes[node];
                node_ref.ledger.handle_deadline(&node_ref.keys, net.now);
                net.collect(node);
            }
            6 => {
                let (node, other) = (dice.below(count), dice.below(count));
                let other = net.key(other);
                net.nodes[node].ledger.handle_reachable(&other, net.now);
                net.collect(node);
            }
            _ if net.letters.is_empty() => {}
            chosen => {
                let place = dice.below(net.letters.len());
                let letter = net.letters.swap_remove(place);
                match chosen {
                    7 => {}
                    8 => {
                        net.letters.push(letter.clone());
                        net.deliver(letter);
                    }
                    _ => net.deliver(letter),
                }
            }
        }
    }
    asked
}

/// All certificates that a node has kept.
fn certificates(net: &Net, place: usize) -> Vec<Certificate> {
    let journal = &net.nodes[place].journal;
    let records = journal.scan(CERTIFICATE, b"", None, usize::MAX).unwrap();
    let read = |value: &[u8]| {
        let object = json::parse(value, &RULES_1_1).unwrap().into_object().unwrap();
        Certificate::from_object(&object).unwrap()
    };
    records.iter().map(|record| read(&record.value)).collect()
}

/// Users ask until they know: whether a transfer is applied, or refused.
fn outcome(net: &mut Net, from: usize, request: &TransferRequest) -> bool {
    for _ in 0..4 {
        let told = net.nodes[from].events.len();
        match net.begin(from, request.clone()) {
            Ok(Submitted::Applied { .. }) => return true,
            Err(TransferError::Refused(_)) => return false,
            Ok(Submitted::Asking) => {
                net.finish();
                // Payments were on their way to the owner when it first asked: it asks each time, and the event says so.
                if is_told_of_shortage(net, from, request, told) {
                    return false;
                }
            }
            Ok(Submitted::Pending { .. }) | Err(_) => net.finish(),
        }
    }
    panic!("neither done nor refused: {request:?}");
}

/// Whether a node was told, since its first `told` events, that the payer has too little; if so, that has to be true.
fn is_told_of_shortage(net: &Net, from: usize, request: &TransferRequest, told: usize) -> bool {
    let is_shortage = |event: &Event| {
        if let Event::Refused { id, digest: None, from, code } = event {
            let is_it = (*id, *from) == (request.id, request.from);
            is_it && matches!(code, TokenCode::InsufficientFunds | TokenCode::CapExceeded)
        } else {
            false
        }
    };
    let is_told = net.nodes[from].events[told..].iter().any(is_shortage);
    let units = request.amount.units();
    assert!(!is_told || net.balance(0, from) < units, "refused what is covered: {request:?}");
    is_told
}

fn check(net: &mut Net, asked: &[(usize, TransferRequest)], members: usize) {
    net.crash = None;
    net.finish();
    let outcomes: Vec<bool> =
        asked.iter().map(|(from, request)| outcome(net, *from, request)).collect();
    net.finish();
    let mut slots: BTreeMap<_, Digest> = BTreeMap::new();
    for place in 0..net.nodes.len() {
        for certificate in certificates(net, place) {
            let terms = certificate.signed.order.terms();
            let digest = certificate.digest();
            let slot = (terms.from, terms.sequence);
            assert_eq!(*slots.entry(slot).or_insert(digest), digest, "one certificate a slot");
        }
    }
    let expected = net.balances(0);
    for place in 1..members {
        assert_eq!(net.balances(place), expected, "member {place}");
    }
    assert_eq!(expected.iter().sum::<i128>(), i128::try_from(CAP).unwrap());
    for (place, expected) in expected.iter().enumerate().skip(members) {
        assert_eq!(net.balance(place, place), *expected, "owner {place}");
    }
    let all = certificates(net, 0);
    for ((_, request), is_applied) in asked.iter().zip(outcomes) {
        let of_id = all.iter().filter(|held| {
            let terms = held.signed.order.terms();
            terms.from == request.from && terms.transfer_id == request.id
        });
        assert_eq!(of_id.count(), usize::from(is_applied), "{request:?}");
    }
    for node in &net.nodes {
        assert_eq!(node.ledger.pending().collect::<Vec<_>>(), []);
        assert_eq!(node.ledger.presented_count(), 0);
        assert_eq!(node.ledger.audit().evidence, 0, "nobody honest is ever taken for a liar");
    }
    assert_eq!(net.next_deadline(), None);
}

fn conserves(seed: u64, members: u8, others: u8) {
    let mut net = Net::new(members, others.max(2_u8.saturating_sub(members)));
    let mut dice = Dice::new(seed);
    let asked = disturb(&mut net, &mut dice, 250);
    check(&mut net, &asked, usize::from(members));
}

#[test]
fn everything_is_conserved_where_an_owner_that_asks_first_is_told_that_it_has_too_little() {
    conserves(16_769_988_541_486_801_514, 2, 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_conserved_and_happens_once(
        seed in any::<u64>(),
        members in 1_u8..=4,
        others in 0_u8..=2,
    ) {
        conserves(seed, members, others);
    }
}
