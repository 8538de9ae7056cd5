//! Laws: whatever the network does and whoever crashes when, a session comes back under its id, nothing is sealed twice, and
//! each durable message is handled once and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::derivation::sha256;
use entity_crypto::entropy::Entropy;
use entity_journal::MemoryJournal;
use entity_session::v1_1::author::Outbound;
use entity_session::v1_1::numbers::{Class, Fate};
use entity_session::v1_1::sessions::Received;
use entity_wire::code::ErrorCode;
use entity_wire::id::{MessageId, MessageNumber, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::Sealed;

use crate::pair::{Node, Pair, body_of, parse};

/// One side, with what its application keeps.
struct Side {
    node: Node,
    peer: entity_crypto::identity::PeerId,
    /// Durable messages that are not acknowledged, with their text.
    outbox: BTreeMap<MessageNumber, (MessageId, String)>,
    handled: Vec<String>,
    sent: usize,
}

/// What a side has on disk.
struct Disk {
    journal: MemoryJournal,
    outbox: BTreeMap<MessageNumber, (MessageId, String)>,
    handled: Vec<String>,
    sent: usize,
}

struct World {
    sides: [Side; 2],
    session: SessionId,
    under_way: Vec<(usize, Bytes)>,
    /// Every place that anything was sealed in, with its bytes; and every number, with its text.
    sealed: BTreeMap<(usize, u16, u64), [u8; 32]>,
    numbered: BTreeMap<(usize, u64), String>,
}

impl Side {
    fn disk(&self) -> Disk {
        let (outbox, handled) = (self.outbox.clone(), self.handled.clone());
        Disk { journal: self.node.journal.clone(), outbox, handled, sent: self.sent }
    }

    /// Goes back to what is on disk.
    fn crash(&mut self, disk: Disk, session: SessionId) {
        (self.node.journal, self.outbox) = (disk.journal, disk.outbox);
        (self.handled, self.sent) = (disk.handled, disk.sent);
        let numbers: BTreeSet<MessageNumber> = self.outbox.keys().copied().collect();
        self.node.kept = BTreeMap::from([(session, numbers)]);
        self.node.restart();
    }

    fn settle_outbox(&mut self, session: SessionId) {
        let sessions = &self.node.sessions;
        self.outbox.retain(|number, _| sessions.fate(session, *number) == Some(Fate::Pending));
    }
}

impl World {
    fn new() -> Self {
        let mut pair = Pair::pinned();
        let session = pair.connect();
        let side = |node: Node, peer| Side {
            node,
            peer,
            outbox: BTreeMap::new(),
            handled: Vec::new(),
            sent: 0,
        };
        let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
        let sides = [side(pair.alice, bob), side(pair.bob, alice)];
        let (sealed, numbered) = (BTreeMap::new(), BTreeMap::new());
        Self { sides, session, under_way: Vec::new(), sealed, numbered }
    }

    /// Does one thing at a side and lets it crash in the middle of it, where the dice say so: before anything of it is
    /// kept, or after that and before anything of it is seen.
    fn act(&mut self, at: usize, dice: &mut Dice, action: impl FnOnce(&mut Side) -> Vec<Outbound>) {
        let before = self.sides[at].disk();
        let outbound = action(&mut self.sides[at]);
        match dice.chance() {
            Some(Crash::Before) => self.sides[at].crash(before, self.session),
            Some(Crash::After) => {
                let now = self.sides[at].disk();
                self.sides[at].crash(now, self.session);
            }
            None => outbound.into_iter().for_each(|outbound| self.post(at, &outbound)),
        }
    }

    fn post(&mut self, from: usize, outbound: &Outbound) {
        let message = parse(&outbound.body).unwrap();
        if let Ok(sealed) = Sealed::from_object(message.payload()) {
            let place = (from, sealed.generation.get(), message.header().sequence.get());
            let digest = sha256(&outbound.body);
            let twice = self.sealed.insert(place, digest).is_some_and(|earlier| earlier != digest);
            assert!(!twice, "{place:?} is sealed twice");
        }
        self.under_way.push((1 - from, outbound.body.clone()));
    }

    fn deliver(&mut self, (at, body): (usize, Bytes), dice: &mut Dice) {
        let session = self.session;
        let mut refused = None;
        self.act(at, dice, |side| match side.node.receive(&body) {
            Ok(Received::Deliver(deliveries)) => {
                let text = |body: &Object| body.get("text")?.as_str().map(str::to_owned);
                side.handled
                    .extend(deliveries.iter().filter_map(|delivery| text(body_of(delivery))));
                side.settle_outbox(session);
                Vec::new()
            }
            Ok(Received::Resuming(answer) | Received::Repeat(Some(answer))) => vec![answer],
            Ok(_) => Vec::new(),
            Err(error) => {
                refused = error.code();
                Vec::new()
            }
        });
        let is_proposal = parse(&body).unwrap().header().kind == MessageKind::SessionResume;
        match refused {
            Some(ErrorCode::SequenceError) if is_proposal => self.resume(1 - at, true, dice),
            Some(ErrorCode::SessionNotFound) if !is_proposal => self.resume(1 - at, false, dice),
            _ => {}
        }
    }

    fn resume(&mut self, at: usize, higher: bool, dice: &mut Dice) {
        let session = self.session;
        self.act(at, dice, |side| {
            let is_waiting = side.node.sessions.ready(session).unwrap().is_resuming();
            if is_waiting && !higher {
                return Vec::new();
            }
            let proposal = side.node.with(|sessions, author| {
                if higher {
                    sessions.resume_higher(session, author)
                } else {
                    sessions.resume(session, author)
                }
            });
            vec![proposal.unwrap()]
        });
    }

    fn send(&mut self, at: usize, is_durable: bool, dice: &mut Dice) {
        let id = MessageId::from_random(dice.0.bytes());
        let mut taken = None;
        let count = self.under_way.len();
        self.act(at, dice, |side| {
            let text = format!("{}{}", if is_durable { "d" } else { "v" }, side.sent);
            let class = if is_durable { Class::Durable(id) } else { Class::Volatile };
            let (peer, body) = (side.peer.clone(), Object::new().with("text", text.as_str()));
            let kind = MessageKind::Message;
            let sent =
                side.node.with(|sessions, author| sessions.send(&peer, kind, body, class, author));
            let Ok(sent) = sent else { return Vec::new() };
            side.sent += 1;
            if is_durable {
                side.outbox.insert(sent.number.unwrap(), (id, text.clone()));
            }
            taken = Some((sent.number.unwrap().get(), text));
            vec![sent.outbound]
        });
        // What a crash took back before it was kept may be numbered anew; nobody has seen it.
        let is_seen = self.under_way.len() > count;
        if let Some((number, text)) = taken.filter(|_| is_seen) {
            let earlier = self.numbered.insert((at, number), text.clone());
            assert!(
                earlier.is_none_or(|earlier| earlier == text),
                "number {number} means two things"
            );
        }
    }

    fn resend(&mut self, at: usize, dice: &mut Dice) {
        let session = self.session;
        for (number, (id, text)) in self.sides[at].outbox.clone() {
            self.act(at, dice, |side| {
                let body = Object::new().with("text", text.as_str());
                let place = (session, number, id);
                let again = side.node.with(|sessions, author| {
                    sessions.resend(place, MessageKind::Message, body, author)
                });
                again.into_iter().map(|sent| sent.outbound).collect()
            });
        }
    }

    fn attend(&mut self, at: usize, dice: &mut Dice) {
        self.act(at, dice, |side| {
            let _changes = std::iter::from_fn(|| side.node.sessions.poll_change()).count();
            side.node.attend().into_iter().map(|sent| sent.outbound).collect()
        });
    }

    fn advance(&mut self, span: Duration, dice: &mut Dice) {
        for at in [0, 1] {
            self.sides[at].node.now = self.sides[at].node.now.plus(span);
            self.attend(at, dice);
        }
    }

    fn is_sending(&self, at: usize) -> bool {
        self.sides[at].node.sessions.ready(self.session).unwrap().is_sending()
    }

    /// One thing that may happen.
    fn step(&mut self, dice: &mut Dice) {
        let at = dice.below(2);
        match dice.below(16) {
            0..=5 if !self.under_way.is_empty() => {
                let next = self.under_way.remove(dice.below(self.under_way.len()));
                if dice.below(4) == 0 {
                    self.under_way.push(next.clone());
                }
                self.deliver(next, dice);
            }
            6 if !self.under_way.is_empty() => {
                drop(self.under_way.remove(dice.below(self.under_way.len())));
            }
            7..=9 => self.send(at, dice.below(2) == 0, dice),
            10 => self.resume(at, false, dice),
            11 => {
                let (session, now) = (self.session, self.sides[at].node.now);
                self.act(at, dice, |side| {
                    side.node.with(|sessions, _| sessions.rekey(session, now));
                    Vec::new()
                });
            }
            12 => self.resend(at, dice),
            _ => self
                .advance(Duration::from_millis(200 * u64::try_from(dice.below(20)).unwrap()), dice),
        }
    }

    /// Lets both sides come together again, over a network that loses nothing. There is no handshake.
    fn calm_down(&mut self) {
        let mut dice = Dice(Entropy::from_seed([0; 32]), 0);
        for round in 0..60 {
            self.advance(Duration::from_secs(2), &mut dice);
            for at in [0, 1] {
                if !self.is_sending(at) {
                    self.resume(at, false, &mut dice);
                }
                self.resend(at, &mut dice);
            }
            while !self.under_way.is_empty() {
                let next = self.under_way.remove(0);
                self.deliver(next, &mut dice);
            }
            let is_done = self.sides.iter().all(|side| side.outbox.is_empty());
            if round > 3 && is_done && self.is_sending(0) && self.is_sending(1) {
                return;
            }
        }
        let [alice, bob] = self.sides.each_ref().map(|side| side.node.sessions.ready(self.session));
        panic!("they do not come together: {alice:?} {bob:?}");
    }
}

enum Crash {
    Before,
    After,
}

/// Chance, and how many of 256 actions end in a crash.
struct Dice(Entropy, u8);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.0.bytes::<1>()[0]) % bound
    }

    fn chance(&mut self) -> Option<Crash> {
        let [crash, when] = self.0.bytes::<2>();
        let crashes = crash < self.1;
        crashes.then_some(if when < 128 { Crash::Before } else { Crash::After })
    }
}

/// The durable messages of a side that were not taken back by a crash, as the other side handled them.
fn check(seed: u8, crashes: u8) {
    let mut seeds = [seed; 32];
    seeds[0] = crashes;
    let mut dice = Dice(Entropy::from_seed(seeds), crashes);
    let mut world = World::new();
    for _ in 0..120 {
        world.step(&mut dice);
    }
    world.calm_down();
    for at in [0, 1] {
        let handled = &world.sides[1 - at].handled;
        let durable = |text: &&String| text.starts_with('d');
        let distinct: BTreeSet<&String> = handled.iter().collect();
        assert_eq!(distinct.len(), handled.len(), "seed {seed}: handled twice: {handled:?}");
        let order: Vec<u32> = handled.iter().map(|text| text[1..].parse().unwrap()).collect();
        assert!(order.is_sorted(), "seed {seed}: out of order: {handled:?}");
        let sent = world.numbered.iter().filter(|((from, _), _)| *from == at);
        let mut sent = sent.map(|(_, text)| text).filter(durable);
        let missing = sent.find(|text| !distinct.contains(text));
        assert_eq!(missing, None, "seed {seed}: it was lost");
    }
}

#[test]
fn a_session_survives_loss_repetition_and_reordering() {
    (0..40).for_each(|seed| check(seed, 0));
}

#[test]
fn a_session_survives_crashes_of_either_side_at_every_moment() {
    (0..60).for_each(|seed| check(seed, 12));
    (60..80).for_each(|seed| check(seed, 60));
}

#[test]
fn a_hundred_restarts_in_turn_keep_the_id() {
    let mut world = World::new();
    let mut dice = Dice(Entropy::from_seed([1; 32]), 0);
    for restart in 0..100_usize {
        let at = restart % 2;
        world.send(at, true, &mut dice);
        let disk = world.sides[at].disk();
        world.under_way.clear();
        world.sides[at].crash(disk, world.session);
        world.calm_down();
    }
    for side in &world.sides {
        assert_eq!(side.node.sessions.current(&side.peer), Some(world.session));
        assert_eq!(side.handled, (0..50).map(|number| format!("d{number}")).collect::<Vec<_>>());
    }
}
