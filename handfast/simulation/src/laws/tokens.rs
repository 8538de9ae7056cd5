//! Tokens: conserved on every peer after every input, each payment once or refused, one order a slot at each member, and
//! the same books everywhere in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_ledger::{Ledger, Movement};
use entity_peer::tokens::{Payment, TokenCommand, TokenEvent, Until, Way};
use entity_peer::{Command, CommandError, CommandId, Peer, PeerEvent};
use entity_wire::payload::token::{
    Amount, Balance, Digest, Genesis, OrderSequence, TokenGenesis, TokenName, TransferId,
};

use super::equivocation::{bad, owner};
use crate::history::{Happened, What};
use crate::machine::Machine;
use crate::world::Broken;

/// What was paid, and what every member did.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// How many machines lie: the last ones.
    liars: usize,
    paid: BTreeMap<TransferId, Paid>,
    by_command: BTreeMap<CommandId, TransferId>,
    /// How often a machine told that it applied a payment.
    applied: BTreeMap<(usize, TransferId), u64>,
    /// The orders that a machine has ever bound itself to, by slot.
    bound: BTreeMap<(usize, PublicKey, OrderSequence), BTreeSet<Digest>>,
}

#[derive(Debug)]
struct Paid {
    from: usize,
    /// The command ended well: it is kept, or applied.
    is_taken: bool,
    is_refused: bool,
}

impl Tokens {
    /// Opens the ledger whose committee are all machines, and in which the first one's account has everything.
    pub(super) fn new(liars: usize) -> Self {
        Self { liars, ..Self::default() }
    }

    /// Opens the ledger whose committee are all machines, and in which the first one's account has everything. A member
    /// that lies keeps none.
    pub(super) fn open(&self, at: usize, machines: &[Machine]) -> Option<Command> {
        let is_honest = at < machines.len() - self.liars;
        let genesis = genesis(machines, self.liars > 0).filter(|_| is_honest)?;
        Some(Command::Token(TokenCommand::Open { genesis }))
    }

    /// The command that pays.
    pub(super) fn command(to: &Machine, mark: u64, units: u64) -> Option<Command> {
        Some(Command::Token(TokenCommand::Pay(Payment {
            id: Some(id_of(mark)),
            token: token(),
            way: Way::Transfer { from: None, to: to.key().public_key() },
            amount: Amount::new(units.into())?,
            memo: None,
            // Longer than a run, so that a payment that was taken comes to its end.
            expires_in: Duration::from_hours(12),
            until: Until::Kept,
        })))
    }

    pub(super) fn given(&mut self, id: CommandId, mark: u64, from: usize) {
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

    /// Looks at the books of one machine.
    pub(super) fn look(&mut self, at: usize, machine: &Machine) -> Result<(), Broken> {
        let Some(ledger) = machine.peer().and_then(Peer::ledger) else { return Ok(()) };
        let audit = ledger.audit();
        if !audit.holds() {
            return Err(format!("the books of machine {at} do not balance: {audit:?}"));
        }
        for order in ledger.pending() {
            let slot = (at, order.from, order.sequence);
            let bound = self.bound.entry(slot).or_default();
            bound.insert(order.digest);
            if bound.len() > 1 {
                return Err(format!(
                    "machine {at} bound itself to two orders for one slot: {bound:?}"
                ));
            }
        }
        Ok(())
    }

    /// In the end all books are the same, and what was taken is paid everywhere or refused.
    pub(super) fn judge(&self, machines: &[Machine]) -> Result<(), Broken> {
        let honest = machines.iter().take(machines.len() - self.liars);
        let ledgers: Option<Vec<&Ledger>> =
            honest.map(|machine| machine.peer().and_then(Peer::ledger)).collect();
        let Some(ledgers) = ledgers.filter(|_| !self.paid.is_empty()) else { return Ok(()) };
        let keys: Vec<PublicKey> =
            machines.iter().map(|machine| machine.key().public_key()).collect();
        let books: Vec<_> = ledgers.iter().map(|ledger| book(ledger, &keys)).collect();
        if let Some(at) = books.iter().position(|book| *book != books[0]) {
            return Err(format!("the books differ: {:?} and at {at} {:?}", books[0], books[at]));
        }
        for (id, paid) in self.paid.iter().filter(|(_, paid)| paid.is_taken) {
            let applied =
                ledgers.iter().filter(|ledger| ledger.applied(&keys[paid.from], id).is_some());
            let applied = applied.count();
            if applied != ledgers.len() && !(paid.is_refused && applied == 0) {
                return Err(format!(
                    "payment {id} was taken; it is applied at {applied} of {} machines, refused: {}",
                    ledgers.len(),
                    paid.is_refused
                ));
            }
        }
        Ok(())
    }

    fn told(&mut self, at: usize, event: &TokenEvent) -> Result<(), Broken> {
        match event {
            TokenEvent::Applied(Movement { id, .. }) => {
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

/// The ledger of all machines; where members lie, also with the token of their friend.
pub(super) fn genesis(machines: &[Machine], lies: bool) -> Option<Genesis> {
    let committee = machines.iter().map(|machine| machine.key().public_key()).collect();
    let (cap, issuer) = (Amount::new(CAP)?, machines.first()?.key().public_key());
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
const CAP: u128 = 1_000_000;
