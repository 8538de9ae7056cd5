use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn parcel(attempts: Attempts) -> Parcel<u8> {
    Parcel {
        peer: "b".parse().unwrap(),
        address: "http://b".to_owned(),
        takes_sockets: false,
        key: None,
        is_named: true,
        about: About::Other,
        request: Request::Message(Bytes::from_static(b"same bytes")),
        attempts,
        is_answer: false,
        purpose: 7,
    }
}

fn answered(status: u16) -> Delivery {
    Delivery::Answered { status, body: Bytes::new() }
}

const FAILED: Delivery = Delivery::Failed { kind: FailureKind::Refused };

/// Lets every attempt end with the next outcome of the list, and returns how many attempts were made, how many seconds
/// that took, and how it ended.
fn run(attempts: Attempts, outcomes: &[Delivery]) -> (usize, u64, Option<Outcome>) {
    let mut outbox = Outbox::new(1);
    let mut transmit = outbox.queue(parcel(attempts)).unwrap();
    let mut now = START;
    for (index, delivery) in outcomes.iter().enumerate() {
        assert_eq!(transmit.request, Request::Message(Bytes::from_static(b"same bytes")));
        if let Some((parcel, outcome)) = outbox.settle(transmit.id, delivery.clone(), now) {
            assert_eq!(parcel.purpose, 7);
            assert_eq!(outbox.next_deadline(), None);
            return (index + 1, now.since(START).as_secs(), Some(outcome));
        }
        now = outbox.next_deadline().unwrap();
        let early = Timestamp::from_micros(now.micros() - 1);
        assert!(outbox.next_due(early).is_none());
        transmit = outbox.next_due(now).unwrap();
    }
    (outcomes.len(), now.since(START).as_secs(), None)
}

#[test]
fn only_200_is_success() {
    let accepted = run(Attempts::Patient, &[answered(200)]);
    assert_eq!(accepted, (1, 0, Some(Outcome::Accepted)));
    let (attempts, _, outcome) = run(Attempts::Patient, &[201, 202, 204].map(answered));
    assert_eq!(attempts, 3);
    assert!(matches!(outcome, Some(Outcome::Refused { status: 204, .. })));
}

#[test]
fn four_statuses_are_final() {
    for status in [400, 401, 403, 404] {
        let (attempts, seconds, outcome) = run(Attempts::Patient, &[answered(status)]);
        assert_eq!((attempts, seconds), (1, 0));
        assert_eq!(outcome, Some(Outcome::Refused { status, body: Bytes::new() }));
    }
}

#[test]
fn three_attempts_are_made_1_s_and_2_s_apart() {
    let given_up = run(Attempts::Patient, &[answered(500), FAILED, FAILED]);
    let outcome = Outcome::Unreachable { kind: FailureKind::Refused };
    assert_eq!(given_up, (3, 3, Some(outcome)));
    let at_last = run(Attempts::Patient, &[FAILED, answered(503), answered(200)]);
    assert_eq!(at_last, (3, 3, Some(Outcome::Accepted)));
}

#[test]
fn a_handshake_and_a_probe_have_one_attempt() {
    for attempts in [Attempts::Single, Attempts::Handshake, Attempts::Probe(Duration::from_secs(5))]
    {
        let outcome = Outcome::Unreachable { kind: FailureKind::Refused };
        assert_eq!(run(attempts, &[FAILED]), (1, 0, Some(outcome)));
    }
}

#[test]
fn a_parcel_too_many_is_discarded_and_counted() {
    let mut outbox = Outbox::new(1);
    let first = outbox.queue(parcel(Attempts::Patient)).unwrap();
    assert!(outbox.queue(parcel(Attempts::Patient)).is_err());
    assert_eq!((outbox.stats().size, outbox.stats().discarded), (1, 1));
    assert!(outbox.settle(first.id, answered(200), START).is_some());
    assert!(outbox.queue(parcel(Attempts::Patient)).is_ok());
}

#[test]
fn an_unknown_attempt_changes_nothing() {
    let mut outbox: Outbox<u8> = Outbox::new(1);
    assert!(outbox.settle(DeliveryId(9), answered(200), START).is_none());
    assert_eq!(outbox.stats(), QueueStats::default());
}

#[test]
fn answers_to_one_peer_take_a_16th_of_the_room() {
    let mut outbox = Outbox::new(32);
    let answer = |peer: &str| Parcel {
        peer: peer.parse().unwrap(),
        is_answer: true,
        ..parcel(Attempts::Patient)
    };
    let first = outbox.queue(answer("b")).unwrap();
    assert!(outbox.queue(answer("b")).is_ok());
    assert!(outbox.queue(answer("b")).is_err());
    assert!(outbox.queue(answer("c")).is_ok(), "others have a share of their own");
    assert!(outbox.queue(parcel(Attempts::Patient)).is_ok(), "what we decide to send has the rest");
    assert!(outbox.settle(first.id, answered(200), START).is_some());
    assert!(outbox.queue(answer("b")).is_ok());
    assert_eq!(outbox.answers.values().sum::<usize>(), 3);
}
