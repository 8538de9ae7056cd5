use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::canonical;
use crate::json::{self, Fields, Object, RULES_1_1, Value};
use crate::kind::MessageKind;
use crate::time::Timestamp;

fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed([seed; 32]).public_key()
}

fn parse(text: &str) -> Object {
    json::parse(text.as_bytes(), &RULES_1_1).unwrap().into_object().unwrap()
}

fn text(object: &Object) -> String {
    String::from_utf8(canonical::object_to_vec(object)).unwrap()
}

fn terms() -> Terms {
    Terms {
        ledger: LedgerId::from_bytes([0xab; 32]),
        epoch: Epoch::FIRST,
        transfer_id: "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap(),
        token: "AGT".parse().unwrap(),
        from: key(1),
        to: key(2),
        amount: Amount::MAX,
        sequence: OrderSequence::new((1 << 53) - 1).unwrap(),
        expires_at: Timestamp::UNIX_EPOCH,
        memo: Memo::new("\u{fc}\"\n"),
    }
}

fn signed() -> SignedOrder {
    let key = SigningKey::from_seed([1; 32]);
    let order = Order::new(terms()).unwrap();
    let signature = key.sign(&order.signed_bytes());
    SignedOrder { order, signature }
}

fn votes(seeds: &[u8]) -> Votes {
    let mut votes = Votes::NONE;
    for seed in seeds {
        let signature = Signature::from_bytes([*seed; 64]);
        assert!(votes.add(MemberVote { member: key(*seed), signature }));
    }
    votes
}

fn messages() -> Vec<TokenMessage> {
    let certificate = Certificate { signed: signed(), votes: votes(&[3, 4]) };
    let digest = Digest::from_bytes([7; 32]);
    vec![
        TokenMessage::VoteRequest(VoteRequest {
            signed: signed(),
            votes: votes(&[3]),
            certificates: vec![certificate.clone()],
        }),
        TokenMessage::Vote(Vote {
            digest,
            member: key(3),
            signature: Signature::from_bytes([3; 64]),
        }),
        TokenMessage::VoteRefusal(VoteRefusal { digest, code: TokenCode::Expired }),
        TokenMessage::Transfer(TokenTransfer { certificate }),
        TokenMessage::Receipt(TokenReceipt { digest }),
        TokenMessage::AccountQuery(AccountQuery { from: key(1), token: "AGT".parse().unwrap() }),
        TokenMessage::AccountState(AccountState {
            from: key(1),
            token: "AGT".parse().unwrap(),
            next_sequence: terms().sequence,
            balance: Balance::new(-5),
            pending: Some((signed(), votes(&[3]))),
        }),
    ]
}

#[test]
fn an_order_has_exactly_these_bytes() {
    // docs/protocol/1.1.md#order
    let order = Order::new(terms()).unwrap();
    let expected = format!(
        concat!(
            r#"{{"amount":"170141183460469231731687303715884105727","epoch":0,"#,
            r#""expires_at":"1970-01-01T00:00:00.000000+00:00","from":"{}","ledger":"{}","#,
            r#""memo":"\u00fc\"\n","sequence":9007199254740991,"to":"{}","token":"AGT","#,
            r#""transfer_id":"00112233-4455-6677-8899-aabbccddeeff"}}"#
        ),
        key(1),
        "ab".repeat(32),
        key(2)
    );
    assert_eq!(text(&order.to_object()), expected);
    let labelled = format!("peer-v1.1-order\0{expected}");
    let digest = entity_crypto::derivation::sha256(labelled.as_bytes());
    assert_eq!(order.digest().as_bytes(), &digest);
    let read = Order::from_object(&parse(&expected)).unwrap();
    assert_eq!(read, order);
    // The digest is that of the canonical form, however the text was spelt.
    let respelt = expected.replace("\\u00fc", "\u{fc}").replace(":0,", ": 0 ,");
    assert_eq!(Order::from_object(&parse(&respelt)).unwrap().digest(), order.digest());
}

#[test]
fn orders_are_exact() {
    let valid = Order::new(terms()).unwrap().to_object();
    let bad = [
        (
            "amount",
            vec![
                "\"0\"",
                "\"01\"",
                "\"+1\"",
                "\"-1\"",
                "\"1.0\"",
                "\"1e3\"",
                "\"\"",
                "1",
                "\"170141183460469231731687303715884105728\"",
                "\" 1\"",
                "\"\\u0661\"",
                "null",
                "\"9999999999999999999999999999999999999999\"",
            ],
        ),
        ("epoch", vec!["-1", "\"0\"", "9007199254740992", "null"]),
        (
            "expires_at",
            vec!["\"1970-01-01T00:00:00Z\"", "0", "\"1970-01-01T00:00:00.000000+01:00\""],
        ),
        ("from", vec!["\"\"", "\"AB\"", "null"]),
        ("ledger", vec!["\"ab\"", "null", "7"]),
        ("memo", vec!["null", "7", "[]"]),
        ("sequence", vec!["0", "9007199254740992", "\"1\"", "-1"]),
        (
            "token",
            vec![
                "\"\"",
                "\"a b\"",
                "\"\u{fc}\"",
                "\"a/b\"",
                "\"abcdefghijklmnopqrstuvwxyz1234567\"",
                "null",
            ],
        ),
        (
            "transfer_id",
            vec![
                "\"00112233-4455-6677-8899-AABBCCDDEEFF\"",
                "\"00112233445566778899aabbccddeeff\"",
                "\"0011223-34455-6677-8899-aabbccddeeff\"",
                "\"00112233-4455-6677-8899-aabbccddee-f\"",
                "null",
            ],
        ),
    ];
    for (field, values) in bad {
        for value in values {
            let value = json::parse(value.as_bytes(), &RULES_1_1).unwrap();
            let changed = valid.clone().with(field, value.clone());
            let error = Order::from_object(&changed).expect_err(&format!("{field} {value:?}"));
            assert_eq!(error.field, field, "{value:?}");
        }
        let mut without = valid.clone();
        without.remove(field);
        assert_eq!(Order::from_object(&without).is_ok(), field == "memo", "without {field}");
    }
    assert!(Order::from_object(&valid.clone().with("more", 1_u64)).is_err());
    assert!(Order::from_object(&valid.clone().with("to", key(1).to_hex())).is_err());
    assert_eq!(Order::new(Terms { to: key(1), ..terms() }), Err(TermsError));
    let long = "m".repeat(Memo::LEN_MAX);
    assert!(Order::from_object(&valid.clone().with("memo", long.as_str())).is_ok());
    assert!(Order::from_object(&valid.with("memo", long + "m")).is_err());
}

#[test]
fn every_message_reads_back_and_is_exact() {
    for message in messages() {
        let kind = message.kind();
        let object = parse(&text(&message.to_object()));
        assert_eq!(TokenMessage::from_object(&kind, &object), Some(Ok(message.clone())));
        let more = object.clone().with("more", 1_u64);
        assert!(TokenMessage::from_object(&kind, &more).unwrap().is_err(), "{kind}");
        let keys: Vec<String> = object.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let mut without = object.clone();
            without.remove(&key);
            let read = TokenMessage::from_object(&kind, &without).unwrap();
            assert_eq!(read.is_ok(), key == "pending", "{kind} without {key}");
            let null = object.clone().with(&key, Value::Null);
            assert!(
                TokenMessage::from_object(&kind, &null).unwrap().is_err(),
                "{kind}: {key} null"
            );
        }
    }
    assert_eq!(TokenMessage::from_object(&MessageKind::Ping, &Object::new()), None);
}

#[test]
fn votes_are_of_distinct_members_in_ascending_order() {
    let three = votes(&[3, 4, 5]);
    let members: Vec<_> = three.iter().map(|vote| vote.member).collect();
    assert!(members.is_sorted());
    let holder = |list: Value| Object::new().with("votes", list);
    let read = |list: Value| Votes::from_fields(Fields::new(&holder(list)));
    let list = three.to_value();
    assert_eq!(read(list.clone()), Ok(three.clone()));
    let items = list.as_array().unwrap().to_vec();
    assert!(read(Value::Array(items.iter().rev().cloned().collect())).is_err());
    assert!(read(Value::Array(vec![items[0].clone(), items[0].clone()])).is_err());
    let mut again = three;
    let other = MemberVote { member: key(3), signature: Signature::from_bytes([9; 64]) };
    assert!(!again.add(other), "the first vote of a member stays");
    assert_eq!(again.of(&key(3)), Some(&Signature::from_bytes([3; 64])));
}

#[test]
fn lists_are_bounded() {
    let seeds: Vec<u8> = (0..=64).collect();
    let mut members: Vec<PublicKey> = seeds.iter().map(|seed| key(*seed)).collect();
    members.sort_unstable();
    let signature = Signature::from_bytes([1; 64]);
    let mut many = Votes::NONE;
    for member in &members {
        let is_added = many.add(MemberVote { member: *member, signature });
        assert_eq!(is_added, many.len() <= MEMBERS_MAX && is_added);
    }
    assert_eq!(many.len(), MEMBERS_MAX);
    let list = |count: usize| {
        let item = |member: &PublicKey| {
            let object = Object::new()
                .with("member", member.to_hex())
                .with("signature", signature.to_base64());
            Value::from(object)
        };
        Object::new().with("votes", members.iter().take(count).map(item).collect::<Vec<_>>())
    };
    assert!(Votes::from_fields(Fields::new(&list(MEMBERS_MAX))).is_ok());
    assert!(Votes::from_fields(Fields::new(&list(MEMBERS_MAX + 1))).is_err());
    let certificate = Certificate { signed: signed(), votes: votes(&[3]) };
    let request = |count: usize| {
        let certificates = vec![certificate.clone(); count];
        let request = VoteRequest { signed: signed(), votes: Votes::NONE, certificates };
        VoteRequest::from_object(&request.to_object())
    };
    assert!(request(CERTIFICATES_MAX).is_ok());
    assert!(request(CERTIFICATES_MAX + 1).is_err());
}

#[test]
fn the_genesis_is_the_same_in_whatever_order_it_is_written() {
    let token = |name: &str, cap: u128| TokenGenesis {
        token: name.parse().unwrap(),
        issuer: key(1),
        cap: Amount::new(cap).unwrap(),
    };
    let (a, b) = (token("A", 1), token("B", 2));
    let genesis = Genesis::new(vec![key(1), key(2)], vec![a.clone(), b.clone()]).unwrap();
    let other = Genesis::new(vec![key(2), key(1)], vec![b.clone(), a.clone()]).unwrap();
    assert_eq!(genesis, other);
    let object = parse(&text(&genesis.to_object()));
    assert_eq!(Genesis::from_object(&object), Ok(genesis.clone()));
    let labelled = format!("peer-v1.1-genesis\0{}", text(&genesis.to_object()));
    let digest = entity_crypto::derivation::sha256(labelled.as_bytes());
    assert_eq!(genesis.ledger().as_bytes(), &digest);
    let new = |members: Vec<PublicKey>, tokens: Vec<TokenGenesis>| Genesis::new(members, tokens);
    assert_eq!(new(vec![], vec![a.clone()]), Err(GenesisError::CommitteeSize { count: 0 }));
    assert_eq!(new(vec![key(1); 2], vec![a.clone()]), Err(GenesisError::DuplicateMember));
    assert_eq!(new(vec![key(1)], vec![]), Err(GenesisError::TokenCount { count: 0 }));
    assert_eq!(new(vec![key(1)], vec![a.clone(), a.clone()]), Err(GenesisError::DuplicateToken));
    let crowd: Vec<PublicKey> = (0..=64).map(key).collect();
    let crowded = Err(GenesisError::CommitteeSize { count: 65 });
    assert_eq!(new(crowd.clone(), vec![a.clone()]), crowded);
    assert!(new(crowd[1..].to_vec(), vec![a]).is_ok());
    let names: Vec<TokenGenesis> = (0..=64).map(|number| token(&number.to_string(), 1)).collect();
    assert_eq!(new(vec![key(1)], names), Err(GenesisError::TokenCount { count: 65 }));
}

#[test]
fn a_pending_order_belongs_to_its_account_state() {
    let state = AccountState {
        from: key(1),
        token: "AGT".parse().unwrap(),
        next_sequence: terms().sequence,
        balance: Balance::ZERO,
        pending: Some((signed(), Votes::NONE)),
    };
    assert!(AccountState::from_object(&state.to_object()).is_ok());
    let other = |change: &dyn Fn(&mut AccountState)| {
        let mut changed = state.clone();
        change(&mut changed);
        AccountState::from_object(&changed.to_object()).is_err()
    };
    assert!(other(&|state| state.from = key(2)));
    assert!(other(&|state| state.token = "B".parse().unwrap()));
    assert!(other(&|state| state.next_sequence = OrderSequence::FIRST));
}

#[test]
fn only_a_wrong_amount_is_refused_by_its_code() {
    // docs/protocol/1.1.md#token-codes
    let TokenMessage::VoteRequest(request) = &messages()[0] else { panic!("a request") };
    let object = request.to_object();
    let with_order = |field: &str, value: Value| {
        let order = request.signed.order.to_object().with(field, value);
        object.clone().with("order", order)
    };
    let refusal = |object: &Object| {
        let read = TokenMessage::from_object(&MessageKind::VoteRequest, object).unwrap();
        read.err().and_then(|unreadable| unreadable.refusal)
    };
    for amount in [Value::from("0"), Value::from("x"), Value::from(5_u64), Value::Null] {
        let wrong = with_order("amount", amount);
        let digest = Order::digest_of(wrong.get("order").unwrap().as_object().unwrap());
        assert_eq!(refusal(&wrong), Some(VoteRefusal { digest, code: TokenCode::AmountInvalid }));
        assert_eq!(refusal(&wrong.with("more", 1_u64)), None);
    }
    assert_eq!(refusal(&with_order("sequence", Value::from(0_u64))), None);
    assert_eq!(refusal(&object), None);
}

#[test]
fn codes_read_back_and_those_for_good_come_first() {
    for code in TokenCode::ALL {
        assert_eq!(TokenCode::from_text(code.as_str()), Some(*code));
    }
    assert_eq!(TokenCode::from_text("expired"), None);
    assert!(TokenCode::ALL.is_sorted());
    assert!(TokenCode::ALL.is_sorted_by_key(|code| !code.is_final()));
    assert_eq!(TokenCode::ALL.len(), 10);
}

proptest! {
    #[test]
    fn amounts_and_balances_have_one_text_each(units in any::<i128>()) {
        let balance = Balance::new(units);
        prop_assert_eq!(balance.to_string().parse(), Ok(balance));
        for prefix in ["+", "0", "-0", " "] {
            let other = prefix.to_owned() + &units.to_string();
            prop_assert!(other.parse::<Balance>().is_err(), "{}", other);
        }
        let amount = units.to_string().parse::<Amount>();
        prop_assert_eq!(amount.is_ok(), units > 0);
        prop_assert_eq!(amount.ok(), u128::try_from(units).ok().and_then(Amount::new));
    }

    #[test]
    fn no_text_panics_and_what_reads_writes_back(text in "[0-9a-f-]{0,40}|\\PC{0,40}") {
        if let Ok(amount) = text.parse::<Amount>() {
            prop_assert_eq!(amount.to_string(), text.clone());
        }
        if let Ok(balance) = text.parse::<Balance>() {
            prop_assert_eq!(balance.to_string(), text.clone());
        }
        if let Ok(id) = text.parse::<TransferId>() {
            prop_assert_eq!(id.to_string(), text.clone());
        }
        if let Ok(name) = text.parse::<TokenName>() {
            prop_assert_eq!(name.as_str(), text.as_str());
        }
    }

    #[test]
    fn ids_read_back(bytes in any::<[u8; 16]>()) {
        let id = TransferId::from_bytes(bytes);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }
}
