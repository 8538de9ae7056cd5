use entity_crypto::signing::SigningKey;
use proptest::prelude::*;

use super::dial::ATTEMPT_MAX;
use super::suspicion::{DROPPED_MIN, TAMPERED_MIN, WATCHED_MAX};
use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;
const HTTP: &str = "http://127.0.0.1:1";
const PATIENCE: Duration = Duration::from_secs(30);

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
        takes_sockets: false,
        key: Some(key(2)),
        is_named: true,
        purpose: Purpose::Other,
        tried: Tried::default(),
    }
}

/// B has both layers, and has said so.
fn of_both() -> Target<'static> {
    Target { takes_sockets: true, ..target(HTTP) }
}

fn after(millis: u64) -> Timestamp {
    START.plus(Duration::from_millis(millis))
}

/// Whom the router wants connected, and what it holds against relays.
fn told(router: &mut Router) -> (Vec<Arc<str>>, Vec<Suspicion>) {
    let (mut dials, mut suspicions) = (Vec::new(), Vec::new());
    while let Some(output) = router.poll_output() {
        match output {
            Output::Dial { address, .. } => dials.push(address),
            Output::RelaySuspected(suspicion) => suspicions.push(suspicion),
        }
    }
    (dials, suspicions)
}

fn dials(router: &mut Router) -> usize {
    told(router).0.len()
}

#[test]
fn who_has_both_layers_prefers_the_socket_falls_back_and_returns() {
    let mut router = router(BOTH, Vec::new());
    assert_eq!(router.choose(&target(HTTP), START), Route::Http, "nothing known");
    assert_eq!(dials(&mut router), 0);
    assert_eq!(router.choose(&of_both(), START), Route::Http, "meanwhile");
    assert_eq!(told(&mut router).0, [Arc::from("ws://127.0.0.1:1/ws")]);
    assert_eq!((router.choose(&of_both(), START), dials(&mut router)), (Route::Http, 0), "once");
    router.handle_connected(ConnectionId(1), ("b", true), START);
    assert_eq!(router.choose(&of_both(), START), Route::Socket(ConnectionId(1)));
    let tried = Tried { broken: Some(ConnectionId(1)), ..Tried::default() };
    let broken = Target { tried, ..of_both() };
    assert_eq!(router.choose(&broken, START), Route::Http, "before it is known to be gone");
    router.handle_disconnected(ConnectionId(1), START);
    assert_eq!(router.choose(&broken, START), Route::Http, "at once");
    // It comes back by itself, whether or not anybody sends.
    assert_eq!(dials(&mut router), 0);
    let again = router.next_deadline().unwrap();
    assert!(again > START && again <= START.plus(PAUSE_MIN));
    router.handle_deadline(again);
    assert_eq!(dials(&mut router), 1);
    router.handle_connected(ConnectionId(2), ("b", true), again);
    assert_eq!(router.choose(&of_both(), again), Route::Socket(ConnectionId(2)));
    assert_eq!(router.next_deadline(), None);
}

#[test]
fn of_two_that_dial_each_other_the_lesser_name_begins() {
    for (name, wait) in [("a", Duration::ZERO), ("c", Router::COURTESY)] {
        let config = Config { name: name.to_owned(), ..Config::default() };
        let mut router = Router::new(config, [7; 32]);
        assert_eq!(router.choose(&of_both(), START), Route::Http);
        assert_eq!(dials(&mut router), usize::from(wait.is_zero()));
        router.handle_deadline(START.plus(wait));
        assert_eq!(dials(&mut router), usize::from(!wait.is_zero()));
    }
}

#[test]
fn new_sessions_wait_while_the_socket_is_partitioned_and_others_do_not() {
    for partition_waits in [true, false] {
        let mut router = Router::new(Config { partition_waits, ..Config::default() }, [7; 32]);
        let begins = Target { purpose: Purpose::Begins, ..of_both() };
        assert_eq!(router.choose(&begins, START), Route::Http);
        router.handle_connected(ConnectionId(1), ("b", true), START);
        router.handle_disconnected(ConnectionId(1), START);
        assert_eq!(router.choose(&begins, START), Route::Http, "nobody tried yet");
        router.handle_deadline(after(250));
        router.handle_dial_failed("b", after(250));
        assert_eq!(router.socket_to("b"), SocketState::Partitioned);
        let tried = Tried { dialled: true, ..Tried::default() };
        for begins in [begins, Target { tried, ..begins }] {
            let chosen = router.choose(&begins, after(251));
            let waits = matches!(chosen, Route::Wait { until } if until > after(251));
            assert_eq!(waits, partition_waits);
        }
        assert_eq!(router.choose(&of_both(), after(251)), Route::Http);
        let without = Target { purpose: Purpose::Begins, ..target(HTTP) };
        assert_eq!(router.choose(&without, after(251)), Route::Http, "it has L1 alone by now");
        router.handle_connected(ConnectionId(2), ("b", true), after(300));
        assert_eq!(router.choose(&begins, after(300)), Route::Socket(ConnectionId(2)));
    }
}

#[test]
fn who_is_heard_while_partitioned_is_tried_soon() {
    let mut router = router(BOTH, Vec::new());
    router.choose(&of_both(), START);
    router.handle_connected(ConnectionId(1), ("b", true), START);
    router.handle_disconnected(ConnectionId(1), START);
    let mut now = START;
    for _ in 0..9 {
        now = router.next_deadline().unwrap();
        router.handle_deadline(now);
        router.handle_dial_failed("b", now);
    }
    assert!(router.is_listening() && router.next_deadline() >= Some(now.plus(PAUSE_MAX / 2)));
    router.handle_heard("b", now);
    assert_eq!(router.next_deadline(), Some(now.plus(PAUSE_MIN)));
}

#[test]
fn without_a_common_layer_it_goes_by_a_relay() {
    let mut c = router(WS_ONLY, vec![relay(9)]);
    let unknown = c.choose(&target(HTTP), START);
    assert!(matches!(unknown, Route::Wait { .. }), "it may have sockets after all: {unknown:?}");
    assert_eq!(dials(&mut c), 1);
    c.handle_dial_failed("b", START);
    c.handle_registered(RelayId(0), ConnectionId(5));
    let expected =
        Route::Relay { relay: RelayId(0), connection: ConnectionId(5), recipient: key(2) };
    assert_eq!(c.choose(&target(HTTP), START), expected);
    let mut a = router(HTTP_ONLY, vec![relay(9)]);
    let base = format!("http://127.0.0.1:9/relay/{}", key(2));
    let mailbox = Route::Mailbox { relay: Some(RelayId(0)), base: base.clone() };
    assert_eq!(a.choose(&target("ws://127.0.0.1:3"), START), mailbox);
    // Who is addressed by a mailbox needs nothing of the sender.
    let mut stranger = router(HTTP_ONLY, Vec::new());
    assert_eq!(stranger.choose(&target(&base), START), mailbox);
    let found = stranger.relays().next().unwrap();
    assert_eq!((&*found.address, found.key), ("http://127.0.0.1:9", None));
    let mut both = router(BOTH, Vec::new());
    let said = Target { takes_sockets: true, ..target(&base) };
    assert_eq!((both.choose(&said, START), dials(&mut both)), (mailbox, 0), "nobody to dial");
}

#[test]
fn who_has_the_socket_only_waits_for_it_or_goes_round() {
    let mut router = router(BOTH, vec![relay(9)]);
    let ws = target("ws://127.0.0.1:3");
    assert_eq!(router.choose(&ws, START), Route::Wait { until: START.plus(ATTEMPT_MAX) });
    assert_eq!(told(&mut router).0, [Arc::from("ws://127.0.0.1:3/ws")]);
    router.handle_dial_failed("b", START);
    let round = router.choose(&ws, START);
    assert!(matches!(&round, Route::Mailbox { base, .. } if base.contains("/relay/")), "{round:?}");
    let mut tried = Tried { dialled: true, ..Tried::default() };
    tried.relays.insert(RelayId(0));
    let none = router.choose(&Target { tried, ..ws }, START);
    assert_eq!(none, Route::None(Unreachable::AllFailed));
}

#[test]
fn what_failed_by_http_goes_by_a_relay_but_for_signs_of_life() {
    let mut router = router(BOTH, vec![relay(9)]);
    let tried = Tried { http: true, ..Tried::default() };
    let failed = Target { tried, ..target(HTTP) };
    assert!(matches!(router.choose(&failed, START), Route::Mailbox { .. }));
    let life = Target { purpose: Purpose::Life, ..failed };
    assert_eq!(router.choose(&life, START), Route::None(Unreachable::AllFailed));
    let of_both = Target { takes_sockets: true, tried, ..target(HTTP) };
    assert!(matches!(router.choose(&of_both, START), Route::Mailbox { .. }), "at once");
}

#[test]
fn an_address_of_another_kind_has_no_way() {
    let route = router(BOTH, Vec::new()).choose(&target("ftp://x"), START);
    assert_eq!(route, Route::None(Unreachable::Address));
}

#[test]
fn a_peer_that_has_moved_is_dialled_at_its_new_address_and_one_that_is_gone_nowhere() {
    let mut router = router(BOTH, Vec::new());
    router.choose(&target("ws://127.0.0.1:3"), START);
    router.handle_dial_failed("b", START);
    router.choose(&target("ws://127.0.0.1:4"), START);
    let expected = [Arc::from("ws://127.0.0.1:3/ws"), Arc::from("ws://127.0.0.1:4/ws")];
    assert_eq!(told(&mut router).0, expected);
    router.handle_unwanted("b", START);
    assert_eq!((router.next_deadline(), router.socket_to("b")), (None, SocketState::Idle));
    router.choose(&target("ws://127.0.0.1:5"), START);
    assert_eq!(dials(&mut router), 1);
    router.handle_removed("b");
    assert_eq!(router.next_deadline(), None);
}

#[test]
fn who_is_not_where_a_message_would_go_is_a_failure_that_ends_the_wait_and_is_not_dialled_again_at_once()
 {
    let mut router = router(BOTH, vec![relay(9)]);
    let stale = target("ws://127.0.0.1:3");
    let before = router.dials_failed("b");
    assert!(matches!(router.choose(&stale, START), Route::Wait { .. }));
    assert_eq!(dials(&mut router), 1);
    router.handle_unwanted("b", START);
    assert!(router.dials_failed("b") > before, "whoever waits is told");
    // Who was told goes another way, and wants nobody dialled any more.
    let tried = Tried { dialled: true, ..Tried::default() };
    let told_so = router.choose(&Target { tried, ..stale }, START);
    assert!(matches!(told_so, Route::Mailbox { .. }), "{told_so:?}");
    assert_eq!((dials(&mut router), router.next_deadline()), (0, None));
    // The next one that would go there finds a pause, as after any failure.
    for failures in 1..20 {
        router.choose(&stale, START);
        assert_eq!(dials(&mut router), 0, "not at once");
        let again = router.next_deadline().unwrap();
        assert!(again > START && again <= START.plus(PAUSE_MAX), "{failures}: {again:?}");
        router.handle_deadline(again);
        assert_eq!(dials(&mut router), 1);
        router.handle_unwanted("b", START);
    }
}

#[test]
fn connections_relays_and_those_that_mailboxes_name_are_bounded() {
    let relays = vec![relay(9); Router::RELAYS_MAX + 1];
    let mut router = router(BOTH, relays);
    assert_eq!(router.relays().count(), Router::RELAYS_MAX);
    for id in 0..10 {
        router.handle_connected(ConnectionId(id), ("b", id == 0), START);
    }
    assert_eq!(router.connections.len(), Router::CONNECTIONS_PER_PEER_MAX);
    assert_eq!(router.connection("b"), Some(ConnectionId(0)), "the one we dialled");
    for port in 0..=Router::FOUND_RELAYS_MAX {
        let base = format!("http://127.0.0.2:{port}/relay/{}", key(2));
        router.choose(&target(&base), START);
    }
    assert_eq!(router.relays().count(), Router::RELAYS_MAX + Router::FOUND_RELAYS_MAX);
    router.handle_removed("b");
    assert_eq!(router.connections.len() + router.peers.len(), 0);
}

#[test]
fn of_more_peers_than_there_is_room_for_nothing_is_remembered() {
    let (mut router, known) = (router(BOTH, Vec::new()), of_both());
    for index in 0..=Router::PEERS_MAX {
        let name = index.to_string();
        router.choose(&Target { peer: &name, ..known }, START);
        drop(told(&mut router));
    }
    assert_eq!(router.peers.len(), Router::PEERS_MAX);
    let name = Router::PEERS_MAX.to_string();
    let further = Target { peer: &name, ..of_both() };
    assert_eq!((router.choose(&further, START), dials(&mut router)), (Route::Http, 0));
}

fn mailbox_at(port: usize) -> String {
    format!("http://127.0.0.2:{port}/relay/{}", key(2))
}

#[test]
fn strangers_fill_no_room_for_relays_and_a_relay_of_which_nothing_is_held_gives_way() {
    let mut router = router(HTTP_ONLY, vec![relay(9)]);
    let found = |router: &mut Router, port: usize, named: Target<'_>| {
        let base = mailbox_at(port);
        router.choose(&Target { address: &base, ..named }, START).relay()
    };
    let (named, stranger) = (target(HTTP), Target { is_named: false, ..target(HTTP) });
    for port in 0..=Router::FOUND_RELAYS_MAX {
        assert_eq!(found(&mut router, port, stranger), None);
    }
    assert_eq!(router.relays().count(), 1);
    // One that is watched, one that is suspected, one that was refused, and others.
    let sent = Target { purpose: Purpose::Durable(id(1)), ..named };
    let watched = found(&mut router, 0, sent).unwrap();
    let suspected = found(&mut router, 1, named).unwrap();
    router.handle_impersonation(suspected, START);
    let refused = found(&mut router, 2, named).unwrap();
    router.handle_refused(refused, (ErrorCode::InvalidSignature, RefusedBy::Us), START);
    let other = found(&mut router, 3, named).unwrap();
    for port in 4..Router::FOUND_RELAYS_MAX * 3 {
        assert!(found(&mut router, port, named) > Some(other), "{port}");
        assert!(router.relays().count() <= 1 + Router::FOUND_RELAYS_MAX);
    }
    assert_eq!(router.address_of(other), None, "it gave way");
    for (port, kept) in [(0, watched), (1, suspected), (2, refused)] {
        assert_eq!(router.address_of(kept).as_deref(), mailbox_at(port).split("/relay").next());
    }
    // What is held against one that gave way is held against nobody else.
    router.handle_impersonation(other, START);
    assert_eq!(router.relays().filter(|relay| !relay.suspected.is_empty()).count(), 1);
}

#[test]
fn what_strangers_refuse_is_held_against_no_relay() {
    let mut router = router(WS_ONLY, vec![relay(9)]);
    for _ in 0..2 * TAMPERED_MIN {
        let refusal = (ErrorCode::InvalidSignature, RefusedBy::Stranger);
        router.handle_refused(RelayId(0), refusal, START);
    }
    assert_eq!(suspicions(&mut router), []);
    for _ in 0..TAMPERED_MIN {
        let refusal = (ErrorCode::InvalidSignature, RefusedBy::Named);
        router.handle_refused(RelayId(0), refusal, START);
    }
    assert_eq!(suspicions(&mut router), [Why::Tampers]);
}

#[test]
fn an_accepted_connection_that_does_not_answer_is_used_last_and_never_preferred_again() {
    let mut router = router(BOTH, Vec::new());
    let (seen, dialled) = (ConnectionId(1), ConnectionId(2));
    router.handle_connected(seen, ("b", false), START);
    assert_eq!(router.choose(&of_both(), START), Route::Socket(seen));
    router.handle_silent(seen, START);
    assert_eq!(router.choose(&of_both(), START), Route::Http, "whose it is was only shown there");
    assert_eq!(router.socket_to("b"), SocketState::Connecting);
    router.handle_connected(seen, ("b", false), START);
    router.handle_carried(seen);
    assert_eq!(router.choose(&of_both(), START), Route::Http);
    // Better than no way at all.
    let tried = Tried { http: true, dialled: true, ..Tried::default() };
    let last = Target { tried, ..of_both() };
    assert_eq!(router.choose(&last, START), Route::Socket(seen));
    let tried = Tried { broken: Some(seen), ..tried };
    let none = router.choose(&Target { tried, ..last }, START);
    assert_eq!(none, Route::None(Unreachable::AllFailed));
    // One that we dialled leads where we know.
    assert_eq!(dials(&mut router), 1);
    router.handle_connected(dialled, ("b", true), START);
    router.handle_silent(dialled, START);
    assert_eq!(router.choose(&of_both(), START), Route::Socket(dialled));
    router.handle_disconnected(seen, START);
    assert_eq!(router.connections.len(), 1);
}

#[test]
fn a_peer_that_is_not_to_be_dialled_gives_way_where_there_is_no_room() {
    let mut router = router(BOTH, Vec::new());
    let names: Vec<_> = (0..Router::PEERS_MAX).map(|index| format!("p{index:05}")).collect();
    for name in &names {
        router.choose(&Target { peer: name, ..target("ftp://x") }, START);
    }
    router.handle_connected(ConnectionId(1), (&names[0], true), START);
    router.choose(&Target { peer: &names[1], ..of_both() }, START);
    for further in 0..10 {
        let name = format!("q{further}");
        router.choose(&Target { peer: &name, ..of_both() }, START);
        assert!(router.peers.contains_key(&*name) && router.peers.len() == Router::PEERS_MAX);
    }
    assert!(router.peers.contains_key(&*names[0]) && router.peers.contains_key(&*names[1]));
    assert!(!router.peers.contains_key(&*names[2]));
}

fn suspicions(router: &mut Router) -> Vec<Why> {
    told(router).1.into_iter().map(|suspicion| suspicion.why).collect()
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
        router.handle_refused(RelayId(0), (ErrorCode::DecryptionFailed, RefusedBy::Us), START);
        router.handle_refused(RelayId(0), (ErrorCode::SequenceError, RefusedBy::Us), START);
    }
    assert_eq!(suspicions(&mut router), []);
    router.handle_refused(RelayId(0), (ErrorCode::InvalidSignature, RefusedBy::Named), START);
    router.handle_refused(RelayId(0), (ErrorCode::InvalidSignature, RefusedBy::Named), START);
    let named = Suspicion { relay: relay(8).address, key: Some(key(9)), why: Why::Tampers };
    assert_eq!(told(&mut router).1, [named]);
    assert_eq!(chosen(&mut router), 1);
    router.handle_impersonation(RelayId(1), START);
    assert_eq!(suspicions(&mut router), [Why::Impersonates]);
    assert_eq!(chosen(&mut router), 0, "asked last, not shut out");
    let lapse = router.next_deadline().unwrap();
    router.handle_deadline(lapse);
    assert!(router.relays().all(|relay| relay.suspected.is_empty()));
}

#[test]
fn a_suspected_mailbox_gives_way_to_another_relay_and_only_to_that() {
    let base = format!("http://127.0.0.1:8/relay/{}", key(2));
    let mut router = router(HTTP_ONLY, vec![relay(9)]);
    let route = router.choose(&target(&base), START);
    let Route::Mailbox { relay: Some(found), base: at } = route else { panic!("{route:?}") };
    assert_eq!(at, base);
    router.handle_impersonation(found, START);
    let named = told(&mut router).1.remove(0);
    assert_eq!((&*named.relay, named.key), ("http://127.0.0.1:8", None));
    let other = router.choose(&target(&base), START);
    assert_eq!(other.relay(), Some(RelayId(0)), "{other:?}");
    let mut tried = Tried::default();
    tried.relays.insert(RelayId(0));
    let back = router.choose(&Target { tried, ..target(&base) }, START);
    assert_eq!(back.relay(), Some(found), "{back:?}");
}

fn durable(index: usize) -> Target<'static> {
    Target { purpose: Purpose::Durable(id(index)), ..target(HTTP) }
}

/// A relay that was given so many messages.
fn given(count: usize) -> Router {
    let mut router = router(WS_ONLY, vec![relay(9)]);
    router.handle_registered(RelayId(0), ConnectionId(1));
    for index in 0..count {
        assert_eq!(router.choose(&durable(index), START).relay(), Some(RelayId(0)));
    }
    router
}

/// Whether a relay that took so many messages, so long ago, is said to drop; `heard`: its recipient is, all the time.
fn drops(count: usize, by: TakenBy, heard: bool, acknowledged: usize) -> bool {
    let mut router = given(count);
    for index in 0..count {
        router.handle_taken(RelayId(0), (id(index), by), START);
    }
    for index in 0..acknowledged {
        router.handle_acknowledged("b", id(index), START);
    }
    for look in 2..5 {
        if heard {
            router.handle_heard("b", START.plus(PATIENCE * (look - 1) / 2));
        }
        router.handle_deadline(START.plus(PATIENCE * look / 2));
    }
    suspicions(&mut router) == [Why::Drops]
}

#[test]
fn a_recipient_that_comes_back_and_one_that_was_killed_do_not_accuse_the_relay() {
    let mut router = given(DROPPED_MIN);
    for index in 0..DROPPED_MIN {
        router.handle_taken(RelayId(0), (id(index), TakenBy::Recipient), START);
    }
    // It was killed before it acknowledged: what is sent again is kept by the relay.
    let again = START.plus(PATIENCE / 2);
    for index in 0..DROPPED_MIN {
        router.handle_taken(RelayId(0), (id(index), TakenBy::Relay), again);
    }
    let back = START.plus(PATIENCE * 4);
    for look in 2..9 {
        router.handle_deadline(START.plus(PATIENCE * look / 2));
    }
    router.handle_heard("b", back);
    for look in 0..7 {
        router.handle_deadline(back.plus(PATIENCE * look / 2));
        assert_eq!(suspicions(&mut router), [], "it is back, and may be away again");
    }
    router.handle_heard("b", back.plus(PATIENCE * 4));
    router.handle_deadline(back.plus(PATIENCE * 4));
    assert_eq!(suspicions(&mut router), [Why::Drops], "it was there all the time");
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
fn what_is_acknowledged_before_the_relay_says_taken_or_was_never_taken_is_not_held_against_it() {
    let mut router = given(3 * DROPPED_MIN);
    for index in 0..DROPPED_MIN {
        router.handle_acknowledged("b", id(index), START);
        router.handle_taken(RelayId(0), (id(index), TakenBy::Recipient), START);
        router.handle_not_taken(RelayId(0), id(DROPPED_MIN + index));
        router.handle_given_up(id(2 * DROPPED_MIN + index));
    }
    assert_eq!(router.relays().next().unwrap().outstanding, 0);
    router.handle_deadline(START.plus(PATIENCE));
    assert_eq!((suspicions(&mut router), router.next_deadline()), (vec![], None));
}

#[test]
fn what_is_watched_of_a_relay_is_bounded() {
    let router = given(WATCHED_MAX + 10);
    assert_eq!(router.relays().next().unwrap().outstanding, WATCHED_MAX);
}

/// Whatever happens to a router.
fn happens(router: &mut Router, (event, connection, millis): (u8, u64, u64), now: Timestamp) {
    match event {
        0 => router.handle_connected(ConnectionId(connection), ("b", millis % 2 == 0), now),
        1 => router.handle_disconnected(ConnectionId(connection), now),
        2 => router.handle_impersonation(RelayId(0), now),
        3 => router.handle_registered(RelayId(0), ConnectionId(connection)),
        4 => router.handle_heard("b", now),
        5 => router.handle_deadline(now),
        6 => router.handle_silent(ConnectionId(connection), now),
        _ => router.handle_dial_failed("b", now),
    }
}

proptest! {
    /// Whatever happened, a way that has failed for a transmission is not chosen for it again, so asking once more ends; and
    /// what is shown is what is done.
    #[test]
    fn a_way_that_failed_is_not_chosen_again(
        events in proptest::collection::vec((0_u8..8, 0_u64..4, 0_u64..5_000), 0..40),
        own in (any::<bool>(), any::<bool>()),
        tried in (any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(0_u64..4)),
        takes_sockets in any::<bool>(),
        address in prop_oneof![
            Just(HTTP.to_owned()), Just("ws://127.0.0.1:3".to_owned()), Just("x".to_owned()),
            Just(format!("http://127.0.0.1:7/relay/{}", key(2))),
            Just(format!("http://127.0.0.1:9/relay/{}", key(2))),
        ],
        purpose in prop_oneof![
            Just(Purpose::Begins), Just(Purpose::Life), Just(Purpose::Other),
            Just(Purpose::Durable(id(1))),
        ],
    ) {
        let own = Layers { http: own.0, ws: own.1 };
        let mut router = router(own, vec![relay(9)]);
        let mut relays = RelaySet::default();
        if tried.2 {
            relays.insert(RelayId(0));
        }
        let broken = tried.3.map(ConnectionId);
        let tried = Tried { broken, dialled: tried.0, http: tried.1, relays };
        let target = Target { takes_sockets, purpose, tried, ..target(&address) };
        let mut now = START;
        for event in events {
            now = now.plus(Duration::from_millis(event.2));
            happens(&mut router, event, now);
            let shown = router.look(&target, now);
            let route = router.choose(&target, now);
            prop_assert!(shown == route || shown.relay().is_none(), "{:?} {:?}", shown, route);
            prop_assert_eq!(std::mem::discriminant(&shown), std::mem::discriminant(&route));
            match route {
                Route::Socket(id) => {
                    let mut links = router.peers["b"].connections.iter();
                    let is_last = links.any(|link| link.connection == id && link.is_silent);
                    prop_assert!(own.ws && tried.broken != Some(id));
                    prop_assert!(is_last || !tried.dialled);
                    prop_assert!(router.connections.contains_key(&id), "a connection that is gone");
                }
                Route::Http => prop_assert!(own.http && !tried.http),
                Route::Mailbox { base, relay } => {
                    let is_named = base == address;
                    prop_assert!(own.http && (!is_named || !tried.http));
                    prop_assert!(is_named || !tried.relays.contains(relay.unwrap()));
                }
                Route::Relay { relay, .. } => prop_assert!(own.ws && !tried.relays.contains(relay)),
                Route::Wait { until } => prop_assert!(until > now),
                Route::None(_) => {}
            }
        }
    }

    /// A peer that would be connected to is dialled again and again, and one attempt at a time is under way.
    #[test]
    fn who_is_wanted_is_dialled_until_it_is_there(
        events in proptest::collection::vec((any::<bool>(), 0_u64..40_000), 1..60),
    ) {
        let mut router = router(BOTH, Vec::new());
        let mut now = START;
        let mut is_under_way = false;
        router.choose(&of_both(), now);
        for (index, (succeeds, millis)) in events.into_iter().enumerate() {
            let dialled = dials(&mut router);
            prop_assert!(dialled <= 1);
            is_under_way |= dialled == 1;
            if is_under_way {
                let connection = ConnectionId(index as u64);
                if succeeds {
                    router.handle_connected(connection, ("b", true), now);
                    prop_assert_eq!(router.next_deadline(), None);
                    router.handle_disconnected(connection, now);
                } else {
                    router.handle_dial_failed("b", now);
                }
                is_under_way = false;
            }
            let next = router.next_deadline();
            prop_assert!(next.is_some_and(|at| at <= now.plus(PAUSE_MAX)), "{:?}", next);
            now = now.plus(Duration::from_millis(millis));
            router.handle_deadline(now);
        }
    }

    /// Whoever acknowledges in time is never said to drop, in whatever order messages are given, taken and acknowledged.
    #[test]
    fn a_relay_whose_messages_arrive_is_not_suspected(
        events in proptest::collection::vec((0_usize..40, 0_u8..4, 0_u64..3_000), 0..200),
    ) {
        let mut router = given(0);
        let mut now = START;
        let mut given_at: BTreeMap<usize, Timestamp> = BTreeMap::new();
        for (index, event, millis) in events {
            now = now.plus(Duration::from_millis(millis));
            // An honest relay, and a recipient that is never late.
            let late: Vec<usize> = given_at
                .iter()
                .filter(|(_, at)| now.since(**at) >= PATIENCE / 2)
                .map(|(index, _)| *index)
                .collect();
            for index in late {
                given_at.remove(&index);
                router.handle_acknowledged("b", id(index), now);
            }
            match event {
                0 => {
                    router.choose(&durable(index), now);
                    given_at.entry(index).or_insert(now);
                }
                1 => router.handle_taken(RelayId(0), (id(index), TakenBy::Recipient), now),
                2 => {
                    given_at.remove(&index);
                    router.handle_acknowledged("b", id(index), now);
                }
                _ => router.handle_heard("b", now),
            }
            router.handle_deadline(now);
            prop_assert_eq!(suspicions(&mut router), vec![]);
        }
    }

    /// An honest relay, and a recipient that is away again and again, says something while it is there, and acknowledges
    /// what waits for it before a third of the patience has passed: whatever is sent when, nobody is suspected.
    #[test]
    fn a_relay_whose_recipient_is_away_and_comes_back_is_not_suspected(
        stays in proptest::collection::vec((0_u64..60, 10_u64..40), 1..8),
        events in proptest::collection::vec((0_usize..40, any::<bool>(), 0_u64..3), 1..200),
    ) {
        // In seconds: when it is there. A stay is as long as it acknowledges in.
        let mut there = Vec::new();
        let mut at = 0;
        for (away, stay) in stays {
            there.push((at + away, at + away + stay));
            at += away + stay;
        }
        let since = |now: u64| there.iter().find(|(from, to)| (*from..*to).contains(&now));
        let mut router = given(0);
        // When the recipient had it at the earliest: what was sent while it was away waits for it.
        let mut waiting: BTreeMap<usize, u64> = BTreeMap::new();
        let mut events = events.into_iter();
        let mut next = 0;
        for seconds in 0..at + 100 {
            let now = START.plus(Duration::from_secs(seconds));
            if let Some((from, _)) = since(seconds) {
                let due = |at: &u64| seconds - (*at).max(*from) >= 9;
                let due: Vec<_> =
                    waiting.iter().filter(|(_, at)| due(at)).map(|(index, _)| *index).collect();
                for index in due {
                    waiting.remove(&index);
                    router.handle_acknowledged("b", id(index), now);
                }
                router.handle_heard("b", now);
            }
            while seconds >= next && let Some((index, is_mail, pause)) = events.next() {
                next = seconds + pause;
                // As its sender does it: what is not acknowledged is sent again.
                router.choose(&durable(index), now);
                waiting.entry(index).or_insert(seconds);
                let is_live = since(seconds).is_some() && !is_mail;
                let by = if is_live { TakenBy::Recipient } else { TakenBy::Relay };
                router.handle_taken(RelayId(0), (id(index), by), now);
            }
            if seconds % 10 == 0 {
                for index in waiting.keys() {
                    router.choose(&durable(*index), now);
                    let is_there = since(seconds).is_some();
                    let by = if is_there { TakenBy::Recipient } else { TakenBy::Relay };
                    router.handle_taken(RelayId(0), (id(*index), by), now);
                }
            }
            router.handle_deadline(now);
            prop_assert_eq!(suspicions(&mut router), vec![], "after {} s", seconds);
        }
    }
}
