//! Statements, checked from the genesis alone.

use entity_journal::{Batch, Journal, MemoryJournal, Write};
use entity_ledger::record::{
    ACCOUNT, APPLIED, CERTIFICATE, HISTORY, LEDGER, OWN, SUPPLY, history_key, history_prefix,
};
use entity_ledger::{HistoryEntry, Statement, StatementError, verify_statement};
use entity_wire::canonical;
use entity_wire::json::{self, RULES_1_1};
use entity_wire::payload::token::{Balance, Certificate};

use crate::net::{Net, genesis, token};

/// The statement of an account, made as a node makes it: history first, then each certificate.
fn statement(net: &Net, at: usize, of: usize) -> Statement {
    let (account, journal) = (net.key(of), &net.nodes[at].journal);
    let prefix = history_prefix(&account, &token());
    let mut certificates = Vec::new();
    let mut after = None;
    // Page by page, as a long history is read.
    loop {
        let page = journal.scan(HISTORY, &prefix, after.as_deref(), 2).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for record in page {
            let entry = HistoryEntry::from_record(record).unwrap();
            assert_eq!(after.is_some(), entry.position > 0);
            let key = net.nodes[at].ledger.certificate_key_of(&entry);
            assert_eq!(net.nodes[at].ledger.certificate_key(&entry.digest), Some(key.clone()));
            let found = journal.scan(CERTIFICATE, &key, None, 1);
            let object = json::parse(&found.unwrap()[0].value, &RULES_1_1).unwrap();
            let certificate = Certificate::from_object(&object.into_object().unwrap()).unwrap();
            assert_eq!(certificate.digest(), entry.digest);
            certificates.push(certificate);
        }
    }
    let balance = Balance::new(net.balance(at, of));
    Statement { ledger: net.genesis.ledger(), account, token: token(), balance, certificates }
}

fn paid() -> Net {
    let mut net = Net::new(2, 1);
    net.pay(0, 1, 1, 1_000);
    net.pay(1, 2, 1, 10);
    net.pay(1, 0, 2, 20);
    net.pay(0, 1, 2, 5);
    net.pay(2, 1, 1, 3);
    net.finish();
    net
}

#[test]
fn statements_hold_by_the_genesis_alone_and_are_the_same_on_both_sides() {
    let net = paid();
    for of in 0..3 {
        let made = statement(&net, 0, of);
        verify_statement(&net.genesis, &made).unwrap();
        let other = statement(&net, 1, of);
        assert_eq!(made.balance, other.balance);
        let bytes = canonical::object_to_vec(&made.to_object());
        assert_eq!(Statement::from_slice(&bytes).unwrap(), made);
    }
    let own = statement(&net, 2, 2);
    verify_statement(&net.genesis, &own).unwrap();
    assert_eq!((own.balance.units(), own.certificates.len()), (7, 2));
    let after = history_key(&net.key(1), &token(), 3);
    let prefix = history_prefix(&net.key(1), &token());
    let rest = net.nodes[0].journal.scan(HISTORY, &prefix, Some(&after), 9).unwrap();
    assert_eq!(rest.len(), 2, "entries 4 and 5");
}

/// What a node kept, as it was kept before certificates had numbers: under their digests.
fn without_numbers(net: &Net, at: usize) -> MemoryJournal {
    let (now, mut before) = (&net.nodes[at].journal, MemoryJournal::default());
    let ledger = &net.nodes[at].ledger;
    let mut batch = Batch::default();
    for space in [LEDGER, ACCOUNT, SUPPLY, OWN, HISTORY] {
        for record in now.scan(space, b"", None, usize::MAX).unwrap() {
            batch.push(Write::put(space, record.key, record.value));
        }
    }
    for record in now.scan(APPLIED, b"", None, usize::MAX).unwrap() {
        let object = json::parse(&record.value, &RULES_1_1).unwrap().into_object().unwrap();
        let digest = object.get("digest").unwrap().as_str().unwrap().to_owned();
        let key = ledger.certificate_key(&digest.parse().unwrap()).unwrap();
        let certificate = now.scan(CERTIFICATE, &key, None, 1).unwrap().remove(0);
        batch.push(Write::put(CERTIFICATE, digest, certificate.value));
        let object = object.retained(|field| field != "certificate");
        batch.push(Write::put(APPLIED, record.key, canonical::object_to_vec(&object)));
    }
    before.commit(&[batch]).unwrap();
    before
}

#[test]
fn certificates_of_before_are_found_under_their_digests_and_new_ones_under_numbers() {
    let mut net = paid();
    for node in 0..2 {
        net.nodes[node].journal = without_numbers(&net, node);
        net.restart(node);
    }
    net.pay(1, 0, 7, 2);
    net.pay(0, 1, 8, 1);
    net.finish();
    // What comes next gets the number after the last, also where the last one is only read.
    for node in 0..2 {
        net.restart(node);
    }
    net.pay(1, 2, 9, 1);
    net.finish();
    for at in 0..2 {
        let made = statement(&net, at, 1);
        verify_statement(&net.genesis, &made).unwrap();
        assert_eq!(made.certificates.len(), 8);
        let kept = net.nodes[at].journal.scan(CERTIFICATE, b"", None, usize::MAX).unwrap();
        let mut keys: Vec<_> =
            kept.into_iter().map(|record| String::from_utf8(record.key).unwrap()).collect();
        keys.sort_by_key(String::len);
        let numbers: Vec<_> = (1..=3).map(|number| format!("{number:016x}")).collect();
        assert_eq!(keys[..3], numbers);
        assert!(keys[3..].iter().all(|key| key.len() == 64), "{keys:?}");
        assert_eq!(keys.len(), 8);
    }
}

#[test]
fn a_statement_that_was_touched_proves_nothing() {
    let net = paid();
    let made = statement(&net, 0, 1);
    let refused = |change: &dyn Fn(&mut Statement)| {
        let mut changed = made.clone();
        change(&mut changed);
        verify_statement(&net.genesis, &changed).unwrap_err()
    };
    assert!(matches!(
        refused(&|made| made.balance = Balance::new(979)),
        StatementError::Balance { .. }
    ));
    assert!(matches!(
        refused(&|made| made.account = net.key(2)),
        StatementError::OtherAccount { .. }
    ));
    // Its own first payment left out; its own payments in another order; a payment to it twice.
    let own =
        made.certificates.iter().position(|held| held.signed.order.terms().from == net.key(1));
    let own = own.unwrap();
    assert_eq!(
        refused(&|made| drop(made.certificates.remove(own))),
        StatementError::Gap { expected: 1, found: 2 }
    );
    assert_eq!(
        refused(&|made| made.certificates.reverse()),
        StatementError::Gap { expected: 1, found: 2 }
    );
    assert!(matches!(
        refused(&|made| made.certificates.push(made.certificates[0].clone())),
        StatementError::Duplicate { .. }
    ));
    assert!(matches!(
        refused(&|made| drop(made.certificates.remove(0))),
        StatementError::Balance { .. }
    ));
    assert!(matches!(
        refused(&|made| made.certificates[0].votes = made.certificates[1].votes.clone()),
        StatementError::Certificate { .. }
    ));
    let other = genesis(&[1, 3]);
    assert_eq!(verify_statement(&other, &made), Err(StatementError::OtherLedger));
}

#[test]
fn no_changed_byte_of_a_statement_passes_for_another_truth() {
    let net = paid();
    let made = statement(&net, 0, 2);
    let bytes = canonical::object_to_vec(&made.to_object());
    // Every seventh byte: each costs up to six signatures.
    for place in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let read = Statement::from_slice(&changed);
        let holds = read.is_ok_and(|read| verify_statement(&net.genesis, &read).is_ok());
        assert!(!holds, "byte {place}");
    }
}
