//! One call after the other.

use std::path::PathBuf;
use std::time::Duration;

use entity_moltbook::budget::Book;
use entity_moltbook::duty::memory::Memory;
use entity_moltbook::exchange::{Exchange, Failure, Patience, Step};
use entity_moltbook::reply::judge::Answered;
use entity_moltbook::reply::{Arrival, Trouble};
use entity_moltbook::{ApiKey, Call, Moment, Origin};

use crate::clock::Clock;
use crate::diary::{Diary, DiaryError};
use crate::https::{Https, Trust, TrustError};
use crate::store::{Store, StoreError};
use crate::waiting::Cancel;

/// Who asks whom, and where that is written down.
#[derive(Debug)]
pub struct Settings {
    /// Where the service is.
    pub origin: Origin,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The key.
    pub key: ApiKey,
    /// The folder of the books.
    pub folder: PathBuf,
    /// How long a call may take in all, waits included.
    pub patience: Duration,
    /// How long one attempt may take.
    pub attempt: Duration,
}

/// A client of one account.
#[derive(Debug)]
pub struct Client {
    https: Https,
    key: ApiKey,
    store: Store,
    cancel: Cancel,
    patience: Duration,
    attempt: Duration,
}

/// Why a client cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No folder.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service, the way there, or what was asked.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The book.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody did not want to wait any longer.
    #[error("broken off while waiting; nothing is under way")]
    Cancelled,
}

impl Client {
    /// Prepares everything; sends nothing. `cancel` breaks waits off.
    ///
    /// # Errors
    ///
    /// [`OpenError`] without certificates or a folder.
    pub fn open(settings: Settings, cancel: Cancel) -> Result<Self, OpenError> {
        let Settings { origin, trust, key, folder, patience, attempt } = settings;
        let https = Https::new(origin, &trust)?;
        let store = Store::open(&folder, &key.account(), Clock::start(), cancel.clone())?;
        Ok(Self { https, key, store, cancel, patience, attempt })
    }

    /// Where requests go.
    pub fn origin(&self) -> &Origin {
        self.https.origin()
    }

    /// The present, on the clock of the book.
    pub fn now(&self) -> Moment {
        self.store.clock().now()
    }

    /// Takes the duties of the account, with what is remembered of them, until the [`Diary`] is dropped.
    ///
    /// # Errors
    ///
    /// [`DiaryError`] if another program does them, or the memory cannot be read.
    pub fn duties(&self) -> Result<(Diary, Memory), DiaryError> {
        self.store.diary()
    }

    /// Breaks every wait off, also those to come; what is asked just now is not waited for here.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The book as it is now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub fn look(&self) -> Result<(Book, Moment), StoreError> {
        self.store.look()
    }

    /// Changes the book, as its operator may.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be kept.
    pub fn change<T>(&self, change: impl FnOnce(&mut Book, Moment) -> T) -> Result<T, StoreError> {
        self.store.change(change)
    }

    /// Asks the service, and waits and repeats as far as the patience reaches.
    ///
    /// After a restart of the system a write first asks for the account's status, whose date tells how long ago earlier writes were.
    ///
    /// # Errors
    ///
    /// [`CallError`]; the book then says what was spent all the same.
    pub fn call(&self, call: Call) -> Result<Answered, CallError> {
        let (book, _) = self.store.look()?;
        if book.is_adrift() && !call.is_read() {
            self.drive(Call::Status)?;
        }
        self.drive(call)
    }

    fn drive(&self, call: Call) -> Result<Answered, CallError> {
        let clock = self.store.clock();
        let patience = Patience { whole: self.patience, attempt: self.attempt, seed: seed() };
        let mut exchange = Exchange::new(call, patience, clock.now());
        loop {
            match exchange.next() {
                Step::Reserve => {
                    let reserve = |book: &mut Book, now| book.reserve(exchange.call(), now);
                    let reserved = self.store.change(reserve)?;
                    exchange.handle_reserved(reserved, clock.now());
                }
                Step::Send { request, until } => {
                    let within = until.since(clock.now());
                    let arrival = if within.is_zero() {
                        Arrival::Unsent(Trouble::TimedOut)
                    } else {
                        self.https.send(&request, &self.key, within)
                    };
                    tracing::debug!(method = ?request.method, path = request.path, said = said(&arrival), "asked");
                    exchange.handle_arrival(arrival, clock.now());
                }
                Step::Settle(settle) => {
                    self.store.change(|book, now| book.settle(*settle, now))?;
                    exchange.handle_settled();
                }
                Step::Wait(until) => {
                    if self.cancel.wait(until.since(clock.now())) {
                        return Err(CallError::Cancelled);
                    }
                    exchange.handle_woken(clock.now());
                }
                Step::Done => match exchange.into_outcome() {
                    Ok(outcome) => return Ok(outcome?),
                    Err(under_way) => exchange = *under_way,
                },
            }
        }
    }
}

fn said(arrival: &Arrival) -> String {
    match arrival {
        Arrival::Reply(reply) => format!("status {}", reply.status),
        Arrival::Unsent(trouble) => format!("not sent: {trouble}"),
        Arrival::Lost(trouble) => format!("lost: {trouble}"),
        Arrival::TooLarge => "too large".to_owned(),
    }
}

/// Spreads waits; where the system has no randomness, they are not spread.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => 0,
    }
}
