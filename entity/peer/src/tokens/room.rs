//! Messages, deadlines and events between the ledger and the rest of the peer.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_journal::Stored;
use entity_ledger::{
    Event, Ledger, Movement, Stage, Submitted, TransferError, TransferRequest, UnderWay,
};
use entity_wire::code::ErrorCode;
use entity_wire::payload::token::{
    Digest, Genesis, OrderSequence, TokenCode, TokenMessage, TransferId,
};
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::accounts::{Accounts, Signers};
use super::payments::{Account, Payments, Waiter};
use super::vocabulary::{
    Paid, Payment, TokenCommand, TokenError, TokenEvent, TokenResult, Until, Way,
};
use crate::command::{CommandError, CommandId, CommandResult, Send};
use crate::core::{Core, News, Reason};
use crate::name::PeerName;
use crate::output::{PeerEvent, Received};
use crate::restore::RestoreError;

/// How a payment left its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It was applied before, or at once: the account is free for the next one.
    Over,
    /// It is under way, or waits for what is.
    Taken,
}

/// The room of certified transfers.
#[derive(Debug)]
pub(crate) struct Tokens {
    accounts: Accounts,
    ledger: Option<Ledger>,
    payments: Payments,
}

impl Tokens {
    /// Starts with what was kept.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        core: &Core,
        stored: &mut Stored,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let accounts = Accounts::restore(core.public_key, stored)?;
        let mut ledger =
            Ledger::restore(stored, core.public_key, core.wall(now)).map_err(damaged)?;
        if let Some(ledger) = &mut ledger {
            accounts.iter().for_each(|(_, key)| ledger.add_account(key));
        }
        Ok(Self { accounts, ledger, payments: Payments::default() })
    }

    /// The ledger that this peer takes part in.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    /// The accounts in use, by number.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (u32, PublicKey)> {
        self.accounts.iter()
    }

    /// Takes a command.
    pub(crate) fn handle_command(
        &mut self,
        core: &mut Core,
        id: CommandId,
        command: TokenCommand,
        now: Timestamp,
    ) {
        let done = match command {
            TokenCommand::Open { genesis } => self.open(core, genesis).map(Some),
            TokenCommand::TakeAccount { index } => self.take_account(core, index).map(Some),
            TokenCommand::Pay(payment) => self.pay(core, id, payment, now).map(|()| None),
        };
        match done {
            Ok(Some(result)) => finish(core, id, Ok(result)),
            Ok(None) => {}
            Err(error) => finish(core, id, Err(error)),
        }
        self.settle(core, now);
    }

    /// Withdraws a command, and says whether it waited. An order that was begun goes on.
    pub(crate) fn withdraw(&mut self, command: CommandId) -> bool {
        self.payments.withdraw(command)
    }

    /// Takes a message of the token feature. Those of 1.0 do not come here.
    pub(crate) fn handle_message(&mut self, core: &mut Core, received: &Received, now: Timestamp) {
        let Some(read) = TokenMessage::from_object(&received.kind, &received.body) else { return };
        let message = match read {
            Ok(message) => message,
            Err(unreadable) => {
                if let Some(refusal) = unreadable.refusal {
                    answer(core, &received.from, &TokenMessage::VoteRefusal(refusal));
                }
                return refuse(core, received, &unreadable.error.to_string());
            }
        };
        let sender = core.roster.get(received.from.as_str()).and_then(|entry| entry.key);
        let (Some(ledger), Some(sender)) = (&mut self.ledger, sender) else {
            return refuse(core, received, "no ledger is open");
        };
        let keys = Signers { identity: &core.key, accounts: &self.accounts };
        ledger.handle_message(&sender, message, &keys, core.wall(now));
        self.settle(core, now);
    }

    /// Sends a peer that can be reached again what waits for it.
    pub(crate) fn session_ready(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        let key = core.roster.get(peer.as_str()).and_then(|entry| entry.key);
        if let (Some(ledger), Some(key)) = (&mut self.ledger, key) {
            ledger.handle_reachable(&key, core.wall(now));
            self.settle(core, now);
        }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        if planted(Flaw::PaysAgainAfterSilence) {
            self.pay_again(core, now);
        }
        if let Some(ledger) = &mut self.ledger {
            let keys = Signers { identity: &core.key, accounts: &self.accounts };
            ledger.handle_deadline(&keys, core.wall(now));
            self.settle(core, now);
        }
    }

    /// Queues each payment once more that waits for votes for too long, as a flawed peer does.
    fn pay_again(&mut self, core: &mut Core, now: Timestamp) {
        let Some(ledger) = &self.ledger else { return };
        let wall = core.wall(now);
        if ledger.next_deadline().is_none_or(|at| at > wall) {
            return;
        }
        let late: Vec<_> = ledger.under_way().filter(|way| way.stage == Stage::Voting).collect();
        for UnderWay { order, .. } in late {
            if self.payments.is_queued(&(order.from, order.token.clone())) {
                continue;
            }
            let request = TransferRequest {
                id: TransferId::from_bytes(core.entropy.uuid_v4()),
                token: order.token,
                from: order.from,
                to: order.to,
                amount: order.amount,
                expires_at: wall.plus(Duration::from_hours(1)),
                memo: None,
                receiver: core.roster.by_key(&order.to).map(|_| order.to),
            };
            let waiter = Waiter { command: CommandId(u64::MAX), until: Until::Applied };
            // One that finds no place is not paid again.
            drop(self.payments.queue(request, waiter));
        }
    }

    /// Returns when [`Tokens::expire`] has something to do.
    pub(crate) fn next_deadline(&self, core: &Core) -> Option<Timestamp> {
        // The ledger lives by the wall clock: orders expire by it.
        let at = self.ledger.as_ref()?.next_deadline()?;
        Some(at.offset(core.clock_offset_us.saturating_neg()))
    }

    fn open(&mut self, core: &Core, genesis: Genesis) -> Result<TokenResult, TokenError> {
        let ledger = genesis.ledger();
        match &self.ledger {
            Some(open) if open.id() == ledger => {}
            Some(open) => return Err(TokenError::OtherLedger { ledger: open.id() }),
            None => {
                let mut opened = Ledger::open(genesis, core.public_key);
                self.accounts.iter().for_each(|(_, key)| opened.add_account(key));
                self.ledger = Some(opened);
            }
        }
        Ok(TokenResult::Opened(ledger))
    }

    fn take_account(&mut self, core: &mut Core, index: u32) -> Result<TokenResult, TokenError> {
        let key = self.accounts.take(core, index).ok_or(TokenError::NoSuchAccount)?;
        if let Some(ledger) = &mut self.ledger {
            ledger.add_account(key);
        }
        Ok(TokenResult::Account(key))
    }

    /// Begins a payment, or lets it wait for its turn.
    fn pay(
        &mut self,
        core: &mut Core,
        id: CommandId,
        payment: Payment,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let until = payment.until;
        let request = self.request(core, payment, now)?;
        self.payments.has_room()?;
        let waiter = Waiter { command: id, until };
        let account = (request.from, request.token.clone());
        if self.payments.is_queued(&account) {
            return self.payments.queue(request, waiter);
        }
        self.submit(core, request, waiter, now).map(drop)
    }

    /// Gives a payment to the ledger, and says how it left the account.
    fn submit(
        &mut self,
        core: &mut Core,
        request: TransferRequest,
        waiter: Waiter,
        now: Timestamp,
    ) -> Result<Turn, TokenError> {
        let ledger = self.ledger.as_mut().ok_or(TokenError::NoLedger)?;
        let (from, id) = (request.from, request.id);
        let keys = Signers { identity: &core.key, accounts: &self.accounts };
        match ledger.handle_transfer(request.clone(), &keys, core.wall(now)) {
            Ok(Submitted::Applied { digest, sequence }) => {
                finish_paid(core, waiter, (id, digest, sequence), true);
                return Ok(Turn::Over);
            }
            Ok(Submitted::Pending { digest, sequence }) if waiter.until == Until::Kept => {
                finish_paid(core, waiter, (id, digest, sequence), false);
            }
            Ok(Submitted::Pending { .. } | Submitted::Asking) => {
                self.payments.wait(from, id, waiter);
            }
            Err(TransferError::Busy { .. }) => self.payments.queue(request, waiter)?,
            Err(error) => return Err(refusal_of(error)),
        }
        Ok(Turn::Taken)
    }

    /// Makes the ledger's request of a payment.
    fn request(
        &self,
        core: &mut Core,
        payment: Payment,
        now: Timestamp,
    ) -> Result<TransferRequest, TokenError> {
        let genesis = self.ledger.as_ref().ok_or(TokenError::NoLedger)?.genesis();
        let token = match payment.token {
            Some(token) => genesis.tokens().iter().find(|known| known.token == token),
            None if genesis.tokens().len() > 1 => return Err(TokenError::WhichToken),
            None => genesis.tokens().first(),
        };
        let token = token.ok_or(TokenError::Refused { code: TokenCode::UnknownToken })?;
        let own = |from: Option<PublicKey>| from.unwrap_or(core.public_key);
        let (from, to) = match payment.way {
            Way::Transfer { from, to } => (own(from), to),
            Way::Issue { to } => (token.issuer, to),
            Way::Burn { from } => (own(from), token.issuer),
        };
        if !self.accounts.contains(&from) {
            return Err(TokenError::Refused { code: TokenCode::NotOwner });
        }
        Ok(TransferRequest {
            id: payment.id.unwrap_or_else(|| TransferId::from_bytes(core.entropy.uuid_v4())),
            token: token.token.clone(),
            from,
            to,
            amount: payment.amount,
            expires_at: core.wall(now).plus(payment.expires_in),
            memo: payment.memo,
            receiver: core.roster.by_key(&to).map(|_| to),
        })
    }

    /// Hands out what the ledger wants kept, sent and told, and gives the next payments their turn.
    fn settle(&mut self, core: &mut Core, now: Timestamp) {
        let mut ended = Vec::new();
        loop {
            let Some(ledger) = &mut self.ledger else { return };
            ledger.take_writes().into_iter().for_each(|write| core.persist(write));
            let output = ledger.poll_output();
            match output {
                Some(entity_ledger::Output::Send { to, message }) => send(core, &to, &message),
                Some(entity_ledger::Output::Event(event)) => {
                    ended.extend(self.take_event(core, event));
                }
                None => match ended.pop() {
                    Some(account) => self.next_turn(core, &account, now),
                    None => return,
                },
            }
        }
    }

    /// Begins the next payment of an account that is free again, skipping those that are refused at once.
    fn next_turn(&mut self, core: &mut Core, account: &Account, now: Timestamp) {
        while let Some((request, waiter)) = self.payments.next(account) {
            match self.submit(core, request, waiter, now) {
                Ok(Turn::Over) => {}
                Ok(Turn::Taken) => return,
                Err(error) => finish(core, waiter.command, Err(error)),
            }
        }
    }

    /// Tells of an event and ends the commands that waited for it; returns accounts that may be free now.
    fn take_event(&mut self, core: &mut Core, event: Event) -> Vec<Account> {
        match event {
            Event::VoteRequested { peer, id, digest, from } => {
                let peer = name_of(core, &peer);
                tell(core, TokenEvent::VoteRequested { peer, id, digest, from });
                Vec::new()
            }
            Event::Signed { id, digest, from, sequence } => {
                for waiter in self.payments.take(from, id, Until::Kept) {
                    finish_paid(core, waiter, (id, digest, sequence), false);
                }
                Vec::new()
            }
            Event::Applied(movement) => self.applied(core, movement),
            Event::VoteRefused { .. } => Vec::new(),
            Event::Refused { id, digest, from, code } => {
                self.fail(core, (from, id), &TokenError::Refused { code });
                tell(core, TokenEvent::Refused { id, digest, code });
                self.payments.queued_of(&from)
            }
            Event::NotBegun { id, from, error } => {
                self.fail(core, (from, id), &refusal_of(error));
                self.payments.queued_of(&from)
            }
            Event::Receipt { id, digest, peer } => {
                let peer = name_of(core, &peer);
                tell(core, TokenEvent::Receipt { id, digest, peer });
                Vec::new()
            }
            Event::Equivocation { from, token, sequence } => {
                tell(core, TokenEvent::Equivocation { from, token, sequence });
                Vec::new()
            }
            Event::CommitteeBroken { digest } => {
                tell(core, TokenEvent::CommitteeBroken { digest });
                Vec::new()
            }
        }
    }

    fn applied(&mut self, core: &mut Core, movement: Movement) -> Vec<Account> {
        let Movement { id, digest, from, to, sequence, .. } = movement;
        for waiter in self.payments.take(from, id, Until::Applied) {
            finish_paid(core, waiter, (id, digest, sequence), true);
        }
        let free = self.payments.queued_of(&from);
        tell(core, TokenEvent::Applied(movement.clone()));
        if self.accounts.contains(&to) {
            tell(core, TokenEvent::Received(movement));
        }
        free
    }

    /// Ends the commands that wait for a payment which has failed.
    fn fail(&mut self, core: &mut Core, (from, id): (PublicKey, TransferId), error: &TokenError) {
        for waiter in self.payments.take(from, id, Until::Applied) {
            finish(core, waiter.command, Err(error.clone()));
        }
    }
}

fn damaged(error: entity_ledger::RestoreError) -> RestoreError {
    let reason = "the ledger cannot read it".to_owned();
    RestoreError::Damaged { space: error.space, key: error.key, reason }
}

/// Sends a message of the ledger to the peer of a key. Where there is none, or only one that has not got further than 1.0,
/// it is lost: the ledger sends it again.
fn send(core: &mut Core, to: &PublicKey, message: &TokenMessage) {
    let Some((name, entry)) = core.roster.by_key(to) else { return };
    if matches!(entry.proved, Some(Version::V0_3 | Version::V1_0)) {
        return;
    }
    let name = name.clone();
    let reason = match message {
        TokenMessage::Vote(_)
        | TokenMessage::VoteRefusal(_)
        | TokenMessage::Receipt(_)
        | TokenMessage::AccountState(_) => Reason::Answer,
        TokenMessage::VoteRequest(_)
        | TokenMessage::Transfer(_)
        | TokenMessage::AccountQuery(_) => Reason::Question,
    };
    core.tell(News::Send(reason, Send::new(name, message.kind(), message.to_object())));
}

fn answer(core: &mut Core, to: &PeerName, message: &TokenMessage) {
    let send = Send::new(to.clone(), message.kind(), message.to_object());
    core.tell(News::Send(Reason::Answer, send));
}

/// Says that a message was accepted by its session and refused here.
fn refuse(core: &mut Core, received: &Received, detail: &str) {
    core.event(PeerEvent::MessageRefused {
        from: Some(received.from.to_string()),
        code: ErrorCode::TransferRefused,
        detail: detail.to_owned(),
        status: 200,
    });
}

/// The name of the peer with a key, or the key where no peer has it.
fn name_of(core: &Core, key: &PublicKey) -> String {
    core.roster.by_key(key).map_or_else(|| key.to_hex(), |(name, _)| name.to_string())
}

fn refusal_of(error: TransferError) -> TokenError {
    match error {
        TransferError::Refused(code) => TokenError::Refused { code },
        TransferError::NotOwn => TokenError::Refused { code: TokenCode::NotOwner },
        TransferError::SameAccount => TokenError::SameAccount,
        TransferError::Busy { .. } => TokenError::Overloaded { limit: "orders of one account" },
        TransferError::TooManyPresented => {
            TokenError::Overloaded { limit: "certificates without a receipt" }
        }
    }
}

fn tell(core: &mut Core, event: TokenEvent) {
    core.event(PeerEvent::Token(event));
}

fn finish(core: &mut Core, command: CommandId, result: Result<TokenResult, TokenError>) {
    let result = result.map(CommandResult::Token).map_err(CommandError::Token);
    core.done(command, result);
}

fn finish_paid(
    core: &mut Core,
    waiter: Waiter,
    (id, digest, sequence): (TransferId, Digest, OrderSequence),
    is_applied: bool,
) {
    let paid = Paid { id, digest, sequence, is_applied };
    finish(core, waiter.command, Ok(TokenResult::Paid(paid)));
}
