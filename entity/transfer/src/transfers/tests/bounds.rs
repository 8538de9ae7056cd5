//! Every bound, reached.

use super::*;

fn receiver(config: Config) -> Transfers {
    Transfers::new(config)
}

#[track_caller]
fn answer(transfers: &mut Transfers, init: ChunkInit, expected: &str) {
    transfers.handle_init(&peer("a"), init, start());
    assert_eq!(sent(&outputs(transfers)), [expected]);
}

#[test]
fn a_peer_has_16_open_transfers_and_others_are_not_touched_by_it() {
    let mut b = receiver(small());
    for byte in 0..16 {
        answer(&mut b, init_of(byte, &bytes(2_000)), "ack []");
    }
    answer(&mut b, init_of(16, &bytes(2_000)), "broken overloaded");
    b.handle_init(&peer("c"), init_of(17, &bytes(2_000)), start());
    assert_eq!(sent(&outputs(&mut b)), ["ack []"]);
    b.cancel(id(3), start()).unwrap();
    outputs(&mut b);
    answer(&mut b, init_of(16, &bytes(2_000)), "ack []");
}

#[test]
fn what_a_peer_promises_in_all_is_bounded() {
    let mut b = receiver(Config { bytes_per_peer_max: 5_000, ..small() });
    answer(&mut b, init_of(1, &bytes(3_000)), "ack []");
    answer(&mut b, init_of(2, &bytes(2_001)), "broken overloaded");
    answer(&mut b, init_of(3, &bytes(2_000)), "ack []");
}

#[test]
fn a_transfer_has_a_most_and_a_message_another() {
    let mut b = receiver(Config { transfer_bytes_max: 5_000, message_bytes_max: 3_000, ..small() });
    answer(&mut b, init_of(1, &bytes(5_001)), "broken too_large");
    answer(&mut b, init_of(2, &bytes(5_000)), "ack []");
    let message = ChunkInit { kind: "note".to_owned(), ..init_of(3, &bytes(3_001)) };
    answer(&mut b, message, "broken too_large");
    let message = ChunkInit { kind: "note".to_owned(), ..init_of(4, &bytes(3_000)) };
    answer(&mut b, message, "ack []");
    let offer = file_offer("b", &bytes(5_001));
    assert_eq!(b.offer(id(9), offer, start()), Err(OfferError::TooLarge { max: 5_000 }));
}

#[test]
fn what_the_sender_offers_beyond_16_waits_for_its_turn() {
    let mut a = receiver(Config { waiting_max: 20, ..small() });
    for byte in 0..20 {
        a.offer(id(byte), file_offer("b", &bytes(1_000)), start()).unwrap();
    }
    assert_eq!(sent(&outputs(&mut a)).len(), 16);
    let more = a.offer(id(20), file_offer("b", &bytes(1_000)), start());
    assert_eq!(more, Err(OfferError::Overloaded { max: 20 }));
    let whole = Ending::Whole { sha256: sha256(&bytes(1_000)) };
    a.handle_complete(&peer("b"), &ChunkComplete { transfer: id(0), ending: whole }, start());
    assert_eq!(sent(&outputs(&mut a)), ["init"]);
}

#[test]
fn no_more_chunks_are_under_way_than_the_window_says() {
    let mut a = receiver(small());
    a.offer(id(1), file_offer("b", &bytes(100 << 10)), start()).unwrap();
    outputs(&mut a);
    let ack = |last| ChunkAck { transfer: id(1), received: Ranges::new(vec![(0, last)]).unwrap() };
    let none = ChunkAck { transfer: id(1), received: Ranges::default() };
    a.handle_ack(&peer("b"), &none, start());
    let mut count = 0;
    for last in 0..60 {
        let read = reads(&mut a);
        count += u32::try_from(read.len()).unwrap();
        for index in read {
            a.handle_read(id(1), index, Ok(Piece::new(&[0; 1_024])), start());
        }
        assert!(count - last <= 32, "{}", count - last);
        a.handle_ack(&peer("b"), &ack(last), start());
    }
    assert_eq!(count - 59, 32, "the window opens");
}

/// The chunks that are to be read.
fn reads(transfers: &mut Transfers) -> Vec<u32> {
    let read = outputs(transfers).into_iter().filter_map(|output| match output {
        Output::Io(Io::Read { index, .. }) => Some(index),
        Output::Io(_) | Output::Send { .. } | Output::Event(_) => None,
    });
    read.collect()
}

#[test]
fn what_was_under_way_to_a_receiver_that_came_back_is_sent_again_at_once() {
    let mut a = receiver(small());
    a.offer(id(1), file_offer("b", &bytes(100 << 10)), start()).unwrap();
    let ack = |ranges| ChunkAck { transfer: id(1), received: Ranges::new(ranges).unwrap() };
    a.handle_ack(&peer("b"), &ack(vec![]), start());
    let mut now = start();
    // Silence, judged more patiently each time.
    for _ in 0..6 {
        for index in reads(&mut a) {
            a.handle_read(id(1), index, Ok(Piece::new(&[0; 1_024])), now);
        }
        now = a.next_deadline().unwrap();
        a.handle_deadline(now);
    }
    for index in reads(&mut a) {
        a.handle_read(id(1), index, Ok(Piece::new(&[0; 1_024])), now);
    }
    outputs(&mut a);
    a.session_ready(&peer("b"), now);
    assert_eq!(sent(&outputs(&mut a)), ["init"]);
    a.handle_ack(&peer("b"), &ack(vec![(0, 2)]), now);
    assert_eq!(reads(&mut a), (3..11).collect::<Vec<_>>());
    // Its acknowledgement may be that of the first sending: it says nothing about the round trip.
    for index in 3..11 {
        a.handle_read(id(1), index, Ok(Piece::new(&[0; 1_024])), now);
    }
    let patience = a.next_deadline().unwrap().since(now);
    a.handle_ack(&peer("b"), &ack(vec![(0, 3)]), now);
    assert_eq!(a.next_deadline().unwrap().since(now), patience);
}

#[test]
fn chunks_beyond_what_is_not_written_yet_are_dropped() {
    let mut b = receiver(Config { unwritten_max: 3, ..small() });
    b.handle_init(&peer("a"), init_of(1, &bytes(10 << 10)), start());
    outputs(&mut b);
    for index in 0..5 {
        let (head, body) = chunk_of(1, index, &[0; 1_024]);
        b.handle_chunk(&peer("a"), head, body, start());
    }
    assert_eq!(outputs(&mut b).len(), 3);
    b.handle_written(id(1), 0, WriteOutcome::Written, start());
    let (head, body) = chunk_of(1, 4, &[0; 1_024]);
    b.handle_chunk(&peer("a"), head, body, start());
    assert!(matches!(outputs(&mut b)[..], [Output::Io(Io::Write { index: 4, .. })]));
}

#[test]
fn silence_of_30_minutes_ends_a_transfer_on_both_sides() {
    let limit = Duration::from_mins(30);
    let mut b = receiver(small());
    b.handle_init(&peer("a"), init_of(1, &bytes(10 << 10)), start());
    let mut a = receiver(small());
    a.offer(id(1), file_offer("b", &bytes(10 << 10)), start()).unwrap();
    for side in [&mut a, &mut b] {
        outputs(side);
        side.handle_deadline(after(limit).offset(-1));
        assert_eq!(side.views().next().unwrap().standing, Standing::Open);
        side.handle_deadline(after(limit));
        let expired = Standing::Failed(BreakReason::Expired);
        assert_eq!(side.views().next().unwrap().standing, expired);
        assert_eq!(sent(&outputs(side)).last().unwrap(), "broken expired");
    }
}

#[test]
fn ends_are_remembered_for_a_while_and_not_without_number() {
    let mut b = receiver(Config { ended_per_peer_max: 3, ended_max: 5, ..small() });
    let end = |b: &mut Transfers, from: &str, byte: u8| {
        b.handle_init(&peer(from), init_of(byte, b""), start());
        b.handle_finished(id(byte), FinishOutcome::Kept { path: None }, start());
        outputs(b);
    };
    for byte in 0..4 {
        end(&mut b, "a", byte);
    }
    assert_eq!((b.view(id(0)), b.views().count()), (None, 3));
    for byte in 10..13 {
        end(&mut b, "c", byte);
    }
    assert_eq!((b.view(id(1)), b.views().count()), (None, 5));
    b.handle_deadline(after(Duration::from_hours(24)).offset(-1));
    assert_eq!(b.views().count(), 5);
    assert_eq!(b.next_deadline(), Some(after(Duration::from_hours(24))));
    b.handle_deadline(after(Duration::from_hours(24)));
    assert_eq!((b.views().count(), b.take_writes().len()), (0, 5));
    assert_eq!(b.next_deadline(), None);
}

#[test]
fn a_receiver_that_forgets_is_offered_it_again_three_times() {
    let mut a = receiver(small());
    a.offer(id(1), file_offer("b", &bytes(10 << 10)), start()).unwrap();
    let unknown = Ending::Broken { reason: BreakReason::Unknown };
    let unknown = ChunkComplete { transfer: id(1), ending: unknown };
    let nothing = ChunkAck { transfer: id(1), received: Ranges::default() };
    for _ in 0..3 {
        a.handle_ack(&peer("b"), &nothing, start());
        outputs(&mut a);
        a.handle_complete(&peer("b"), &unknown, start());
        a.handle_complete(&peer("b"), &unknown, start());
        assert_eq!(sent(&outputs(&mut a)), ["init"]);
    }
    a.handle_ack(&peer("b"), &nothing, start());
    a.handle_complete(&peer("b"), &unknown, start());
    assert_eq!(a.view(id(1)).unwrap().standing, Standing::Failed(BreakReason::Unknown));
}

#[test]
fn a_receiver_that_cannot_be_reached_is_asked_less_and_less_often() {
    let mut a = receiver(small());
    a.offer(id(1), file_offer("b", &bytes(10 << 10)), start()).unwrap();
    let mut now = start();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(sent(&outputs(&mut a)), ["init"]);
        a.handle_sent(id(1), None, false, now);
        let due = a.next_deadline().unwrap();
        pauses.push(due.since(now).as_secs());
        now = due;
        a.handle_deadline(now);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30, 30]);
}
