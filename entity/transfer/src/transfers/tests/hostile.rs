//! What a peer may not do.

use super::*;

fn with_open(from: &str) -> Transfers {
    let mut b = Transfers::new(small());
    b.handle_init(&peer(from), init_of(1, &bytes(10 << 10)), start());
    outputs(&mut b);
    b
}

#[test]
fn a_transfer_belongs_to_the_peer_that_offered_it() {
    let mut b = with_open("a");
    b.handle_init(&peer("m"), init_of(1, &bytes(10 << 10)), start());
    assert_eq!(sent(&outputs(&mut b)), ["broken refused"]);
    let (head, body) = chunk_of(1, 0, &[0; 1_024]);
    b.handle_chunk(&peer("m"), head, body, start());
    assert_eq!(sent(&outputs(&mut b)), ["broken unknown"]);
    let broken = Ending::Broken { reason: BreakReason::Cancelled };
    let broken = ChunkComplete { transfer: id(1), ending: broken };
    b.handle_complete(&peer("m"), &broken, start());
    assert!(outputs(&mut b).is_empty());
    assert_eq!(b.view(id(1)).unwrap().standing, Standing::Open);
}

#[test]
fn an_outgoing_transfer_hears_only_its_receiver() {
    let mut a = Transfers::new(small());
    a.offer(id(1), file_offer("b", &bytes(10 << 10)), start()).unwrap();
    outputs(&mut a);
    let all = Ranges::new(vec![(0, 9)]).unwrap();
    let ack = ChunkAck { transfer: id(1), received: all.clone() };
    a.handle_ack(&peer("m"), &ack, start());
    a.handle_resend(&peer("m"), &ChunkResend { transfer: id(1), ranges: all }, start());
    let whole = Ending::Whole { sha256: sha256(&bytes(10 << 10)) };
    a.handle_complete(&peer("m"), &ChunkComplete { transfer: id(1), ending: whole }, start());
    assert!(outputs(&mut a).is_empty());
    assert_eq!(a.view(id(1)).unwrap().received, 0);
    // And what the sender of a transfer says of its being whole counts for nothing.
    let mut b = with_open("a");
    b.handle_complete(&peer("a"), &ChunkComplete { transfer: id(1), ending: whole }, start());
    assert_eq!(b.view(id(1)).unwrap().standing, Standing::Open);
}

#[test]
fn an_id_cannot_be_offered_with_other_values() {
    let mut b = with_open("a");
    b.handle_init(&peer("a"), init_of(1, &bytes(9 << 10)), start());
    assert_eq!(sent(&outputs(&mut b)), ["broken refused"]);
    b.handle_init(&peer("a"), init_of(1, &bytes(10 << 10)), start());
    assert_eq!(sent(&outputs(&mut b)), ["ack []"]);
    let mut a = Transfers::new(small());
    a.offer(id(1), file_offer("b", &bytes(10)), start()).unwrap();
    outputs(&mut a);
    a.handle_init(&peer("b"), init_of(1, &bytes(10)), start());
    assert_eq!(sent(&outputs(&mut a)), ["broken refused"]);
}

#[test]
fn a_chunk_of_another_length_or_beyond_the_last_breaks_the_transfer() {
    for (index, len) in [(0, 1_023), (9, 1_025), (10, 1_024)] {
        let mut b = with_open("a");
        let (head, body) = chunk_of(1, index, &vec![0; len]);
        b.handle_chunk(&peer("a"), head, body, start());
        assert_eq!(sent(&outputs(&mut b)), ["broken refused"], "{index} {len}");
        assert_eq!(b.view(id(1)).unwrap().standing, Standing::Failed(BreakReason::Refused));
    }
}

#[test]
fn a_chunk_whose_digest_does_not_hold_is_asked_for_again() {
    let mut b = with_open("a");
    let (head, body) = chunk_of(1, 3, &[0; 1_024]);
    b.handle_chunk(&peer("a"), head, body, start());
    b.handle_written(id(1), 3, WriteOutcome::Corrupt, start());
    assert_eq!(sent(&outputs(&mut b)), ["resend [(3, 3)]"]);
    assert_eq!(b.view(id(1)).unwrap().received, 0);
}

#[test]
fn whoever_sends_nothing_but_bad_chunks_is_cut_off() {
    let mut b = with_open("a");
    let mut resends = 0;
    loop {
        let (head, body) = chunk_of(1, 3, &[0; 1_024]);
        b.handle_chunk(&peer("a"), head, body, start());
        b.handle_written(id(1), 3, WriteOutcome::Corrupt, start());
        let sent = sent(&outputs(&mut b));
        if sent != ["resend [(3, 3)]"] {
            assert_eq!(sent, ["broken mismatch"]);
            break;
        }
        resends += 1;
    }
    assert_eq!(resends, 1_024);
}

#[test]
fn types_that_have_their_own_ways_do_not_come_as_transfers() {
    for kind in ["chunk", "chunk_init", "handshake_init", "session_close", "token_transfer", "vote"]
    {
        let mut b = Transfers::new(small());
        let init = ChunkInit { kind: kind.to_owned(), ..init_of(1, b"{}") };
        b.handle_init(&peer("a"), init, start());
        assert_eq!(sent(&outputs(&mut b)), ["broken refused"], "{kind}");
    }
}

#[test]
fn missing_chunks_are_asked_for_when_nothing_comes() {
    let mut b = with_open("a");
    for index in [0, 1, 4] {
        let (head, body) = chunk_of(1, index, &[0; 1_024]);
        b.handle_chunk(&peer("a"), head, body, start());
        b.handle_written(id(1), index, WriteOutcome::Written, start());
    }
    outputs(&mut b);
    b.handle_deadline(after(Duration::from_millis(50)));
    assert_eq!(sent(&outputs(&mut b)), ["ack [(0, 1), (4, 4)]"]);
    b.handle_deadline(after(Duration::from_secs(2)));
    assert_eq!(sent(&outputs(&mut b)), ["resend [(2, 3)]"]);
    b.handle_deadline(after(Duration::from_secs(6)).offset(-1));
    assert!(sent(&outputs(&mut b)).is_empty());
    b.handle_deadline(after(Duration::from_secs(6)));
    assert_eq!(sent(&outputs(&mut b)), ["resend [(2, 3)]"]);
}

#[test]
fn a_file_that_is_another_one_now_ends_the_transfer() {
    let mut a = Transfers::new(small());
    a.offer(id(1), file_offer("b", &bytes(10 << 10)), start()).unwrap();
    let nothing = ChunkAck { transfer: id(1), received: Ranges::default() };
    a.handle_ack(&peer("b"), &nothing, start());
    outputs(&mut a);
    a.handle_read(id(1), 0, Err(ReadFailure::Changed), start());
    assert_eq!(sent(&outputs(&mut a)), ["broken storage"]);
}

#[test]
fn a_message_is_handed_back_and_a_file_gets_a_name() {
    for (kind, keep) in
        [("note", Keep::Message { kind: "note".to_owned() }), ("file", Keep::File { name: None })]
    {
        let mut b = Transfers::new(small());
        let init = ChunkInit { kind: kind.to_owned(), ..init_of(1, b"") };
        b.handle_init(&peer("a"), init, start());
        let finish = outputs(&mut b).into_iter().find_map(|output| match output {
            Output::Io(Io::Finish { keep, .. }) => Some(keep),
            Output::Io(_) | Output::Send { .. } | Output::Event(_) => None,
        });
        assert_eq!(finish, Some(keep));
    }
}

#[test]
fn a_receiver_that_has_something_else_has_not_got_it() {
    let mut a = Transfers::new(small());
    a.offer(id(1), file_offer("b", &bytes(10 << 10)), start()).unwrap();
    let other = Ending::Whole { sha256: sha256(b"something else") };
    a.handle_complete(&peer("b"), &ChunkComplete { transfer: id(1), ending: other }, start());
    assert_eq!(a.view(id(1)).unwrap().standing, Standing::Failed(BreakReason::Mismatch));
}

#[test]
fn what_was_not_sent_yet_is_not_sent_sooner_or_twice_because_somebody_wants_it_again() {
    let mut a = Transfers::new(small());
    a.offer(id(1), file_offer("b", &bytes(100 << 10)), start()).unwrap();
    let ack = |ranges| ChunkAck { transfer: id(1), received: Ranges::new(ranges).unwrap() };
    a.handle_ack(&peer("b"), &ack(vec![]), start());
    outputs(&mut a);
    let ranges = Ranges::new(vec![(50, 99)]).unwrap();
    a.handle_resend(&peer("b"), &ChunkResend { transfer: id(1), ranges }, start());
    a.handle_ack(&peer("b"), &ack(vec![(0, 7)]), start());
    let reads = outputs(&mut a).into_iter().filter_map(|output| match output {
        Output::Io(Io::Read { index, .. }) => Some(index),
        Output::Io(_) | Output::Send { .. } | Output::Event(_) => None,
    });
    assert_eq!(reads.min(), Some(8));
    assert_eq!(a.view(id(1)).unwrap().received, 8 << 10);
}
