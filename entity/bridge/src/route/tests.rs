use entity_crypto::signing::SigningKey;
use proptest::prelude::*;

use super::suspicion::{DROPPED_MIN, OVERDUE_AFTER, TAMPERED_MIN, WATCHED_MAX};
use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;
const HTTP: &str = "http://127.0.0.1:1";

fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed([seed; 32]).public_key()
}

fn relay(port: u16) -> RelayTarget {
    RelayTarget { address: Arc::from(format!("ws://127.0.0.1:{port}")), key: key(9) }
}

fn router(own: Layers, relays: Vec<RelayTarget>) -> Router {
    Router::new(Config { own, relays, ..Config::default() }, [7; 32])
}

const BOTH: Layers = Layers { http: true, ws: true };
const HTTP_ONLY: Layers = Layers { http: true, ws: false };
const WS_ONLY: Layers = Layers { http: false, ws: true };

fn target(address: &str) -> Target<'_> {
    Target {
        peer: "b",
        address,
        key: Some(key(2)),
        purpose: Purpose::Continues,
        tried: Tried::default(),
    }
}

fn after(millis: u64) -> Timestamp {
    START.plus(Duration::from_millis(millis))
}

#[test]
fn who_has_both_layers_prefers_the_socket_falls_back_and_returns() {
    let mut router = router(BOTH, Vec::new());
    assert_eq!(router.choose(&target(HTTP), START), Route::Http(HTTP.to_owned()), "nothing known");
    router.handle_capabilities("b", BOTH);
    let dial = Route::Dial("ws://127.0.0.1:1/ws".to_owned());
    assert_eq!(router.choose(&target(HTTP), START), dial);
    assert_eq!(router.choose(&target(HTTP), START), Route::Http(HTTP.to_owned()), "meanwhile");
    router.handle_connected(ConnectionId(1), "b", START);
    assert_eq!(router.choose(&target(HTTP), START), Route::Socket(ConnectionId(1)));
    router.handle_disconnected(ConnectionId(1), START);
    let broken = Target { tried: Tried { socket: true, ..Tried::default() }, ..target(HTTP) };
    assert_eq!(router.choose(&broken, START), Route::Http(HTTP.to_owned()), "at once");
    assert_eq!(router.choose(&target(HTTP), START), Route::Http(HTTP.to_owned()));
    assert_eq!(router.choose(&target(HTTP), after(250)), dial, "back after the pause");
    router.handle_connected(ConnectionId(2), "b", after(251));
    assert_eq!(router.choose(&target(HTTP), after(251)), Route::Socket(ConnectionId(2)));
}

#[test]
fn new_sessions_wait_while_the_socket_is_partitioned_and_others_do_not() {
    for partition_waits in [true, false] {
        let mut router = Router::new(Config { partition_waits, ..Config::default() }, [7; 32]);
        let begins = Target { purpose: Purpose::Begins, ..target(HTTP) };
        router.handle_capabilities("b", BOTH);
        router.handle_connected(ConnectionId(1), "b", START);
        router.handle_disconnected(ConnectionId(1), START);
        assert_eq!(router.choose(&begins, START), Route::Http(HTTP.to_owned()), "nobody tried yet");
        assert!(matches!(router.choose(&begins, after(250)), Route::Dial(_)));
        router.handle_dial_failed("b", after(250));
        let chosen = router.choose(&begins, after(251));
        assert_eq!(matches!(chosen, Route::Wait { until } if until > after(251)), partition_waits);
        assert_eq!(router.choose(&target(HTTP), after(251)), Route::Http(HTTP.to_owned()));
    }
}

#[test]
fn without_a_common_layer_it_goes_by_a_relay() {
    let mut c = router(WS_ONLY, vec![relay(9)]);
    assert!(matches!(c.choose(&target(HTTP), START), Route::None(Unreachable::NoLayer { .. })));
    c.handle_registered(RelayId(0), ConnectionId(5));
    let expected =
        Route::Relay { relay: RelayId(0), connection: ConnectionId(5), recipient: key(2) };
    assert_eq!(c.choose(&target(HTTP), START), expected);
    let mut a = router(HTTP_ONLY, vec![relay(9)]);
    let mailbox = format!("http://127.0.0.1:9/relay/{}", key(2));
    assert_eq!(a.choose(&target("ws://127.0.0.1:3"), START), Route::Http(mailbox.clone()));
    // Who is addressed by a mailbox needs nothing of the sender.
    let mut stranger = router(HTTP_ONLY, Vec::new());
    assert_eq!(stranger.choose(&target(&mailbox), START), Route::Http(mailbox.clone()));
    let mut both = router(BOTH, Vec::new());
    both.handle_capabilities("b", BOTH);
    assert_eq!(
        both.choose(&target(&mailbox), START),
        Route::Http(mailbox),
        "nothing to connect to"
    );
}

#[test]
fn who_has_the_socket_only_waits_for_it_or_goes_round() {
    let mut router = router(BOTH, vec![relay(9)]);
    let ws = target("ws://127.0.0.1:3");
    assert_eq!(router.choose(&ws, START), Route::Dial("ws://127.0.0.1:3/ws".to_owned()));
    assert!(matches!(router.choose(&ws, START), Route::Wait { .. }));
    router.handle_dial_failed("b", START);
    assert!(matches!(router.choose(&ws, START), Route::Http(base) if base.contains("/relay/")));
}

#[test]
fn an_address_of_another_kind_has_no_way() {
    let route = router(BOTH, Vec::new()).choose(&target("ftp://x"), START);
    assert_eq!(route, Route::None(Unreachable::Address));
}

#[test]
fn connections_and_relays_are_bounded() {
    let relays = vec![relay(9); Router::RELAYS_MAX + 1];
    let mut router = router(BOTH, relays);
    assert_eq!(router.relays().count(), Router::RELAYS_MAX);
    for id in 0..10 {
        router.handle_connected(ConnectionId(id), "b", START);
    }
    assert_eq!(router.connections.len(), Router::CONNECTIONS_PER_PEER_MAX);
    router.handle_removed("b");
    assert_eq!(router.connections.len() + router.peers.len(), 0);
}

#[test]
fn of_more_peers_than_there_is_room_for_nothing_is_remembered() {
    let mut router = router(BOTH, Vec::new());
    for index in 0..=Router::PEERS_MAX {
        router.handle_capabilities(&index.to_string(), BOTH);
    }
    assert_eq!(router.peers.len(), Router::PEERS_MAX);
    let name = Router::PEERS_MAX.to_string();
    let further = Target { peer: &name, ..target(HTTP) };
    assert_eq!(router.choose(&further, START), Route::Http(HTTP.to_owned()));
}

fn suspicions(router: &mut Router) -> Vec<Why> {
    std::iter::from_fn(|| router.poll_output())
        .map(|Output::RelaySuspected { why, .. }| why)
        .collect()
}

fn id(index: usize) -> MessageId {
    MessageId::from_random(std::array::from_fn(|at| index.to_be_bytes()[at % 8]))
}

#[test]
fn a_relay_that_tampers_or_impersonates_is_named_once_and_asked_last() {
    let mut router = router(WS_ONLY, vec![relay(8), relay(9)]);
    router.handle_registered(RelayId(0), ConnectionId(1));
    router.handle_registered(RelayId(1), ConnectionId(2));
    let chosen = |router: &mut Router| {
        let route = router.choose(&target(HTTP), START);
        let Route::Relay { relay, .. } = route else { panic!("{route:?}") };
        relay.0
    };
    assert_eq!(chosen(&mut router), 0);
    for _ in 0..TAMPERED_MIN - 1 {
        router.handle_refused(RelayId(0), ErrorCode::DecryptionFailed, START);
        router.handle_refused(RelayId(0), ErrorCode::SequenceError, START);
    }
    assert_eq!(suspicions(&mut router), []);
    router.handle_refused(RelayId(0), ErrorCode::InvalidSignature, START);
    router.handle_refused(RelayId(0), ErrorCode::InvalidSignature, START);
    assert_eq!(suspicions(&mut router), [Why::Tampers]);
    assert_eq!(chosen(&mut router), 1);
    router.handle_impersonation(RelayId(1), START);
    assert_eq!(suspicions(&mut router), [Why::Impersonates]);
    assert_eq!(chosen(&mut router), 0, "asked last, not shut out");
    let lapse = router.next_deadline().unwrap();
    router.handle_deadline(lapse);
    assert!(router.relays().all(|relay| relay.suspected.is_empty()));
}

/// Whether a relay that took so many messages, so long ago, is said to drop.
fn drops(count: usize, by: TakenBy, heard: bool, acknowledged: usize) -> bool {
    let mut router = router(WS_ONLY, vec![relay(9)]);
    for index in 0..count {
        router.handle_taken(RelayId(0), "b", (id(index), by), START);
    }
    for index in 0..acknowledged {
        router.handle_acknowledged("b", id(index), START);
    }
    if heard {
        router.handle_heard("b", START.plus(OVERDUE_AFTER / 2));
    }
    router.handle_deadline(router.next_deadline().unwrap_or(START));
    suspicions(&mut router) == [Why::Drops]
}

#[test]
fn a_relay_drops_that_says_taken_of_what_is_never_acknowledged_while_others_are() {
    assert!(drops(DROPPED_MIN, TakenBy::Recipient, false, 0));
    assert!(drops(DROPPED_MIN, TakenBy::Relay, true, 0));
    assert!(!drops(DROPPED_MIN, TakenBy::Relay, false, 0), "the recipient may be away");
    assert!(!drops(DROPPED_MIN - 1, TakenBy::Recipient, true, 0));
    assert!(drops(2 * DROPPED_MIN, TakenBy::Relay, true, DROPPED_MIN));
    assert!(!drops(2 * DROPPED_MIN, TakenBy::Relay, true, DROPPED_MIN + 1));
}

#[test]
fn what_is_watched_of_a_relay_is_bounded() {
    let mut router = router(WS_ONLY, vec![relay(9)]);
    for index in 0..WATCHED_MAX + 10 {
        router.handle_taken(RelayId(0), "b", (id(index), TakenBy::Relay), START);
    }
    assert_eq!(router.relays().next().unwrap().outstanding, WATCHED_MAX);
}

proptest! {
    /// Whatever happened, a way that has failed for a transmission is not chosen for it again, so asking once more ends.
    #[test]
    fn a_way_that_failed_is_not_chosen_again(
        events in proptest::collection::vec((0_u8..5, 0_u64..4, 0_u64..5_000), 0..40),
        own in (any::<bool>(), any::<bool>()),
        tried in (any::<bool>(), any::<bool>(), any::<bool>()),
        address in prop_oneof![Just(HTTP), Just("ws://127.0.0.1:3"), Just("x")],
    ) {
        let mut router = router(Layers { http: own.0, ws: own.1 }, vec![relay(9)]);
        let mut now = START;
        for (event, connection, millis) in events {
            now = now.plus(Duration::from_millis(millis));
            match event {
                0 => router.handle_connected(ConnectionId(connection), "b", now),
                1 => router.handle_disconnected(ConnectionId(connection), now),
                2 => router.handle_capabilities("b", Layers { http: true, ws: millis % 2 == 0 }),
                3 => router.handle_registered(RelayId(0), ConnectionId(connection)),
                _ => {
                    if let Route::Dial(_) = router.choose(&target(address), now) {
                        router.handle_dial_failed("b", now);
                    }
                }
            }
            let tried = Tried { socket: tried.0, http: tried.1, relay: tried.2 };
            let shown = router.way_round(&Target { tried, ..target(address) }, now);
            let route = router.choose(&Target { tried, ..target(address) }, now);
            let chosen =
                if let Route::Relay { relay, .. } = &route { Some(*relay) } else { None };
            prop_assert_eq!(shown, chosen, "what is shown is what is done");
            match route {
                Route::Socket(id) => {
                    prop_assert!(own.1 && !tried.socket);
                    prop_assert!(router.connections.contains_key(&id), "a connection that is gone");
                }
                Route::Dial(_) => prop_assert!(own.1 && !tried.socket),
                Route::Http(_) => prop_assert!(own.0 && !tried.http),
                Route::Relay { .. } => prop_assert!(own.1 && !tried.relay),
                Route::Wait { until } => prop_assert!(until > now),
                Route::None(_) => {}
            }
        }
    }
}
