//! Power lost at every batch, before and after it is durable.

use entity_ledger::Submitted;

use crate::net::{Crash, Net};

/// Node 0 pays 1, which pays on, while the power fails once.
fn payments(members: u8, crash: Option<Crash>) -> Net {
    let mut net = Net::new(members, 1);
    net.crash = crash;
    let last = net.nodes.len() - 1;
    for (from, to, number, units) in
        [(0, 1, 1, 1_000), (1, 0, 1, 300), (0, last, 2, 70), (1, last, 2, 5), (last, 0, 1, 60)]
    {
        // The user of a node that has lost its power asks again, under the same id.
        for _ in 0..4 {
            let request = net.request(from, to, number, units);
            net.has_crashed = false;
            let begun = net.begin(from, request);
            let is_answered = !net.has_crashed;
            net.finish();
            if is_answered && matches!(begun, Ok(Submitted::Applied { .. })) {
                break;
            }
        }
    }
    net
}

#[test]
fn both_sides_agree_wherever_the_power_fails() {
    for members in [1, 2, 3, 4] {
        let whole = payments(members, None);
        let (count, expected) = (whole.persists, whole.balances(0));
        assert!(count >= 10, "{count} batches");
        for at in 1..=count {
            for kept in [false, true] {
                let net = payments(members, Some(Crash { at, kept }));
                for place in 0..usize::from(members) {
                    assert_eq!(
                        net.balances(place),
                        expected,
                        "{members} members, batch {at}, kept: {kept}"
                    );
                }
                let last = net.nodes.len() - 1;
                assert_eq!(net.balance(last, last), expected[last]);
                assert!(net.nodes.iter().all(|node| node.ledger.pending().count() == 0));
                assert_eq!(net.next_deadline(), None);
            }
        }
    }
}
