//! Whole transfers over a bad wire, with crashes.

use super::*;

/// What the wire does, drawn by proptest.
#[derive(Debug, Clone)]
struct Weather {
    /// Percent of messages that are lost.
    loss: u32,
    /// Percent of chunks whose data arrives changed.
    corruption: u32,
    seed: u64,
}

impl Weather {
    fn draw(&mut self) -> u32 {
        // A linear congruence is enough to vary the order of things.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from(self.seed >> 33).unwrap()
    }

    fn happens(&mut self, percent: u32) -> bool {
        self.draw() % 100 < percent
    }
}

struct Side {
    name: &'static str,
    transfers: Transfers,
    journal: MemoryJournal,
    /// What is in the files on the way in.
    parts: BTreeMap<TransferId, Vec<u8>>,
    digests: BTreeMap<TransferId, PrefixDigest>,
    files: Vec<(TransferId, Vec<u8>)>,
    done: Vec<(TransferId, Standing)>,
    io: VecDeque<Io>,
    chunks_sent: u32,
}

impl Side {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            transfers: Transfers::new(small()),
            journal: MemoryJournal::default(),
            parts: BTreeMap::new(),
            digests: BTreeMap::new(),
            files: Vec::new(),
            done: Vec::new(),
            io: VecDeque::new(),
            chunks_sent: 0,
        }
    }

    /// Dies, and starts again with what was kept. What is on the disk stays.
    fn crash(&mut self, now: Timestamp) {
        self.io.clear();
        self.digests.clear();
        let records = self.journal.load().unwrap().take(SPACE).collect::<Vec<_>>();
        self.transfers = Transfers::restore(small(), records, now).unwrap();
    }

    fn drain(&mut self, wire: &mut VecDeque<(&'static str, TransferId, Message)>) {
        let batch = Batch::from(self.transfers.take_writes());
        self.journal.commit(&[batch]).unwrap();
        while let Some(output) = self.transfers.poll_output() {
            match output {
                Output::Send { transfer, message, .. } => {
                    self.chunks_sent += u32::from(matches!(message, Message::Chunk { .. }));
                    wire.push_back((self.name, transfer, message));
                }
                Output::Io(io) => self.io.push_back(io),
                Output::Event(Event::Offered(_)) => {}
                Output::Event(Event::Done(view) | Event::Failed(view)) => {
                    self.done.push((view.id, view.standing));
                }
            }
        }
    }

    fn run_io(&mut self, io: Io, source: &[u8], now: Timestamp) {
        match io {
            Io::Read { transfer, index, begin, len, .. } => {
                let begin = usize::try_from(begin).unwrap();
                let piece = Piece::new(&source[begin..begin + len as usize]);
                self.transfers.handle_read(transfer, index, Ok(piece), now);
            }
            Io::Write { transfer, cut, index, body } => {
                let (begin, _) = cut.chunk(index).unwrap();
                let Some(data) = body.data() else {
                    let outcome = WriteOutcome::Corrupt;
                    return self.transfers.handle_written(transfer, index, outcome, now);
                };
                let begin = usize::try_from(begin).unwrap();
                let part = self.parts.entry(transfer).or_default();
                part.resize(part.len().max(begin + data.len()), 0);
                part[begin..begin + data.len()].copy_from_slice(&data);
                self.transfers.handle_written(transfer, index, WriteOutcome::Written, now);
            }
            Io::Sync { transfer } => self.transfers.handle_synced(transfer, true, now),
            Io::Finish { transfer, cut, sha256: promised, .. } => {
                let part = self.parts.remove(&transfer).unwrap_or_default();
                assert_eq!(part.len() as u64, cut.total_size());
                let outcome = if sha256(&part) == promised {
                    self.files.push((transfer, part));
                    FinishOutcome::Kept { path: Some("/in/data.bin".to_owned()) }
                } else {
                    FinishOutcome::Mismatch
                };
                self.transfers.handle_finished(transfer, outcome, now);
            }
            Io::Discard { transfer } => {
                self.parts.remove(&transfer);
            }
            Io::Close { .. } => {}
        }
    }
}

fn corrupt(object: Object) -> Object {
    let data = object.get("data").and_then(|data| data.as_str()).unwrap();
    // Another first character is other data of the same length.
    let other = if data.starts_with('A') { "B" } else { "A" };
    let data = format!("{other}{}", &data[1..]);
    object.with("data", data)
}

fn deliver(
    from: &'static str,
    to: &mut Side,
    (transfer, message): (TransferId, Message),
    is_corrupt: bool,
    now: Timestamp,
) {
    let from = peer(from);
    match message {
        Message::Init(init) => to.transfers.handle_init(&from, init, now),
        // As in a session of frames, every other time: what is corrupt does not open there.
        Message::Chunk { index, piece } if index.is_multiple_of(2) && !is_corrupt => {
            let data = piece.data().to_vec();
            let len = u32::try_from(data.len()).unwrap();
            to.transfers.handle_chunk(&from, ChunkHead { transfer, index, len }, data, now);
        }
        Message::Chunk { index, piece } => {
            let mut object = piece.into_object(transfer, index);
            if is_corrupt {
                object = corrupt(object);
            }
            let head = ChunkHead::from_object(&object).unwrap();
            to.transfers.handle_chunk(&from, head, std::sync::Arc::new(object), now);
        }
        Message::Ack(ack) => to.transfers.handle_ack(&from, &ack, now),
        Message::Resend(resend) => to.transfers.handle_resend(&from, &resend, now),
        Message::Complete(complete) => to.transfers.handle_complete(&from, &complete, now),
    }
}

/// Plays one transfer from a to b to its end and returns the two sides.
fn play(len: usize, mut weather: Weather, crashes: &[(u32, bool)]) -> (Side, Side, Timestamp) {
    let source = bytes(len);
    let (mut a, mut b) = (Side::new("a"), Side::new("b"));
    let mut wire: VecDeque<(&'static str, TransferId, Message)> = VecDeque::new();
    let mut now = start();
    a.transfers.offer(id(1), file_offer("b", &source), now).unwrap();
    let mut turn = 0;
    loop {
        turn += 1;
        assert!(turn < 2_000_000, "it does not end");
        a.drain(&mut wire);
        b.drain(&mut wire);
        for (_, is_a) in crashes.iter().filter(|(at, _)| *at == turn) {
            let side = if *is_a { &mut a } else { &mut b };
            side.crash(now);
            wire.clear();
            a.transfers.session_ready(&peer("b"), now);
            b.transfers.session_ready(&peer("a"), now);
        }
        let choices = [!wire.is_empty(), !a.io.is_empty(), !b.io.is_empty()];
        if choices == [false; 3] {
            if !a.done.is_empty() && a.transfers.outgoing.is_empty() {
                return (a, b, now);
            }
            let due = [a.transfers.next_deadline(), b.transfers.next_deadline()];
            now = due.into_iter().flatten().min().expect("something is due").max(now);
            a.transfers.handle_deadline(now);
            b.transfers.handle_deadline(now);
            continue;
        }
        now = now.offset(50);
        let pick = weather.draw() % 3;
        if pick == 0 && !wire.is_empty() {
            let (from, transfer, message) = wire.pop_front().unwrap();
            let chunk = match &message {
                Message::Init(_) => Some(None),
                Message::Chunk { index, .. } => Some(Some(*index)),
                Message::Ack(_) | Message::Resend(_) | Message::Complete(_) => None,
            };
            let is_lost = weather.happens(weather.loss);
            let is_corrupt = weather.happens(weather.corruption);
            let (sender, receiver) = if from == "a" { (&mut a, &mut b) } else { (&mut b, &mut a) };
            // Half of what is lost was delivered and only its answer was lost, or the other way round.
            if !is_lost {
                deliver(from, receiver, (transfer, message), is_corrupt, now);
            }
            if let Some(index) = chunk {
                sender.transfers.handle_sent(transfer, index, !is_lost, now);
            }
        } else {
            let side = if pick == 1 { &mut a } else { &mut b };
            // Reads and writes end in any order; a synchronisation and an end wait for what came before.
            let free =
                side.io.iter().take_while(|io| matches!(io, Io::Read { .. } | Io::Write { .. }));
            let free = free.count().max(1);
            let at = weather.draw() as usize % free;
            if let Some(io) = side.io.remove(at) {
                side.run_io(io, &source, now);
            }
        }
    }
}

#[track_caller]
fn arrived(len: usize, (a, b, _): &(Side, Side, Timestamp)) {
    assert_eq!(a.done, [(id(1), Standing::Done)]);
    assert_eq!(b.files, [(id(1), bytes(len))]);
    assert_eq!(b.done, [(id(1), Standing::Done)]);
    assert!(b.parts.is_empty());
}

fn fair() -> Weather {
    Weather { loss: 0, corruption: 0, seed: 1 }
}

#[test]
fn on_a_good_wire_every_chunk_goes_once() {
    let played = play(300 * 1_024 + 1, fair(), &[]);
    arrived(300 * 1_024 + 1, &played);
    assert_eq!(played.0.chunks_sent, 301);
    assert!(played.2.since(start()) < Duration::from_secs(1), "nobody waited for a timeout");
}

#[test]
fn nothing_at_all_arrives_too() {
    let played = play(0, fair(), &[]);
    arrived(0, &played);
    assert_eq!(played.0.chunks_sent, 0);
}

#[test]
fn what_is_kept_at_the_end_is_how_it_ended() {
    let (mut a, mut b, now) = play(5_000, fair(), &[]);
    let mut wire = VecDeque::new();
    a.drain(&mut wire);
    b.drain(&mut wire);
    for side in [&mut a, &mut b] {
        side.crash(now);
        let views: Vec<_> = side.transfers.views().collect();
        assert_eq!(views.len(), 1, "{}", side.name);
        assert_eq!((views[0].standing, views[0].received), (Standing::Done, 5_000));
    }
    // Whoever asks again hears that it is whole, and nothing is received a second time.
    b.transfers.handle_init(
        &peer("a"),
        ChunkInit { name: Some("data.bin".parse().unwrap()), ..init_of(1, &bytes(5_000)) },
        now,
    );
    assert_eq!(sent(&outputs(&mut b.transfers)), ["whole"]);
}

#[test]
fn a_crash_of_the_receiver_repeats_what_was_not_durable_and_no_more() {
    let len = 400 * 1_024;
    let played = play(len, fair(), &[(1_000, false)]);
    assert_eq!(played.1.files, [(id(1), bytes(len))]);
    let repeated = played.0.chunks_sent - 400;
    // 16 KiB between two synchronisations, what came while one ran, and what was under way.
    assert!((1..=16 + 32 + 64).contains(&repeated), "{repeated}");
}

#[test]
fn a_crash_of_the_sender_repeats_what_was_under_way_and_no_more() {
    let len = 400 * 1_024;
    let played = play(len, fair(), &[(1_000, true)]);
    assert_eq!(played.1.files, [(id(1), bytes(len))]);
    assert_eq!(played.0.done, [(id(1), Standing::Done)]);
    assert!(played.0.chunks_sent - 400 <= 32 + 64, "{}", played.0.chunks_sent);
}

#[test]
fn a_bad_wire_costs_about_what_it_loses() {
    let len = 1_000 * 1_024;
    let played = play(len, Weather { loss: 5, corruption: 1, seed: 3 }, &[]);
    arrived(len, &played);
    assert!(played.0.chunks_sent < 1_150, "{}", played.0.chunks_sent);
    assert!(played.2.since(start()) < Duration::from_mins(1), "{:?}", played.2.since(start()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_it_arrives_identical_and_once(
        len in 0_usize..100_000,
        loss in 0_u32..30,
        corruption in 0_u32..10,
        seed: u64,
        crashes in proptest::collection::vec((1_u32..2_000, any::<bool>()), 0..5),
    ) {
        let played = play(len, Weather { loss, corruption, seed }, &crashes);
        prop_assert_eq!(&played.1.files, &[(id(1), bytes(len))]);
        prop_assert_eq!(&played.0.done, &[(id(1), Standing::Done)]);
        prop_assert!(played.1.parts.is_empty());
    }
}
