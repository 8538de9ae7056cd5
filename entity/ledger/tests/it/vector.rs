//! The golden exchange of `docs/protocol/vectors/token_1_1.json`: fixed seeds, pinned bytes.

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::hex_encode;
use entity_crypto::signing::labelled;
use entity_journal::{Journal, Space};
use entity_ledger::TransferRequest;
use entity_ledger::record::{
    ACCOUNT, APPLIED, CERTIFICATE, EVIDENCE, HISTORY, LEDGER, LOCK, OWN, PENDING, PRESENTED, SUPPLY,
};
use entity_wire::canonical;
use entity_wire::json::Object;
use entity_wire::payload::token::{Memo, TokenMessage, Votes};
use serde_json::{Value, json};

use crate::net::{Letter, Net, amount, id, signing};
use crate::owner_liar::{order, request};

const PINNED: &str = include_str!("../../../../docs/protocol/vectors/token_1_1.json");

fn text(object: &Object) -> String {
    String::from_utf8(canonical::object_to_vec(object)).unwrap()
}

fn name(net: &Net, key: &entity_crypto::signing::PublicKey) -> &'static str {
    if *key == net.key(0) { "alice" } else { "bob" }
}

/// What has been sent since this was last called: from, to, type and canonical body.
fn sent(net: &mut Net) -> Vec<Value> {
    let log = std::mem::take(&mut net.log);
    let line = |letter: &Letter| {
        json!({
            "from": name(net, &letter.from),
            "to": name(net, &letter.to),
            "msg_type": letter.message.kind().to_string(),
            "body": text(&letter.message.to_object()),
        })
    };
    log.iter().map(line).collect()
}

/// Everything that a node has kept.
fn kept(net: &Net, place: usize) -> Value {
    let spaces: [Space; 11] = [
        LEDGER,
        ACCOUNT,
        SUPPLY,
        APPLIED,
        LOCK,
        OWN,
        PENDING,
        PRESENTED,
        CERTIFICATE,
        HISTORY,
        EVIDENCE,
    ];
    let mut all = serde_json::Map::new();
    for space in spaces {
        let records = net.nodes[place].journal.scan(space, b"", None, usize::MAX).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let records = records.iter().map(|record| json!([text(&record.key), text(&record.value)]));
        all.insert(space.name().to_owned(), records.collect());
    }
    Value::Object(all)
}

/// Alice, the issuer, pays Bob; Bob pays back; Alice begins a third order, and somebody with Alice's key asks Bob first to vote
/// for another one of the same slot.
fn document() -> Value {
    let mut net = Net::new(2, 0);
    let issuing = TransferRequest {
        memo: Memo::new("gr\u{fc}\u{df}e \u{1f980}"),
        ..net.request(0, 1, 1, 5_000)
    };
    net.begin(0, issuing).unwrap();
    net.run();
    let issued = sent(&mut net);
    let burning = net.request(1, 0, 1, 250);
    net.begin(1, burning).unwrap();
    net.run_until(|letter| matches!(letter.message, TokenMessage::Receipt(_)));
    // The receipt gets lost: Bob still presents his certificate.
    net.letters.clear();
    let burned = sent(&mut net);
    let third = net.request(0, 1, 3, 7);
    net.begin(0, third).unwrap();
    let asked = net.letters.remove(0);
    let alice = signing(1);
    let double = order(&net, &alice, |terms| {
        terms.sequence = terms.sequence.next();
        terms.transfer_id = id(4);
        terms.to = signing(3).public_key();
        terms.amount = amount(9);
    });
    let message = request(&double, Votes::NONE);
    let first = text(&message.to_object());
    let (from, to) = (net.key(0), net.key(1));
    net.deliver(Letter { from, to, message });
    net.deliver(asked);
    let equivocation = sent(&mut net);
    let genesis = net.genesis.to_object();
    let canonical = canonical::object_to_vec(&genesis);
    let key = |seed: u8| {
        json!({
            "ed25519_seed": hex_encode(&[seed; 32]),
            "ed25519_public": signing(seed).public_key().to_hex(),
        })
    };
    json!({
        "about": "A ledger of two members. Alice issues to Bob, Bob burns, and Bob is asked to vote for two orders of Alice for one slot. Bodies and records are canonical JSON.",
        "alice": key(1),
        "bob": key(2),
        "genesis": text(&genesis),
        "ledger": hex_encode(&sha256(&labelled("peer-v1.1-genesis", &canonical))),
        "messages": { "issue": issued, "burn": burned },
        "equivocation": { "first": first, "messages": equivocation },
        "kept_by_alice": kept(&net, 0),
        "kept_by_bob": kept(&net, 1),
    })
}

#[test]
fn the_exchange_has_exactly_the_pinned_bytes() {
    let document = document();
    let pinned: Value = serde_json::from_str(PINNED).unwrap();
    assert_eq!(document, pinned, "{}", serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn digests_and_signatures_are_made_as_the_protocol_says() {
    // From the bytes of the vector alone, with nothing of the ledger: docs/protocol/1.1.md#order
    let pinned: Value = serde_json::from_str(PINNED).unwrap();
    let body = pinned["messages"]["issue"][2]["body"].as_str().unwrap();
    let request: Value = serde_json::from_str(body).unwrap();
    let begin = body.find("\"order\":").unwrap() + "\"order\":".len();
    let end = body[begin..].find('}').unwrap() + begin + 1;
    let digest = sha256(&[b"peer-v1.1-order\0", &body.as_bytes()[begin..end]].concat());
    let vote: Value =
        serde_json::from_str(pinned["messages"]["issue"][3]["body"].as_str().unwrap()).unwrap();
    assert_eq!(vote["digest"], hex_encode(&digest));
    let owner = signing(1).sign(&[b"peer-v1.1-order-signature\0", &digest[..]].concat());
    assert_eq!(request["signature"], owner.to_base64());
    let bob = signing(2).sign(&[b"peer-v1.1-vote\0", &digest[..]].concat());
    assert_eq!(vote["signature"], bob.to_base64());
    assert_eq!(pinned["messages"]["issue"][2]["msg_type"], "vote_request");
}
