//! 1.0 handshakes with a stranger that does not play by the rules.

use std::time::Duration;

use entity_crypto::signing::SigningKey;
use entity_peer::command::AddPeer;
use entity_peer::config::{Config, Profile, Protocols, Trust};
use entity_peer::output::Request;
use entity_peer::{Command, CommandId, Delivery, Output, Peer};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_0::{Challenge, Handshake, HandshakeAck, HandshakeConfirm};
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;
use entity_wire::v1_0::Draft;
use entity_wire::version::Version;

use crate::stranger::{Stranger, accept_all, drain, handled, introduce, parse};
use crate::world::name;

/// A peer `b` and the stranger `a` in its roster.
struct Play {
    peer: Peer,
    stranger: Stranger,
    now: Timestamp,
}

fn play(protocols: Protocols, profile: Profile) -> Play {
    let now = Timestamp::from_iso("2026-11-22T08:00:00+00:00").unwrap();
    let config = Config { protocols, profile, ..Config::new("b".parse().unwrap()) };
    let mut peer = Peer::new(config, SigningKey::from_seed([2; 32]), [7; 32], now);
    let stranger = Stranger::new("a", SigningKey::from_seed([1; 32]));
    introduce(&mut peer, &stranger, now);
    Play { peer, stranger, now }
}

impl Play {
    /// Sends a message that the stranger signs after `change`; returns what the peer sends then.
    fn send(
        &mut self,
        kind: MessageKind,
        payload: Object,
        change: impl FnOnce(&mut Draft),
    ) -> Vec<Vec<u8>> {
        let mut draft = self.stranger.draft(kind, payload, 1, self.now);
        change(&mut draft);
        let reply = self.peer.handle_message(&self.stranger.sign(&draft), self.now);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        accept_all(&mut self.peer, self.now)
    }

    fn handshake(&self) -> Object {
        let offer = Handshake {
            session_id: self.stranger.session.clone(),
            challenge: Challenge::from_bytes(&[5; 32]),
            public_key: self.stranger.key.public_key(),
            supported_versions: vec!["1.0".to_owned()],
            capabilities: Vec::new(),
            sealing: None,
        };
        offer.to_object()
    }

    fn confirm(&self, session: &str) -> Object {
        let confirm =
            HandshakeConfirm { session_id: Some(session.to_owned()), timestamp: Some(self.now) };
        confirm.to_object()
    }

    fn has_session(&self) -> bool {
        self.peer.sessions().iter().any(|session| session.state == "ready")
    }

    /// Lets the peer open a session; returns its handshake.
    fn opened(&mut self) -> Object {
        let open = Command::OpenSession { to: name("a") };
        self.peer.handle_command(CommandId(1), open, self.now);
        parse(&accept_all(&mut self.peer, self.now).pop().expect("a handshake"))
    }

    fn ack(&self, handshake: &Object, supported_versions: Option<Vec<String>>) -> Object {
        let payload = handshake.get("payload").and_then(|payload| payload.as_object()).unwrap();
        let handshake = Handshake::from_object(payload).unwrap();
        let ack = HandshakeAck {
            session_id: Some(handshake.session_id.clone()),
            public_key: self.stranger.key.public_key(),
            challenge_response: Some(handshake.challenge.answer(&self.stranger.key)),
            supported_versions,
            sealing: None,
        };
        ack.to_object()
    }
}

#[test]
fn a_handshake_of_0_3_is_not_followed() {
    for profile in [Profile::Hardened, Profile::Compat] {
        let old = |draft: &mut Draft| draft.version = Version::V0_3;
        let mut play = play(Protocols::OnlyV1_0, profile);
        let handshake = play.handshake();
        assert_eq!(play.send(MessageKind::Handshake, handshake.clone(), old).len(), 0);
        assert_eq!(play.send(MessageKind::Handshake, handshake, |_| {}).len(), 1);
        let confirm = play.confirm(&play.stranger.session);
        play.send(MessageKind::HandshakeConfirm, confirm.clone(), old);
        assert!(!play.has_session());
        play.send(MessageKind::HandshakeConfirm, confirm, |_| {});
        assert!(play.has_session());
    }
}

#[test]
fn an_acknowledgement_of_0_3_is_not_followed() {
    let mut play = play(Protocols::OnlyV1_0, Profile::Hardened);
    let handshake = play.opened();
    let session = handshake.get("session_id").and_then(|id| id.as_str()).unwrap().to_owned();
    let ack = play.ack(&handshake, None);
    let of = |version| {
        let session = Some(session.clone());
        move |draft: &mut Draft| (draft.version, draft.session) = (version, session)
    };
    assert_eq!(play.send(MessageKind::HandshakeAck, ack.clone(), of(Version::V0_3)).len(), 0);
    assert_eq!(play.send(MessageKind::HandshakeAck, ack, of(Version::V1_0)).len(), 1);
    assert!(play.has_session());
}

#[test]
fn a_confirmation_moved_to_another_session_establishes_nothing() {
    for profile in [Profile::Hardened, Profile::Compat] {
        let mut play = play(Protocols::OnlyV1_0, profile);
        let handshake = play.handshake();
        assert_eq!(play.send(MessageKind::Handshake, handshake, |_| {}).len(), 1);
        // The envelope says the right session, but it is not signed.
        let other = play.confirm("0d1cd5c6-0c43-4c0e-8f5c-7ab21d4a6f00");
        play.send(MessageKind::HandshakeConfirm, other, |_| {});
        assert!(!play.has_session());
        let confirm = play.confirm(&play.stranger.session);
        play.send(MessageKind::HandshakeConfirm, confirm, |_| {});
        assert!(play.has_session());
    }
}

#[test]
fn a_second_handshake_cannot_take_the_id_of_a_session() {
    let mut play = play(Protocols::OnlyV1_0, Profile::Hardened);
    play.stranger.shake_hands(&mut play.peer, play.now);
    let again = play.handshake();
    assert_eq!(play.send(MessageKind::Handshake, again, |_| {}).len(), 0);
    play.stranger.session = "0d1cd5c6-0c43-4c0e-8f5c-7ab21d4a6f00".to_owned();
    let other = play.handshake();
    assert_eq!(play.send(MessageKind::Handshake, other, |_| {}).len(), 1);
}

/// Lets the next transmission be answered, and returns its message.
fn answer_next(play: &mut Play, reply: Reply) -> Option<Object> {
    while let Some(output) = play.peer.poll_output() {
        let Output::Transmit(transmit) = output else { continue };
        let Request::Message(body) = &transmit.request else { continue };
        let message = parse(body);
        let answered = Delivery::Answered { status: reply.status, body: reply.body.into() };
        play.peer.handle_delivery(transmit.id, answered, play.now);
        return Some(message);
    }
    None
}

#[test]
fn an_acknowledgement_that_names_1_1_leads_back_to_1_1() {
    let mut play = play(Protocols::Both, Profile::Hardened);
    let open = Command::OpenSession { to: name("a") };
    play.peer.handle_command(CommandId(1), open, play.now);
    let refusal = Reply::detail(400, "Unsupported version: 1.1");
    let first = answer_next(&mut play, refusal).unwrap();
    assert_eq!(first.get("msg_type").and_then(|kind| kind.as_str()), Some("handshake_init"));
    let handshake = answer_next(&mut play, Reply::detail(200, "")).unwrap();
    assert_eq!(handshake.get("msg_type").and_then(|kind| kind.as_str()), Some("handshake"));
    let session = handshake.get("session_id").and_then(|id| id.as_str()).unwrap().to_owned();
    let both = vec!["1.0".to_owned(), "1.1".to_owned()];
    let ack = play.ack(&handshake, Some(both));
    let sent = play.send(MessageKind::HandshakeAck, ack, |draft| draft.session = Some(session));
    let [next] = &sent[..] else { panic!("{} messages", sent.len()) };
    let next = parse(next);
    assert_eq!(next.get("msg_type").and_then(|kind| kind.as_str()), Some("handshake_init"));
    assert!(!play.has_session());
}

#[test]
fn a_sealed_number_counts_once_even_after_the_session_around_it() {
    let mut play = play(Protocols::OnlyV1_0, Profile::Hardened);
    let agreed = play.stranger.shake_hands(&mut play.peer, play.now);
    play.now = play.now.plus(Duration::from_mins(30));
    let first = play.stranger.sealed(&agreed, 10, play.now);
    assert_eq!(play.peer.handle_message(&first, play.now).status, 200);
    play.now = play.now.plus(Duration::from_mins(31));
    play.stranger.session = "0d1cd5c6-0c43-4c0e-8f5c-7ab21d4a6f00".to_owned();
    for (sequence, status) in [(10, 400), (11, 200), (11, 400), (9, 400)] {
        let sealed = play.stranger.sealed(&agreed, sequence, play.now);
        assert_eq!(play.peer.handle_message(&sealed, play.now).status, status, "{sequence}");
    }
    assert_eq!(handled(&drain(&mut play.peer)), 2);
}

/// A peer of the roster whose key is not known sends one message out of the blue.
#[track_caller]
fn check_keyless(trust: Trust, kind: MessageKind, status: u16) {
    let now = Timestamp::from_iso("2026-11-22T08:00:00+00:00").unwrap();
    let config =
        Config { protocols: Protocols::OnlyV1_0, trust, ..Config::new("b".parse().unwrap()) };
    let mut peer = Peer::new(config, SigningKey::from_seed([2; 32]), [7; 32], now);
    let entry = AddPeer {
        name: name("a"),
        address: "http://stranger".to_owned(),
        key: None,
        connect: Some(false),
    };
    peer.handle_command(CommandId(0), Command::AddPeer(entry), now);
    drain(&mut peer);
    let mut play = Play { peer, stranger: Stranger::new("a", SigningKey::from_seed([1; 32])), now };
    let payload = play.handshake();
    let draft = play.stranger.draft(kind.clone(), payload, 1, now);
    let reply = play.peer.handle_message(&play.stranger.sign(&draft), now);
    assert_eq!(reply.status, status, "{kind:?}");
    assert_eq!(handled(&drain(&mut play.peer)), 0, "{kind:?}");
    assert_eq!(play.peer.peer(&name("a")).unwrap().key, None, "{kind:?}");
}

#[test]
fn a_peer_without_a_key_is_heard_where_first_use_is_trusted_and_as_it_opens_alone() {
    let others = [
        MessageKind::HandshakeAck,
        MessageKind::HandshakeConfirm,
        MessageKind::Status,
        MessageKind::CapabilityQuery,
    ];
    check_keyless(Trust::FirstUse, MessageKind::Handshake, 200);
    check_keyless(Trust::Pinned, MessageKind::Handshake, 400);
    for kind in others {
        check_keyless(Trust::FirstUse, kind.clone(), 400);
        check_keyless(Trust::Pinned, kind, 400);
    }
}

#[test]
fn an_acknowledgement_without_an_answer_to_the_challenge_counts_in_compat_alone() {
    for (profile, establishes) in [(Profile::Hardened, false), (Profile::Compat, true)] {
        let mut play = play(Protocols::OnlyV1_0, profile);
        let handshake = play.opened();
        let session = handshake.get("session_id").and_then(|id| id.as_str()).unwrap().to_owned();
        let mut ack = play.ack(&handshake, None);
        assert!(ack.remove("challenge_response").is_some());
        play.send(MessageKind::HandshakeAck, ack, |draft| draft.session = Some(session));
        assert_eq!(play.has_session(), establishes, "{profile:?}");
    }
}
