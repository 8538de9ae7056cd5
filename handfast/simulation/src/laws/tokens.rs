//! Tokens: conserved on every peer after every input, each payment once or refused, one order a slot at each member, and
//! the same books at every member in the end, which are those of the reference.

use std::collections::BTreeMap;
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_ledger::{Ledger, Movement};
use entity_peer::tokens::{Payment, TokenCommand, TokenEvent, Until, Way};
use entity_peer::{Command, CommandError, CommandId, Peer, PeerEvent};
use entity_wire::payload::token::{
    Amount, Balance, Digest, Genesis, OrderSequence, TokenGenesis, TokenName, TransferId,
};

use super::equivocation::{bad, owner};
use super::reference::{Asked, Reference};
use crate::history::{Happened, What};
use crate::machine::Machine;
use crate::world::Broken;

/// What was paid, and what every member did.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// How many machines lie: the last ones.
    liars: usize,
    /// How many are members: the first ones.
    members: usize,
    reference: Reference,
    paid: BTreeMap<TransferId, Paid>,
    by_command: BTreeMap<CommandId, TransferId>,
    /// How often a machine told that it applied a payment.
    applied: BTreeMap<(usize, TransferId), u64>,
    /// The orders that a machine has ever bound itself to, by slot, and how many batches it had written by then. What a crash
    /// took away before it was durable bound nobody: nothing that rests on it has left.
    bound: BTreeMap<usize, Bound>,
    /// In which life and with how many batches a machine was looked at last: without a further one its books are the same.
    looked: BTreeMap<usize, (u32, u64)>,
}

/// Orders by slot, each with how many batches its machine had written.
type Bound = BTreeMap<(PublicKey, OrderSequence), BTreeMap<Digest, u64>>;

#[derive(Debug)]
struct Paid {
    from: usize,
    /// The command ended well: it is kept, or applied.
    is_taken: bool,
    is_refused: bool,
}

impl Tokens {
    /// Nobody has paid yet; the first `members` machines are the committee, the last `liars` lie.
    pub(super) fn new(members: usize, liars: usize) -> Self {
        Self { liars, members, ..Self::default() }
    }

    /// Opens the ledger of the committee, in which the first machine's account has everything. A member that lies keeps none.
    pub(super) fn open(&self, at: usize, machines: &[Machine]) -> Option<Command> {
        let is_honest = at < machines.len() - self.liars;
        let genesis = genesis(&machines[..self.members], self.liars > 0).filter(|_| is_honest)?;
        Some(Command::Token(TokenCommand::Open { genesis }))
    }

    /// The command that pays.
    pub(super) fn command(to: &Machine, mark: u64, units: u64) -> Option<Command> {
        Some(Command::Token(TokenCommand::Pay(Payment {
            id: Some(id_of(mark)),
            token: token(),
            way: Way::Transfer { from: None, to: to.public_key() },
            amount: Amount::new(units.into())?,
            memo: None,
            // Longer than a run, so that a payment that was taken comes to its end.
            expires_in: Duration::from_hours(12),
            until: Until::Kept,
        })))
    }

    pub(super) fn given(&mut self, id: CommandId, mark: u64, from: usize, asked: Asked) {
        self.reference.asked(id_of(mark), asked);
        let paid = Paid { from, is_taken: false, is_refused: false };
        self.paid.entry(id_of(mark)).or_insert(paid);
        self.by_command.insert(id, id_of(mark));
    }

    pub(super) fn happens(&mut self, happened: &Happened) -> Result<(), Broken> {
        let at = happened.machine;
        match &happened.what {
            What::Done(id, result) => {
                let paid = self.by_command.get(id).and_then(|paid| self.paid.get_mut(paid));
                match (paid, &**result) {
                    (Some(paid), Ok(_)) => paid.is_taken = true,
                    (Some(paid), Err(CommandError::Token(_))) => paid.is_refused = true,
                    (Some(_) | None, _) => {}
                }
                Ok(())
            }
            What::Event(PeerEvent::Token(event)) => self.told(at, event),
            What::Event(_) | What::Asked(_) | What::Started | What::Crashed => Ok(()),
        }
    }

    /// How many payments were asked for, and how many of them have moved something.
    pub(super) fn tally(&self) -> (usize, usize) {
        (self.paid.len(), self.reference.moved_count())
    }

    /// Looks at the books of one machine.
    pub(super) fn look(&mut self, at: usize, machine: &Machine) -> Result<(), Broken> {
        let state = (machine.life, machine.batches);
        let before = self.looked.insert(at, state);
        if before == Some(state) {
            return Ok(());
        }
        let bound = self.bound.entry(at).or_default();
        if before.is_some_and(|(life, _)| life != machine.life) {
            for orders in bound.values_mut() {
                orders.retain(|_, batches| *batches <= machine.lost_after);
            }
        }
        let Some(ledger) = machine.peer().and_then(Peer::ledger) else { return Ok(()) };
        let audit = ledger.audit();
        if !audit.holds() {
            return Err(format!("the books of machine {at} do not balance: {audit:?}"));
        }
        for order in ledger.pending() {
            let orders = bound.entry((order.from, order.sequence)).or_default();
            orders.entry(order.digest).or_insert(machine.batches);
            if orders.len() > 1 {
                return Err(format!(
                    "machine {at} bound itself to two orders for one slot: {orders:?}"
                ));
            }
        }
        Ok(())
    }

    /// In the end the books of all members are the same, they are those of the reference, and every owner knows what it
    /// has; what was taken is paid everywhere or refused.
    pub(super) fn judge(&self, machines: &[Machine]) -> Result<(), Broken> {
        let honest = &machines[..machines.len() - self.liars];
        let ledgers: Option<Vec<&Ledger>> =
            honest.iter().map(|machine| machine.peer().and_then(Peer::ledger)).collect();
        let Some(ledgers) = ledgers.filter(|_| !self.paid.is_empty()) else { return Ok(()) };
        let keys: Vec<PublicKey> = machines.iter().map(Machine::public_key).collect();
        let (members, owners) = ledgers.split_at(self.members.min(ledgers.len()));
        let books: Vec<_> = members.iter().map(|ledger| book(ledger, &keys)).collect();
        if let Some(at) = books.iter().position(|book| *book != books[0]) {
            return Err(format!("the books differ: {:?} and at {at} {:?}", books[0], books[at]));
        }
        for (at, ledger) in members.iter().enumerate() {
            self.reference.judge(at, ledger, &keys)?;
        }
        for (at, ledger) in (self.members..).zip(owners) {
            self.reference.judge(at, ledger, [&keys[at]])?;
        }
        self.judge_payments(members, &keys)
    }

    fn judge_payments(&self, members: &[&Ledger], keys: &[PublicKey]) -> Result<(), Broken> {
        for (id, paid) in self.paid.iter().filter(|(_, paid)| paid.is_taken) {
            let applied =
                members.iter().filter(|ledger| ledger.applied(&keys[paid.from], id).is_some());
            let applied = applied.count();
            if applied != members.len() && !(paid.is_refused && applied == 0) {
                return Err(format!(
                    "payment {id} was taken; it is applied at {applied} of {} members, refused: {}",
                    members.len(),
                    paid.is_refused
                ));
            }
        }
        Ok(())
    }

    fn told(&mut self, at: usize, event: &TokenEvent) -> Result<(), Broken> {
        match event {
            TokenEvent::Applied(movement) => {
                let Movement { id, .. } = movement;
                self.reference.applied(at, movement)?;
                let times = self.applied.entry((at, *id)).or_default();
                *times += 1;
                if *times > 1 {
                    return Err(format!("machine {at} applied payment {id} {times} times"));
                }
                Ok(())
            }
            TokenEvent::Refused { id, .. } => {
                if let Some(paid) = self.paid.get_mut(id) {
                    paid.is_refused = true;
                }
                Ok(())
            }
            TokenEvent::CommitteeBroken { digest } => {
                Err(format!("machine {at} has two certificates for one slot, one is {digest}"))
            }
            TokenEvent::Equivocation { from, .. } if *from != owner().public_key() => Err(format!(
                "machine {at} was shown two orders for one slot by somebody who has not signed two"
            )),
            TokenEvent::Equivocation { .. }
            | TokenEvent::VoteRequested { .. }
            | TokenEvent::Received(_)
            | TokenEvent::Receipt { .. } => Ok(()),
        }
    }
}

/// Balance and next sequence of every machine's account.
fn book(ledger: &Ledger, keys: &[PublicKey]) -> Vec<Option<(Balance, OrderSequence)>> {
    let accounts = keys.iter().map(|key| ledger.account(key, &token()?));
    accounts.map(|account| account.map(|view| (view.balance, view.next_sequence))).collect()
}

/// The ledger of a committee; where members lie, also with the token of their friend.
pub(super) fn genesis(machines: &[Machine], lies: bool) -> Option<Genesis> {
    let committee = machines.iter().map(Machine::public_key).collect();
    let (cap, issuer) = (Amount::new(CAP)?, machines.first()?.public_key());
    let mut tokens = vec![TokenGenesis { token: token()?, issuer, cap }];
    if lies {
        tokens.push(TokenGenesis { token: bad()?, issuer: owner().public_key(), cap });
    }
    Genesis::new(committee, tokens).ok()
}

pub(super) fn token() -> Option<TokenName> {
    "AGT".parse().ok()
}

fn id_of(mark: u64) -> TransferId {
    let mut bytes = [0xa5; 16];
    bytes[..8].copy_from_slice(&mark.to_be_bytes());
    TransferId::from_bytes(bytes)
}

/// How many tokens there can be.
pub(super) const CAP: u128 = 1_000_000;
