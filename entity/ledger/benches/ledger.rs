//! What a ledger can do on this machine, on one core: `cargo bench -p entity-ledger [-- --quick]`.
//!
//! Every rate of something that checks or makes signatures stands beside what the signatures alone would allow in the same
//! run. Rates are medians of several rounds.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use entity_journal::{Batch, Journal, MemoryJournal};
use entity_ledger::certificate::{Known, verify_certificate};
use entity_ledger::{Keys, Ledger, Outcome, Rules, State, Verified};
use entity_wire::payload::token::{
    Amount, Certificate, Epoch, Genesis, MemberVote, Order, OrderSequence, SignedOrder, Terms,
    TokenGenesis, TokenMessage, TokenName, TokenTransfer, TransferId, VoteRequest, Votes,
    vote_bytes,
};
use entity_wire::time::Timestamp;

/// Accounts that pay in turn, each to the next but one.
const ACCOUNTS: usize = 256;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let count = if is_quick { 20_000 } else { 100_000 };
    let world = World::new();
    println!("making {count} certificates of a committee of two ...");
    let certificates = world.certificates(count);
    let raw = signatures(&world, &certificates[0]);
    line("Ed25519 verifications", raw, "/s");
    let verified = verification(&world, &certificates, raw);
    applying(&world, &verified);
    presenting(&world, &certificates, count);
    voting(&world, count.min(5_000), raw);
}

fn line(what: &str, rate: f64, unit: &str) {
    println!("{what:<58}{rate:>14.0} {unit}");
}

/// How long this thread works on something: what others do on the same core does not count.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = worked();
    let done = black_box(work());
    (done, worked().checked_sub(begin).unwrap())
}

/// The processor time of this thread.
fn worked() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap(), u32::try_from(used.tv_nsec).unwrap())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A ledger of two members, of whom this node is the second, and the accounts of the first.
struct World {
    members: [SigningKey; 2],
    owners: Vec<SigningKey>,
    genesis: Genesis,
    token: TokenName,
}

/// The keys of the second member.
struct Member<'a>(&'a SigningKey);

impl Keys for Member<'_> {
    fn sign(&self, account: &PublicKey, bytes: &[u8]) -> Option<Signature> {
        (self.0.public_key() == *account).then(|| self.0.sign(bytes))
    }
}

impl World {
    fn new() -> Self {
        let key = |number: usize| {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
            SigningKey::from_seed(seed)
        };
        let members = [key(0), key(1)];
        let token: TokenName = "AGT".parse().unwrap();
        let issuer = members[0].public_key();
        let cap = Amount::new(1 << 60).unwrap();
        let issued = TokenGenesis { token: token.clone(), issuer, cap };
        let keys = members.iter().map(SigningKey::public_key).collect();
        let genesis = Genesis::new(keys, vec![issued]).unwrap();
        Self {
            members,
            owners: (0..ACCOUNTS).map(|number| key(number + 2)).collect(),
            genesis,
            token,
        }
    }

    /// The order number `number`: each account's first order is its second, after the issuer has paid it.
    fn order(&self, number: usize) -> SignedOrder {
        let (payer, sequence) = if number < ACCOUNTS {
            (&self.members[0], number + 1)
        } else {
            (&self.owners[number % ACCOUNTS], number / ACCOUNTS)
        };
        let payee = (number + if number < ACCOUNTS { 0 } else { 2 }) % ACCOUNTS;
        let order = Order::new(Terms {
            ledger: self.genesis.ledger(),
            epoch: Epoch::FIRST,
            transfer_id: TransferId::from_bytes((number as u128).to_be_bytes()),
            token: self.token.clone(),
            from: payer.public_key(),
            to: self.owners[payee].public_key(),
            amount: Amount::new(if number < ACCOUNTS { 1 << 40 } else { 1 }).unwrap(),
            sequence: OrderSequence::new(sequence as u64).unwrap(),
            expires_at: Timestamp::MAX,
            memo: None,
        })
        .unwrap();
        let signature = payer.sign(&order.signed_bytes());
        SignedOrder { order, signature }
    }

    fn vote(&self, member: usize, signed: &SignedOrder) -> MemberVote {
        let member = &self.members[member];
        let signature = member.sign(&vote_bytes(&signed.order.digest()));
        MemberVote { member: member.public_key(), signature }
    }

    fn certificates(&self, count: usize) -> Vec<Certificate> {
        let certificate = |number| {
            let signed = self.order(number);
            let mut votes = Votes::NONE;
            votes.add(self.vote(0, &signed));
            votes.add(self.vote(1, &signed));
            Certificate { signed, votes }
        };
        (0..count).map(certificate).collect()
    }

    fn ledger(&self) -> Ledger {
        Ledger::open(self.genesis.clone(), self.members[1].public_key())
    }
}

fn signatures(world: &World, certificate: &Certificate) -> f64 {
    let vote = world.vote(0, &certificate.signed);
    let bytes = vote_bytes(&certificate.digest());
    let round = || {
        let ((), took) = timed(|| {
            for _ in 0..2_000 {
                black_box(vote.member.verify(&bytes, &vote.signature)).unwrap();
            }
        });
        2_000.0 / took.as_secs_f64()
    };
    median((0..5).map(|_| round()).collect())
}

fn verification(
    world: &World,
    certificates: &[Certificate],
    raw: f64,
) -> Vec<Verified<Certificate>> {
    let rules = Rules::new(world.genesis.clone());
    let owned = certificates.to_vec();
    let (verified, took) = timed(|| {
        let verify =
            |certificate| verify_certificate(&rules, certificate, &Known::default()).unwrap();
        owned.into_iter().map(verify).collect::<Vec<_>>()
    });
    let rate = certificates.len() as f64 / took.as_secs_f64();
    line("certificates verified (order and two votes)", rate, "/s");
    line("  share of three verifications", 100.0 * rate * 3.0 / raw, "%");
    verified
}

fn applying(world: &World, verified: &[Verified<Certificate>]) {
    let rules = Arc::new(Rules::new(world.genesis.clone()));
    let round = || {
        let mut state = State::new(Arc::clone(&rules), true);
        let before = resident();
        let ((), took) = timed(|| {
            for certificate in verified {
                assert_eq!(state.apply(certificate), Outcome::Applied);
            }
        });
        let grown = resident().saturating_sub(before) as f64 / verified.len() as f64;
        (verified.len() as f64 / took.as_secs_f64(), grown)
    };
    let rounds: Vec<(f64, f64)> = (0..7).map(|_| round()).collect();
    line("applied, without signatures", median(rounds.iter().map(|round| round.0).collect()), "/s");
    line("  aim", 1_000_000.0, "/s");
    let grown = rounds.iter().map(|round| round.1).fold(0.0, f64::max);
    line("  memory", grown, "bytes a transfer");
}

/// Everything but the signatures: look-up, application, records, receipt; then the way back from the records.
fn presenting(world: &World, certificates: &[Certificate], count: usize) {
    let mut ledger = world.ledger();
    let keys = Member(&world.members[1]);
    let from = world.members[0].public_key();
    let now = Timestamp::UNIX_EPOCH;
    let mut journal = MemoryJournal::default();
    let mut handling = Duration::ZERO;
    for certificate in certificates {
        let message = TokenTransfer { certificate: certificate.clone() };
        let checked = ledger.admit(&from, TokenMessage::Transfer(message)).run();
        let (writes, took) = timed(|| {
            ledger.handle_checked(checked, &keys, now);
            while let Some(output) = ledger.poll_output() {
                black_box(output);
            }
            ledger.take_writes()
        });
        handling += took;
        journal.commit(&[Batch::from(writes)]).unwrap();
    }
    assert!(ledger.audit().holds());
    line("applied with records and receipt", count as f64 / handling.as_secs_f64(), "/s");
    let mut stored = journal.load().unwrap();
    let identity = world.members[1].public_key();
    let (restored, took) = timed(|| Ledger::restore(&mut stored, identity, now).unwrap());
    assert!(restored.unwrap().audit().holds());
    line("started again", took.as_secs_f64() * 1e8 / count as f64, "ms for 100,000 transfers");
}

/// A member of two, shown the vote of the other, votes, applies and confirms: two verifications and a signature.
fn voting(world: &World, count: usize, raw: f64) {
    let mut ledger = world.ledger();
    let keys = Member(&world.members[1]);
    let from = world.members[0].public_key();
    let request = |number| {
        let signed = world.order(number);
        let mut votes = Votes::NONE;
        votes.add(world.vote(0, &signed));
        TokenMessage::VoteRequest(VoteRequest { signed, votes, certificates: Vec::new() })
    };
    let requests: Vec<TokenMessage> = (0..count).map(request).collect();
    let signing = {
        let ((), took) = timed(|| {
            for _ in 0..2_000 {
                black_box(world.members[1].sign(&[1; 48]));
            }
        });
        took.as_secs_f64() / 2_000.0
    };
    let ((), took) = timed(|| {
        for request in requests {
            ledger.handle_message(&from, request, &keys, Timestamp::UNIX_EPOCH);
            while let Some(output) = ledger.poll_output() {
                black_box(output);
            }
            black_box(ledger.take_writes());
        }
    });
    let rate = count as f64 / took.as_secs_f64();
    line("votes of a member (with application)", rate, "/s");
    line("  share of its signatures alone", 100.0 * rate * (2.0 / raw + signing), "%");
    assert!(ledger.audit().holds());
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}
