use super::*;

fn capabilities() -> Capabilities {
    Capabilities::new(REQUIRED_CAPABILITIES)
}

fn init() -> HandshakeInit {
    HandshakeInit {
        ephemeral_public_key: EphemeralSecret::from_bytes([5; 32]).public_key(),
        identity_key: signing().public_key(),
        supported_versions: vec!["1.0".to_owned(), "1.1".to_owned()],
        capabilities: capabilities(),
        challenge: [6; 32],
        peer_identity_key: Some(SigningKey::from_seed([4; 32]).public_key()),
        address: Some("http://127.0.0.1:8001".to_owned()),
    }
}

fn init_ack() -> HandshakeInitAck {
    HandshakeInitAck {
        ephemeral_public_key: EphemeralSecret::from_bytes([5; 32]).public_key(),
        identity_key: signing().public_key(),
        challenge: [7; 32],
        capabilities: capabilities(),
        challenge_signature: Some(signing().sign(b"x")),
    }
}

#[test]
fn the_1_1_handshake_reads_back_and_is_strict() {
    // docs/protocol/1.1.md#handshake-steps
    let init = init();
    assert_eq!(HandshakeInit::from_object(&init.to_object()), Ok(init.clone()));
    strict(&init.to_object(), HandshakeInit::from_object, &["peer_identity_key", "address"], &[]);
    let ack = init_ack();
    assert_eq!(HandshakeInitAck::from_object(&ack.to_object()), Ok(ack.clone()));
    strict(&ack.to_object(), HandshakeInitAck::from_object, &[], &[]);
    let response = ChallengeResponse {
        challenge_signature: Some(signing().sign(b"y")),
        session_id_ack: session(),
    };
    assert_eq!(ChallengeResponse::from_object(&response.to_object()), Ok(response.clone()));
    strict(&response.to_object(), ChallengeResponse::from_object, &[], &[]);
    let established = SessionEstablished { session_id: session() };
    assert_eq!(SessionEstablished::from_object(&established.to_object()), Ok(established));
    strict(&established.to_object(), SessionEstablished::from_object, &[], &[]);
    let confirm = SessionConfirm { session_id: session(), transcript: [1; 32] };
    assert_eq!(SessionConfirm::from_object(&confirm.to_object()), Ok(confirm));
    strict(&confirm.to_object(), SessionConfirm::from_object, &[], &[]);
    let ready = Ready { session_id: session(), transcript: [2; 32] };
    assert_eq!(Ready::from_object(&ready.to_object()), Ok(ready));
    strict(&ready.to_object(), Ready::from_object, &[], &[]);
}

#[test]
fn constants_of_the_1_1_handshake_cannot_be_otherwise() {
    let changed = |key: &str, value: Value| {
        HandshakeInit::from_object(&init().to_object().with(key, value)).is_ok()
    };
    assert!(!changed("step", 2_u64.into()));
    assert!(!changed("step", Value::float(1.0)));
    assert!(!changed("handshake_version", "1.0".into()));
    assert!(!changed("peer_identity_key", Value::Null));
    assert!(!changed("address", "https://x".into()));
    assert!(!changed("challenge", "AAAA".into()));
    assert!(!changed("identity_key", init().identity_key.to_hex().to_uppercase().into()));
    assert!(!changed("identity_key", "00".repeat(32).into()));
    let few: Vec<Value> =
        REQUIRED_CAPABILITIES[1..].iter().map(|name| Value::from(*name)).collect();
    assert!(!changed("capabilities", few.into()));
    let downgraded = init_ack().to_object().with("accepted_version", "1.0");
    assert!(HandshakeInitAck::from_object(&downgraded).is_err());
    let params = Object::new()
        .with("algorithm", "AES-128-GCM")
        .with("key_exchange", "X25519")
        .with("forward_secrecy", true);
    let weak =
        SessionEstablished { session_id: session() }.to_object().with("session_params", params);
    assert!(SessionEstablished::from_object(&weak).is_err());
    let unready = SessionConfirm { session_id: session(), transcript: [1; 32] }
        .to_object()
        .with("ready", false);
    assert!(SessionConfirm::from_object(&unready).is_err());
}

#[test]
fn an_address_is_bounded_at_exactly_its_limit() {
    let read = |len: usize| {
        let address = format!("http://{}", "a".repeat(len - "http://".len()));
        HandshakeInit::from_object(&init().to_object().with("address", address)).map(drop)
    };
    assert_eq!(read(ADDRESS_LEN_MAX), Ok(()));
    assert_eq!(
        read(ADDRESS_LEN_MAX + 1),
        Err(Problem::TooLong { max: ADDRESS_LEN_MAX }.of("address"))
    );
}

#[test]
fn an_address_begins_with_http_and_has_no_space_or_control_character() {
    let refused = Err(Problem::Invalid { expected: "an http URL" }.of("address"));
    for address in [
        "",
        "http://",
        "http:/h:1",
        "https://h:1",
        "HTTP://h:1",
        " http://h:1",
        "http://h:1 ",
        "http://h\r\nHost: x",
        "http://h\u{0}",
        "http://h\u{7f}",
        "http://h\u{e9}",
    ] {
        let object = init().to_object().with("address", address);
        assert_eq!(HandshakeInit::from_object(&object).map(drop), refused, "{address:?}");
    }
}

#[test]
fn capabilities_intersect_in_the_order_of_the_first() {
    let first = Capabilities::new(["d", "c", "b", "a"]);
    let second = Capabilities::new(["a", "x", "c"]);
    assert_eq!(first.intersection(&second), Capabilities::new(["c", "a"]));
    assert!(!first.suffice());
    assert!(capabilities().suffice());
}

#[test]
fn the_1_0_handshake_reads_back_with_and_without_sealing() {
    // docs/protocol/1.0.md#handshake
    let sealing = Sealing {
        session_id: session().to_string(),
        ephemeral_key: EphemeralSecret::from_bytes([5; 32]).public_key(),
    };
    for sealing in [Some(sealing), None] {
        let handshake = Handshake {
            session_id: session().to_string(),
            challenge: Challenge::from_bytes(&[8; 32]),
            public_key: signing().public_key(),
            supported_versions: vec!["1.0".to_owned(), "0.3".to_owned()],
            capabilities: Handshake::CAPABILITIES.map(str::to_owned).to_vec(),
            sealing: sealing.clone(),
        };
        assert_eq!(Handshake::from_object(&handshake.to_object()), Ok(handshake.clone()));
        let ack = HandshakeAck {
            session_id: Some(session().to_string()),
            public_key: signing().public_key(),
            challenge_response: Some(handshake.challenge.answer(&signing())),
            supported_versions: sealing.is_none().then(|| vec!["1.0".to_owned(), "1.1".to_owned()]),
            sealing,
        };
        assert_eq!(HandshakeAck::from_object(&ack.to_object()), Ok(ack.clone()));
    }
    let confirm = HandshakeConfirm { session_id: None, timestamp: Some(Timestamp::UNIX_EPOCH) };
    assert_eq!(HandshakeConfirm::from_object(&confirm.to_object()), Ok(confirm));
}

#[test]
fn the_1_0_handshake_needs_three_fields_and_tolerates_the_rest() {
    let minimal = Object::new()
        .with("session_id", session().to_string().to_uppercase())
        .with("challenge", "AB".repeat(32))
        .with("public_key", signing().public_key().to_hex().to_uppercase());
    strict(&minimal, Handshake::from_object, &[], &[]);
    let read = Handshake::from_object(&minimal).unwrap();
    assert_eq!((read.sealing, read.challenge.as_str()), (None, "AB".repeat(32).as_str()));
    for (key, value) in [("session_id", "x"), ("challenge", "ab"), ("public_key", "ab")] {
        assert!(Handshake::from_object(&minimal.clone().with(key, value)).is_err(), "{key}");
    }
    let offer = minimal.with("e2e_enabled", true).with("e2e_session_id", session().to_string());
    assert!(Handshake::from_object(&offer).is_err());
    assert!(Handshake::from_object(&offer.with("e2e_enabled", false)).is_ok());
    let ack = Object::new().with("public_key", signing().public_key().to_hex());
    assert_eq!(HandshakeAck::from_object(&ack).map(|ack| ack.challenge_response), Ok(None));
    assert!(HandshakeAck::from_object(&ack.with("challenge_response", "zz")).is_err());
    assert!(HandshakeConfirm::from_object(&object("{\"timestamp\":\"soon\"}")).is_err());
}
