//! Records that were damaged, and bounds of what is kept.

use entity_journal::{Batch, Journal, MemoryJournal, Space, Write};
use entity_ledger::record::{ACCOUNT, APPLIED, LEDGER, LOCK, OWN, PENDING, PRESENTED, SUPPLY};
use entity_ledger::{Ledger, PRESENTED_MAX, TransferError, WINDOW};
use entity_wire::payload::token::TokenMessage;

use crate::net::{CAP, Net, amount, id, token};

const SPACES: [Space; 8] = [LEDGER, ACCOUNT, SUPPLY, APPLIED, LOCK, OWN, PENDING, PRESENTED];

/// A net in which node 0 has at least one record in every space.
fn busy() -> Net {
    let mut net = Net::new(2, 1);
    net.pay(0, 1, 1, 100);
    net.finish();
    let to_stranger = net.request(0, 2, 2, 1);
    net.begin(0, to_stranger).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::Transfer(_)));
    net.letters.clear();
    let stuck = net.request(0, 1, 3, 1);
    net.begin(0, stuck).unwrap();
    net
}

fn restore(net: &Net, journal: &MemoryJournal) -> Result<Option<Ledger>, String> {
    let mut stored = journal.load().unwrap();
    Ledger::restore(&mut stored, net.key(0), net.now).map_err(|damaged| damaged.to_string())
}

#[test]
fn every_kind_of_record_is_read_strictly() {
    let net = busy();
    for space in SPACES {
        let journal = &net.nodes[0].journal;
        let records = journal.scan(space, b"", None, 1).unwrap();
        let record = records.first().unwrap_or_else(|| panic!("a record of {}", space.name()));
        let mut bad: Vec<Vec<u8>> = vec![b"".to_vec(), b"{}".to_vec(), b"[]".to_vec()];
        let mut spaced = record.value.clone();
        spaced.insert(1, b' ');
        bad.push(spaced);
        bad.push(record.value[..record.value.len() - 1].to_vec());
        for value in bad {
            let mut damaged = journal.clone();
            let write = Write::put(space, record.key.clone(), value);
            damaged.commit(&[Batch::from(vec![write])]).unwrap();
            let error = restore(&net, &damaged).expect_err("damaged");
            assert!(error.contains(space.name()), "{error}");
        }
        if space != LEDGER {
            let mut damaged = journal.clone();
            let write = Write::put(space, b"nonsense".to_vec(), record.value.clone());
            damaged.commit(&[Batch::from(vec![write])]).unwrap();
            restore(&net, &damaged).expect_err("a key that names nothing");
        }
    }
}

#[test]
fn no_damaged_record_panics() {
    let net = busy();
    for space in SPACES {
        let journal = &net.nodes[0].journal;
        for record in journal.scan(space, b"", None, 4).unwrap() {
            for place in (0..record.value.len()).step_by(5) {
                let mut value = record.value.clone();
                value[place] ^= 1;
                let mut damaged = journal.clone();
                let write = Write::put(space, record.key.clone(), value);
                damaged.commit(&[Batch::from(vec![write])]).unwrap();
                restore(&net, &damaged).ok();
            }
        }
    }
}

#[test]
fn nothing_was_kept_and_nothing_is_there() {
    let net = Net::new(2, 0);
    assert!(restore(&net, &MemoryJournal::default()).unwrap().is_none());
}

#[test]
fn certificates_without_receipts_are_bounded() {
    // A treasury that pays a peer which never answers.
    let mut net = Net::new(1, 0);
    let nobody = crate::net::signing(50).public_key();
    let request = |net: &Net, number: u128| entity_ledger::TransferRequest {
        id: id(number),
        token: token(),
        from: net.key(0),
        to: nobody,
        amount: amount(1),
        expires_at: net.now.plus(std::time::Duration::from_hours(1)),
        memo: None,
        receiver: Some(nobody),
    };
    for number in 0..PRESENTED_MAX {
        let request = request(&net, number as u128);
        let node = &mut net.nodes[0];
        node.ledger.handle_transfer(request, &node.keys, net.now).unwrap();
        node.settle();
    }
    let sent = std::iter::from_fn(|| net.nodes[0].ledger.poll_output());
    let sent = sent.filter(|output| matches!(output, entity_ledger::Output::Send { .. })).count();
    assert_eq!(sent, WINDOW, "so many are under way at a time");
    let one_more = request(&net, PRESENTED_MAX as u128);
    assert_eq!(net.begin(0, one_more.clone()), Err(TransferError::TooManyPresented));
    assert_eq!(net.nodes[0].ledger.presented_count(), PRESENTED_MAX);
    // One receipt makes room for one.
    net.restart(0);
    let at = net.next_deadline().unwrap();
    let node = &mut net.nodes[0];
    node.ledger.handle_deadline(&node.keys, at);
    net.collect(0);
    assert_eq!(net.letters.len(), WINDOW);
    let TokenMessage::Transfer(first) = net.letters[0].message.clone() else {
        panic!("a transfer")
    };
    let receipt = entity_wire::payload::token::TokenReceipt { digest: first.certificate.digest() };
    let (from, to) = (nobody, net.key(0));
    net.letters.clear();
    net.deliver(crate::net::Letter { from, to, message: TokenMessage::Receipt(receipt) });
    assert_eq!(net.letters.len(), 1, "the next one of the window");
    net.begin(0, one_more).unwrap();
    let spent = i128::try_from(CAP).unwrap() - PRESENTED_MAX as i128 - 1;
    assert_eq!(net.balance(0, 0), spent);
}

#[test]
fn what_all_but_a_faulty_member_have_is_presented_no_more() {
    let mut net = Net::new(4, 0);
    let away = net.key(3);
    net.pay(0, 1, 0, 1);
    for number in 1..=PRESENTED_MAX as u128 {
        let request = net.request(0, 1, number, 1);
        let node = &mut net.nodes[0];
        node.ledger.handle_transfer(request, &node.keys, net.now).unwrap();
        node.settle();
        // The audit after each step would look at everything 4,096 times.
        pump(&mut net, &away);
    }
    assert_eq!(net.nodes[0].ledger.presented_count(), PRESENTED_MAX - 1);
    let request = net.request(0, 1, 1 << 20, 1);
    net.begin(0, request).expect("there is room");
}

/// Delivers everything but what is for one peer.
fn pump(net: &mut Net, away: &entity_crypto::signing::PublicKey) {
    loop {
        let mut letters = Vec::new();
        for node in &mut net.nodes {
            node.settle();
            while let Some(output) = node.ledger.poll_output() {
                if let entity_ledger::Output::Send { to, message } = output
                    && to != *away
                {
                    letters.push((node.key(), to, *message));
                }
            }
        }
        if letters.is_empty() {
            return;
        }
        for (from, to, message) in letters {
            let node = &mut net.nodes[net.index[&to]];
            node.ledger.handle_message(&from, message, &node.keys, net.now);
        }
    }
}
