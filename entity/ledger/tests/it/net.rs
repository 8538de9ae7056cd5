//! Ledgers that send each other messages, lose power, and start again: all in one thread and in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use entity_journal::{Batch, Journal, MemoryJournal, Stored};
use entity_ledger::{Event, Keys, Ledger, Output, Submitted, TransferError, TransferRequest};
use entity_wire::json::{self, RULES_1_1, Value};
use entity_wire::payload::token::{
    Amount, Genesis, TokenGenesis, TokenMessage, TokenName, TransferId,
};
use entity_wire::time::Timestamp;

/// The name of the one token of most tests.
pub(crate) const TOKEN: &str = "AGT";

/// The cap of that token.
pub(crate) const CAP: u128 = 1_000_000;

pub(crate) fn token() -> TokenName {
    TOKEN.parse().unwrap()
}

pub(crate) fn amount(units: u128) -> Amount {
    Amount::new(units).unwrap()
}

pub(crate) fn id(number: u128) -> TransferId {
    TransferId::from_bytes(number.to_be_bytes())
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_iso_strict("2026-01-01T00:00:00.000000+00:00").unwrap()
}

/// The keys of one node: the identity first.
pub(crate) struct Keyring(pub(crate) Vec<SigningKey>);

impl Keys for Keyring {
    fn sign(&self, account: &PublicKey, bytes: &[u8]) -> Option<Signature> {
        let key = self.0.iter().find(|key| key.public_key() == *account)?;
        Some(key.sign(bytes))
    }
}

/// One node: a ledger, its keys and what it keeps.
pub(crate) struct Node {
    pub(crate) keys: Keyring,
    pub(crate) ledger: Ledger,
    pub(crate) journal: MemoryJournal,
    pub(crate) events: Vec<Event>,
}

impl Node {
    pub(crate) fn key(&self) -> PublicKey {
        self.keys.0[0].public_key()
    }

    /// Keeps what the last input wants kept.
    pub(crate) fn settle(&mut self) {
        let batch = Batch::from(self.ledger.take_writes());
        self.journal.commit(&[batch]).unwrap();
    }

    pub(crate) fn stored(&self) -> Stored {
        self.journal.load().unwrap()
    }
}

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: PublicKey,
    pub(crate) to: PublicKey,
    pub(crate) message: TokenMessage,
}

/// What a member answers, in a few words.
pub(crate) fn said(message: &TokenMessage) -> String {
    if let TokenMessage::Vote(vote) = message {
        format!("vote {}", vote.digest)
    } else if let TokenMessage::VoteRefusal(refusal) = message {
        refusal.code.to_string()
    } else {
        message.kind().to_string()
    }
}

/// Some nodes and the messages between them.
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) index: BTreeMap<PublicKey, usize>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) now: Timestamp,
    pub(crate) genesis: Genesis,
    /// Everything that was ever sent by a node.
    pub(crate) log: Vec<Letter>,
    /// What came for a key that no node has.
    pub(crate) outside: Vec<Letter>,
    /// How many batches were kept, or would have been.
    pub(crate) persists: usize,
    /// At which of them the power fails.
    pub(crate) crash: Option<Crash>,
    /// Whether the power has failed since somebody last looked.
    pub(crate) has_crashed: bool,
}

/// A loss of power at the n-th batch, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) at: usize,
    /// Whether the batch was durable by then.
    pub(crate) kept: bool,
}

pub(crate) fn signing(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

/// A genesis of the members with these seeds and of one token that the first issues.
pub(crate) fn genesis(seeds: &[u8]) -> Genesis {
    let keys: Vec<_> = seeds.iter().map(|seed| signing(*seed).public_key()).collect();
    let issued = TokenGenesis { token: token(), issuer: keys[0], cap: amount(CAP) };
    Genesis::new(keys, vec![issued]).unwrap()
}

impl Net {
    /// A network of `members` members and `others` nodes that are none. Node 0 is the issuer.
    pub(crate) fn new(members: u8, others: u8) -> Self {
        let seeds: Vec<u8> = (1..=members + others).collect();
        Self::of(genesis(&seeds[..usize::from(members)]), &seeds)
    }

    /// A network of nodes with these seeds.
    pub(crate) fn of(genesis: Genesis, seeds: &[u8]) -> Self {
        let node = |seed: u8| {
            let keys = Keyring(vec![signing(seed)]);
            let ledger = Ledger::open(genesis.clone(), keys.0[0].public_key());
            let mut node =
                Node { keys, ledger, journal: MemoryJournal::default(), events: Vec::new() };
            node.settle();
            node
        };
        let nodes: Vec<Node> = seeds.iter().copied().map(node).collect();
        let index = nodes.iter().enumerate().map(|(place, node)| (node.key(), place)).collect();
        Self {
            nodes,
            index,
            letters: Vec::new(),
            now: start(),
            genesis,
            log: Vec::new(),
            outside: Vec::new(),
            persists: 0,
            crash: None,
            has_crashed: false,
        }
    }

    pub(crate) fn key(&self, node: usize) -> PublicKey {
        self.nodes[node].key()
    }

    pub(crate) fn request(
        &self,
        from: usize,
        to: usize,
        number: u128,
        units: u128,
    ) -> TransferRequest {
        TransferRequest {
            id: id(number),
            token: token(),
            from: self.key(from),
            to: self.key(to),
            amount: amount(units),
            expires_at: self.now.plus(Duration::from_hours(1)),
            memo: None,
            receiver: Some(self.key(to)),
        }
    }

    /// Begins a transfer and lets nothing travel.
    pub(crate) fn begin(
        &mut self,
        from: usize,
        request: TransferRequest,
    ) -> Result<Submitted, TransferError> {
        let node = &mut self.nodes[from];
        let begun = node.ledger.handle_transfer(request, &node.keys, self.now);
        self.collect(from);
        begun
    }

    /// Begins a transfer of node `from` to node `to`, and lets everything travel.
    pub(crate) fn pay(&mut self, from: usize, to: usize, number: u128, units: u128) {
        let request = self.request(from, to, number, units);
        self.begin(from, request).unwrap();
        self.run();
    }

    /// Keeps the writes of a node's last input, then takes its outputs.
    pub(crate) fn collect(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let batch = Batch::from(node.ledger.take_writes());
        if !batch.is_empty() {
            self.persists += 1;
            let crash = self.crash.filter(|crash| crash.at == self.persists);
            if crash.is_none_or(|crash| crash.kept) {
                node.journal.commit(&[batch]).unwrap();
            }
            if crash.is_some() {
                self.has_crashed = true;
                return self.restart(place);
            }
        }
        let from = node.key();
        while let Some(output) = node.ledger.poll_output() {
            match output {
                Output::Send { to, message } => {
                    let letter = Letter { from, to, message: *message };
                    self.log.push(letter.clone());
                    self.letters.push(letter);
                }
                Output::Event(event) => node.events.push(event),
            }
        }
        assert!(node.ledger.audit().holds(), "the books of node {place} balance");
    }

    /// Delivers one letter. What is on the wire is read as text, as a peer would.
    pub(crate) fn deliver(&mut self, letter: Letter) {
        let Some(place) = self.index.get(&letter.to).copied() else {
            self.outside.push(letter);
            return;
        };
        let text = json::to_vec(&Value::Object(letter.message.to_object()), json::Layout::Compact);
        let object = json::parse(&text, &RULES_1_1).unwrap().into_object().unwrap();
        let message = TokenMessage::from_object(&letter.message.kind(), &object).unwrap().unwrap();
        assert_eq!(message, letter.message);
        let node = &mut self.nodes[place];
        node.ledger.handle_message(&letter.from, message, &node.keys, self.now);
        self.collect(place);
    }

    /// Delivers everything in order until nothing is under way.
    pub(crate) fn run(&mut self) {
        while !self.letters.is_empty() {
            let letter = self.letters.remove(0);
            self.deliver(letter);
        }
    }

    /// Delivers in order until a letter of a kind comes first.
    pub(crate) fn run_until(&mut self, is_wanted: impl Fn(&Letter) -> bool) {
        while self.letters.first().is_some_and(|letter| !is_wanted(letter)) {
            let letter = self.letters.remove(0);
            self.deliver(letter);
        }
    }

    /// Starts a node that has lost everything it had kept.
    pub(crate) fn forget(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        node.journal = MemoryJournal::default();
        node.ledger = Ledger::open(self.genesis.clone(), node.key());
        self.collect(place);
    }

    /// Lets time pass until nothing waits any more, at most an hour.
    pub(crate) fn finish(&mut self) {
        let end = self.now.plus(Duration::from_hours(1));
        self.run();
        while let Some(at) = self.next_deadline().filter(|at| *at < end) {
            self.now = self.now.max(at);
            for place in 0..self.nodes.len() {
                let node = &mut self.nodes[place];
                node.ledger.handle_deadline(&node.keys, self.now);
                self.collect(place);
            }
            self.run();
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.nodes.iter().filter_map(|node| node.ledger.next_deadline()).min()
    }

    /// Kills a node and starts it from what it has kept.
    pub(crate) fn restart(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let mut stored = node.stored();
        let restored = Ledger::restore(&mut stored, node.key(), self.now).unwrap();
        node.ledger = restored.expect("the ledger was opened");
        assert_eq!(stored.left().collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(node.ledger.take_writes().is_empty(), "what was read is not kept again");
        assert!(node.ledger.audit().holds());
    }

    /// What node `at` sees on the account of node `of`.
    pub(crate) fn balance(&self, at: usize, of: usize) -> i128 {
        let view = self.nodes[at].ledger.account(&self.key(of), &token()).unwrap();
        view.balance.units()
    }

    pub(crate) fn balances(&self, at: usize) -> Vec<i128> {
        (0..self.nodes.len()).map(|of| self.balance(at, of)).collect()
    }
}

/// Chance from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = (mixed ^ (mixed >> 31)) >> 33;
        usize::try_from(mixed).unwrap() % bound
    }

    /// Whether something happens whose chance is `percent`.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
