use entity_ledger::{Event, Submitted, TransferError};
use entity_wire::payload::token::TokenCode;

use crate::net::{CAP, Net};

#[test]
fn both_sides_of_a_committee_of_two_agree() {
    let mut net = Net::new(2, 0);
    net.pay(0, 1, 1, 10_000);
    let expected = vec![CAP as i128 - 10_000, 10_000];
    assert_eq!(net.balances(0), expected);
    assert_eq!(net.balances(1), expected);
    net.pay(1, 0, 1, 250);
    assert_eq!(net.balances(0), net.balances(1));
    assert_eq!(net.balance(0, 1), 9_750);
    net.finish();
    assert_eq!(net.nodes[0].ledger.presented_count(), 0);
    assert_eq!(net.next_deadline(), None, "nothing is repeated for ever");
}
