//! From the records back to the machine.

use std::num::NonZeroU64;
use std::str::FromStr;

use entity_crypto::encoding::hex_decode_array;
use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_journal::Stored;
use entity_wire::json::Fields;
use entity_wire::payload::token::{
    Certificate, Genesis, OrderSequence, SignedOrder, TokenName, Votes,
};
use entity_wire::time::Timestamp;

use super::Ledger;
use crate::account::AccountKey;
use crate::certificate::trusted;
use crate::issuance::Supply;
use crate::member::Lock;
use crate::owner::{Content, Pending, Seen, Sent};
use crate::presenting::Presentation;
use crate::record::{self, Reading, RestoreError};
use crate::timers::Task;

impl Ledger {
    /// Goes on where the records left off; `None` where no ledger was opened.
    ///
    /// Signatures are not checked again: what was kept here was verified here. Each value has to be the one canonical
    /// text of what it says.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] names the first record that cannot be read.
    pub fn restore(
        stored: &mut Stored,
        identity: PublicKey,
        now: Timestamp,
    ) -> Result<Option<Self>, RestoreError> {
        let Some(record) = stored.take(record::LEDGER).next() else { return Ok(None) };
        let reading = Reading::new(record::LEDGER, record)?;
        let genesis = reading.need(Genesis::from_object(reading.value()).ok())?;
        let mut ledger = Self::empty(genesis, identity);
        ledger.restore_accounts(stored)?;
        ledger.restore_applied(stored)?;
        ledger.restore_locks(stored)?;
        ledger.restore_orders(stored, now)?;
        ledger.restore_presented(stored, now)?;
        // What was just read is kept already.
        ledger.state.forget_changes();
        Ok(Some(ledger))
    }

    fn restore_accounts(&mut self, stored: &mut Stored) -> Result<(), RestoreError> {
        for record in stored.take(record::ACCOUNT) {
            let reading = Reading::new(record::ACCOUNT, record)?;
            let key = self.account_of(&reading, reading.key()?)?;
            let fields = reading.fields();
            let account = (|| {
                let balance = fields.parsed("balance", "a balance").ok()?;
                let next = OrderSequence::new(fields.unsigned("next_sequence").ok()?)?;
                let entries = fields.unsigned("entries").ok()?;
                let overruled = match fields.optional("overruled") {
                    Some(_) => Some(OrderSequence::new(fields.unsigned("overruled").ok()?)?),
                    None => None,
                };
                Some((balance, next, entries, fields.flag("frozen").ok()?, overruled))
            })();
            let (balance, next, entries, frozen, overruled) = reading.need(account)?;
            self.state.restore_account(key, |account| {
                account.balance = balance;
                account.next = next;
                account.entries = entries;
                account.frozen = frozen;
                account.overruled = overruled;
            });
        }
        for record in stored.take(record::SUPPLY) {
            let reading = Reading::new(record::SUPPLY, record)?;
            let [name] = reading.key()?;
            let token = TokenName::from_str(name).ok().and_then(|name| self.rules.token(&name));
            let token = reading.need(token)?;
            let units = |field| reading.need(units(reading.fields(), field));
            let supply = Supply { issued: units("issued")?, burned: units("burned")? };
            self.state.restore_supply(token, supply);
        }
        Ok(())
    }

    fn restore_applied(&mut self, stored: &mut Stored) -> Result<(), RestoreError> {
        // Records come in the order of their accounts, and reading a key costs more than all the rest.
        let mut last: Option<(String, AccountKey)> = None;
        for record in stored.take(record::APPLIED) {
            let reading = Reading::new(record::APPLIED, record)?;
            let [owner, token, id] = reading.key()?;
            let name = format!("{owner}/{token}");
            let account = match &last {
                Some((known, account)) if *known == name => *account,
                Some(_) | None => self.account_of(&reading, [owner, token])?,
            };
            last = Some((name, account));
            let id = reading.need(id.parse().ok())?;
            let fields = reading.fields();
            let digest = reading.need(fields.parsed("digest", "a digest").ok())?;
            // What was kept before certificates had numbers has none.
            let number = match fields.optional("certificate") {
                Some(_) => {
                    let number = fields.unsigned("certificate").ok().and_then(NonZeroU64::new);
                    Some(reading.need(number)?)
                }
                None => None,
            };
            self.state.restore_applied(account, id, (digest, number));
            if fields.optional("content").is_some() {
                let sent = (|| {
                    let content = hex_decode_array(fields.text("content").ok()?).ok()?;
                    let sequence = OrderSequence::new(fields.unsigned("sequence").ok()?)?;
                    Some(Sent { digest, sequence, content: Content::from_bytes(content) })
                })();
                self.owner.sent.insert((account, id), reading.need(sent)?);
            }
        }
        Ok(())
    }

    fn restore_locks(&mut self, stored: &mut Stored) -> Result<(), RestoreError> {
        for record in stored.take(record::LOCK) {
            let reading = Reading::new(record::LOCK, record)?;
            let account = self.account_of(&reading, reading.key()?)?;
            let signed = self.signed_of(&reading, account)?;
            let vote = reading.need(record::signature_of(reading.fields(), "vote"))?;
            self.locks.set(account, Lock { signed, vote });
        }
        Ok(())
    }

    fn restore_orders(&mut self, stored: &mut Stored, now: Timestamp) -> Result<(), RestoreError> {
        for record in stored.take(record::OWN) {
            let reading = Reading::new(record::OWN, record)?;
            let account = self.account_of(&reading, reading.key()?)?;
            let is_part = reading.need(reading.fields().flag("part").ok())?;
            self.owner.ready.insert(account, if is_part { Seen::Part } else { Seen::All });
        }
        for record in stored.take(record::PENDING) {
            if planted(Flaw::ForgetsOrdersOnRestart) {
                continue;
            }
            let reading = Reading::new(record::PENDING, record)?;
            let account = self.account_of(&reading, reading.key()?)?;
            let signed = self.signed_of(&reading, account)?;
            let receiver = receiver(&reading)?;
            let mut votes = Votes::NONE;
            if let Some(lock) = self.locks.get(&account)
                && lock.signed == signed
            {
                votes.add(lock.member_vote(self.identity));
            }
            let pending = Pending { votes, ..Pending::new(trusted(signed), receiver) };
            self.owner.by_digest.insert(pending.digest(), account);
            self.owner.pending.insert(account, pending);
            self.owner.timers.start(Task::Votes(account), now);
        }
        Ok(())
    }

    fn restore_presented(
        &mut self,
        stored: &mut Stored,
        now: Timestamp,
    ) -> Result<(), RestoreError> {
        for record in stored.take(record::PRESENTED) {
            if planted(Flaw::ForgetsCertificatesOnRestart) {
                continue;
            }
            let reading = Reading::new(record::PRESENTED, record)?;
            let [number] = reading.key()?;
            let number = reading.need(u64::from_str_radix(number, 16).ok())?;
            let fields = reading.fields();
            let certificate = fields.object("certificate").ok();
            let certificate = certificate.and_then(|held| Certificate::from_object(held).ok());
            let certificate = reading.need(certificate)?;
            let account = reading.need(self.payer(&certificate))?;
            let receiver = receiver(&reading)?;
            let waiting = fields.required("waiting").ok().and_then(record::keys_of);
            let waiting = reading.need(waiting)?.into_iter().collect();
            let presentation = Presentation { certificate, account, receiver, waiting };
            self.owner.presenting.restore(number, presentation);
        }
        let peers: Vec<PublicKey> = self.owner.presenting.peers().copied().collect();
        for peer in peers {
            self.owner.timers.start(Task::Present(peer), now);
        }
        Ok(())
    }

    fn account_of(
        &self,
        reading: &Reading,
        [owner, token]: [&str; 2],
    ) -> Result<AccountKey, RestoreError> {
        let owner = reading.need(PublicKey::from_hex(owner).ok())?;
        let token = TokenName::from_str(token).ok().and_then(|name| self.rules.token(&name));
        Ok(AccountKey { owner, token: reading.need(token)? })
    }

    /// The signed order of a record, which has to be one of the record's account.
    fn signed_of(
        &self,
        reading: &Reading,
        account: AccountKey,
    ) -> Result<SignedOrder, RestoreError> {
        let signed = SignedOrder::from_fields(reading.fields()).ok();
        let belongs = |signed: &SignedOrder| {
            let terms = signed.order.terms();
            terms.from == account.owner && self.rules.token(&terms.token) == Some(account.token)
        };
        reading.need(signed.filter(belongs))
    }
}

fn receiver(reading: &Reading) -> Result<Option<PublicKey>, RestoreError> {
    let read = |text: &str| PublicKey::from_hex(text).ok();
    reading.need(reading.fields().read_optional("receiver", "a public key", read).ok())
}

fn units(fields: Fields<'_>, field: &'static str) -> Option<u128> {
    let text = fields.text(field).ok()?;
    text.parse::<u128>().ok().filter(|units| units.to_string() == text)
}
