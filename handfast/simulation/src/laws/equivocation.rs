//! An owner that signs two orders for one slot, together with members that lie: it never has two certificates.
//!
//! The owner's key is on no machine. Lying members tell the others whatever a [`Lie`] says, under their own sessions: orders
//! of that owner with the votes they like, certificates to whom they like, votes, refusals, receipts and states of accounts
//! that are not true. What they know of honest members is what those have said: a vote that left a machine is known to all
//! liars at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use entity_ledger::Ledger;
use entity_peer::command::Send;
use entity_peer::tokens::TokenEvent;
use entity_peer::{Command, Peer, PeerEvent};
use entity_wire::payload::token::{
    AccountState, Amount, Balance, Certificate, Digest, Epoch, MemberVote, Order, OrderSequence,
    SignedOrder, Terms, TokenCode, TokenMessage, TokenName, TokenReceipt, TokenTransfer,
    TransferId, Vote, VoteRefusal, VoteRequest, Votes, vote_bytes,
};
use entity_wire::time::Timestamp;

use super::tokens::genesis;
use crate::history::{Happened, What};
use crate::machine::Machine;
use crate::world::Broken;

/// Something that a lying member tells another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lie {
    /// Whom.
    pub to: usize,
    /// What.
    pub tale: Tale,
}

/// What a lying member can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tale {
    /// Vote for this order of the owner's next slot.
    Order {
        /// One of [`ORDERS`].
        number: u64,
        /// Whose votes come with it, by the number of the machine, where they are known; one bit each.
        votes: u64,
    },
    /// Apply this certificate of the owner.
    Certificate {
        /// Of which slot, counted back from the newest.
        back: u64,
    },
    /// I vote for an order of yours, or so it seems.
    FalseVote,
    /// I do not vote for an order of yours.
    Refusal {
        /// Why; by its place in [`TokenCode::ALL`].
        code: u64,
    },
    /// I have applied an order of yours.
    Receipt,
    /// This is how I see your account.
    State {
        /// Its next sequence.
        next: u64,
        /// What it holds.
        units: u64,
    },
}

/// How many orders the owner signs for each slot.
pub const ORDERS: u64 = 3;

/// The orders, and who has voted for which.
#[derive(Debug, Default)]
pub(super) struct Equivocation {
    /// How many machines lie: the last ones.
    liars: usize,
    orders: BTreeMap<Digest, SignedOrder>,
    /// Honest machines that have voted, by slot and order.
    voted: BTreeMap<OrderSequence, BTreeMap<Digest, BTreeSet<usize>>>,
    /// What honest machines have asked others to vote for, by machine.
    honest: BTreeMap<usize, Vec<Digest>>,
}

impl Equivocation {
    pub(super) fn new(liars: usize) -> Self {
        Self { liars, ..Self::default() }
    }

    /// The message that tells a lie; `None` where there is nothing to lie about yet.
    pub(super) fn command(
        &mut self,
        at: usize,
        lie: &Lie,
        machines: &[Machine],
    ) -> Option<Command> {
        let message = match lie.tale {
            Tale::Order { number, votes } => self.ask(number, votes, machines)?,
            Tale::Certificate { back } => {
                let certificates = self.certificates(machines);
                let back = usize::try_from(back).ok()?;
                let certificate = certificates.into_iter().rev().nth(back)?;
                TokenMessage::Transfer(TokenTransfer { certificate })
            }
            Tale::FalseVote => {
                let (digest, member) = (self.order_of(lie.to)?, key(machines, at)?);
                TokenMessage::Vote(Vote {
                    digest,
                    member,
                    signature: Signature::from_bytes([9; 64]),
                })
            }
            Tale::Refusal { code } => {
                let code = *TokenCode::ALL.get(usize::try_from(code).ok()?)?;
                TokenMessage::VoteRefusal(VoteRefusal { digest: self.order_of(lie.to)?, code })
            }
            Tale::Receipt => TokenMessage::Receipt(TokenReceipt { digest: self.order_of(lie.to)? }),
            Tale::State { next, units } => TokenMessage::AccountState(AccountState {
                from: key(machines, lie.to)?,
                token: super::tokens::token()?,
                next_sequence: OrderSequence::new(next)?,
                balance: Balance::new(units.into()),
                pending: None,
            }),
        };
        message_to(machines.get(lie.to)?, &message)
    }

    pub(super) fn happens(&mut self, happened: &Happened, machines: usize) -> Result<(), Broken> {
        let What::Event(PeerEvent::Token(event)) = &happened.what else { return Ok(()) };
        match event {
            TokenEvent::VoteRequested { digest, .. } => {
                self.votes(happened.machine, *digest, machines)
            }
            TokenEvent::Applied(movement) => {
                self.honest.entry(happened.machine).or_default().push(movement.digest);
                Ok(())
            }
            TokenEvent::Received(_)
            | TokenEvent::Refused { .. }
            | TokenEvent::Receipt { .. }
            | TokenEvent::Equivocation { .. }
            | TokenEvent::CommitteeBroken { .. } => Ok(()),
        }
    }

    /// Looks at the orders that an honest machine wants votes for: liars are asked for theirs.
    pub(super) fn look(&mut self, at: usize, machine: &Machine) {
        let Some(ledger) = machine.peer().and_then(Peer::ledger).filter(|_| self.liars > 0) else {
            return;
        };
        let own = machine.public_key();
        let known = self.honest.entry(at).or_default();
        for order in ledger.pending().filter(|order| order.from == own) {
            if known.last() != Some(&order.digest) {
                known.push(order.digest);
            }
        }
    }

    /// In the end all honest machines have what the owner has certificates for, and nothing else.
    pub(super) fn judge(&self, machines: &[Machine]) -> Result<(), Broken> {
        let (owner, Some(token)) = (owner().public_key(), bad()) else { return Ok(()) };
        let honest = machines.iter().take(machines.len() - self.liars);
        let ledgers = honest.filter_map(|machine| machine.peer().and_then(Peer::ledger));
        let ledgers: Vec<&Ledger> = ledgers.filter(|_| self.liars > 0).collect();
        for certificate in self.certificates(machines) {
            let (id, digest) = (certificate.signed.order.terms().transfer_id, certificate.digest());
            if let Some(at) =
                ledgers.iter().position(|ledger| ledger.applied(&owner, &id) != Some(digest))
            {
                return Err(format!("machine {at} has not applied the certified order {digest}"));
            }
        }
        let keys = machines.iter().map(Machine::public_key).chain([owner]);
        let keys: Vec<PublicKey> = keys.collect();
        let book = |ledger: &&Ledger| {
            let accounts = keys.iter().map(|key| ledger.account(key, &token));
            let book = accounts.map(|view| view.map(|view| (view.balance, view.next_sequence)));
            book.collect::<Vec<_>>()
        };
        let books: Vec<_> = ledgers.iter().map(book).collect();
        match books.iter().position(|book| *book != books[0]) {
            Some(at) => Err(format!("machines 0 and {at} differ on the owner: {books:?}")),
            None => Ok(()),
        }
    }

    /// All certificates that the owner can make, in the order of their slots.
    pub(super) fn certificates(&self, machines: &[Machine]) -> Vec<Certificate> {
        let certified = self.voted.values().flatten();
        let certified =
            certified.filter(|(_, voters)| voters.len() + self.liars >= quorum(machines.len()));
        let certificate = |(digest, _): (&Digest, _)| {
            let votes = self.known_votes(digest, u64::MAX, machines);
            Some(Certificate { signed: self.orders.get(digest)?.clone(), votes })
        };
        certified.filter_map(certificate).collect()
    }

    /// Every certificate for everybody who is honest.
    pub(super) fn present(&self, machines: &[Machine]) -> Vec<Command> {
        let honest = machines.iter().take(machines.len() - self.liars);
        let certificates = self.certificates(machines);
        let to = |machine: &Machine| {
            let message = |certificate: &Certificate| {
                let certificate = certificate.clone();
                message_to(machine, &TokenMessage::Transfer(TokenTransfer { certificate }))
            };
            certificates.iter().filter_map(message).collect::<Vec<_>>()
        };
        honest.flat_map(to).collect()
    }

    /// An honest machine has voted.
    fn votes(&mut self, machine: usize, digest: Digest, machines: usize) -> Result<(), Broken> {
        let Some(signed) = self.orders.get(&digest) else { return Ok(()) };
        let slot = signed.order.terms().sequence;
        let orders = self.voted.entry(slot).or_default();
        orders.entry(digest).or_default().insert(machine);
        if orders.values().filter(|voters| voters.contains(&machine)).count() > 1 {
            return Err(format!("machine {machine} has voted for two orders of slot {slot:?}"));
        }
        let enough = |voters: &&BTreeSet<usize>| voters.len() + self.liars >= quorum(machines);
        let certified = orders.values().filter(enough).count();
        if certified > 1 {
            return Err(format!("the owner has {certified} certificates for slot {slot:?}"));
        }
        Ok(())
    }

    fn ask(&mut self, number: u64, votes: u64, machines: &[Machine]) -> Option<TokenMessage> {
        let slot = u64::try_from(self.certificates(machines).len()).ok()? + 1;
        let signed = order(slot, number, machines)?;
        let digest = signed.order.digest();
        self.orders.insert(digest, signed.clone());
        let votes = self.known_votes(&digest, votes, machines);
        Some(TokenMessage::VoteRequest(VoteRequest { signed, votes, certificates: Vec::new() }))
    }

    /// The votes for an order that the liars can show, of the machines whose bits are set.
    fn known_votes(&self, digest: &Digest, of: u64, machines: &[Machine]) -> Votes {
        let mut votes = Votes::NONE;
        let voters = self.voted.values().filter_map(|orders| orders.get(digest)).flatten().copied();
        let liars = machines.len() - self.liars..machines.len();
        for voter in voters.chain(liars).filter(|voter| of >> voter & 1 == 1) {
            let Some(machine) = machines.get(voter) else { continue };
            // A signature of Ed25519 is always the same one: this is the vote that was sent.
            let signature = machine.key().sign(&vote_bytes(digest));
            votes.add(MemberVote { member: machine.public_key(), signature });
        }
        votes
    }

    /// The newest order of an honest machine.
    fn order_of(&self, machine: usize) -> Option<Digest> {
        self.honest.get(&machine)?.last().copied()
    }
}

/// One of the orders that the owner signs for a slot.
fn order(slot: u64, number: u64, machines: &[Machine]) -> Option<SignedOrder> {
    let owner = owner();
    let mut id = [0x5a; 16];
    id[..8].copy_from_slice(&(slot * ORDERS + number).to_be_bytes());
    let order = Order::new(Terms {
        ledger: genesis(machines, true)?.ledger(),
        epoch: Epoch::FIRST,
        transfer_id: TransferId::from_bytes(id),
        token: bad()?,
        from: owner.public_key(),
        to: key(machines, usize::try_from(number).ok()?)?,
        amount: Amount::new(u128::from(10 + number))?,
        sequence: OrderSequence::new(slot)?,
        // Longer than any run.
        expires_at: Timestamp::UNIX_EPOCH.plus(Duration::from_hours(24 * 365 * 100)),
        memo: None,
    });
    let order = order.ok()?;
    let signature = owner.sign(&order.signed_bytes());
    Some(SignedOrder { order, signature })
}

/// The owner, who also issues the token that it spends twice.
pub(super) fn owner() -> SigningKey {
    SigningKey::from_seed([0xbd; 32])
}

/// That token.
pub(super) fn bad() -> Option<TokenName> {
    "BAD".parse().ok()
}

fn message_to(machine: &Machine, message: &TokenMessage) -> Option<Command> {
    let name = machine.config.id.as_str().parse().ok()?;
    Some(Command::Send(Send::new(name, message.kind(), message.to_object())))
}

fn key(machines: &[Machine], at: usize) -> Option<PublicKey> {
    machines.get(at).map(Machine::public_key)
}

/// `docs/protocol/1.1.md#committee`, counted here on its own.
fn quorum(members: usize) -> usize {
    members - (members - 1) / 3
}
