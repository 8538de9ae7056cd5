use super::*;

fn at() -> Timestamp {
    Timestamp::from_micros(1_795_332_118_000_000)
}

fn handover(name: &str) -> Handover {
    let (old, new) = (SigningKey::from_seed([0xa1; 32]), SigningKey::from_seed([0xb2; 32]));
    Handover::sign(name.parse().unwrap(), &old, &new, at()).unwrap()
}

#[test]
fn a_hand_over_has_fixed_bytes() {
    let statement = statement(
        &"entity-a".parse().unwrap(),
        SigningKey::from_seed([0xa1; 32]).public_key(),
        SigningKey::from_seed([0xb2; 32]).public_key(),
        at(),
    );
    assert_eq!(
        String::from_utf8(signed_bytes(&statement)).unwrap(),
        "peer-v1.1-key-handover\0{\"created_at\":\"2026-11-22T07:21:58.000000+00:00\",\"id\":\"entity-a\",\
         \"new_key\":\"55154f42065ea5a1bea05463826be2684eb92df92c100027aabaae57ca554207\",\
         \"old_key\":\"bc7cbcb5636375fa1d82434d466724d92377f53b980695dd49d26d0ce12205a5\"}"
    );
    assert_eq!(
        String::from_utf8(handover("entity-a").to_json()).unwrap(),
        include_str!("../../../../docs/protocol/vectors/key_handover.json").trim_end()
    );
}

#[test]
fn a_hand_over_reads_back() {
    for name in ["entity-a", "entity-b:日本/\"test\" id"] {
        let handover = handover(name);
        assert_eq!(Handover::parse(&handover.to_json()), Ok(handover));
    }
}

#[test]
fn no_field_of_a_hand_over_can_be_changed() {
    let json = String::from_utf8(handover("entity-a").to_json()).unwrap();
    let other = SigningKey::from_seed([0xc3; 32]);
    let keys = [handover("entity-a").old_key().to_hex(), handover("entity-a").new_key().to_hex()];
    for (from, to) in [
        ("entity-a", "entity-b".to_owned()),
        ("07:21:58", "07:21:59".to_owned()),
        (&keys[0], other.public_key().to_hex()),
        (&keys[1], other.public_key().to_hex()),
    ] {
        let changed = json.replace(from, &to);
        assert_ne!(changed, json);
        assert_eq!(Handover::parse(changed.as_bytes()), Err(InvalidHandover::Signature));
    }
    let swapped = json
        .replace("old_signature", "x")
        .replace("new_signature", "old_signature")
        .replace("\"x\"", "\"new_signature\"");
    assert_eq!(Handover::parse(swapped.as_bytes()), Err(InvalidHandover::Signature));
}

#[test]
fn a_successor_who_does_not_hold_the_key_is_no_successor() {
    // The old key signs somebody else's public key, and signs in the place of the new one as well.
    let (old, victim) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    let id: KeyName = "a".parse().unwrap();
    let signed = signed_bytes(&statement(&id, old.public_key(), victim.public_key(), at()));
    let forged = Handover {
        id,
        old_key: old.public_key(),
        new_key: victim.public_key(),
        created_at: at(),
        old_signature: old.sign(&signed),
        new_signature: old.sign(&signed),
    };
    assert_eq!(Handover::parse(&forged.to_json()), Err(InvalidHandover::Signature));
}

#[test]
fn what_is_no_hand_over_is_refused() {
    let key = SigningKey::from_seed([1; 32]);
    let same = Handover::sign("a".parse().unwrap(), &key, &key, at());
    assert_eq!(same, Err(InvalidHandover::SameKey));
    let json = String::from_utf8(handover("entity-a").to_json()).unwrap();
    for text in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        json.replace("\"id\":\"entity-a\",", ""),
        json.replace("\"id\"", "\"extra\":1,\"id\""),
        json.replace("+00:00", "Z"),
        format!("{json}{}", " ".repeat(HANDOVER_LEN_MAX)),
    ] {
        let outcome = Handover::parse(text.as_bytes());
        assert!(matches!(outcome, Err(InvalidHandover::Malformed(_))), "{text}: {outcome:?}");
    }
}
