//! Moltbook in a running node: one account, what is asked of it, and what the node does there by itself.
//!
//! - this file: the [`Desk`], where everybody in the node asks the service
//! - [`duties`]: status posts and mentions, by themselves
//! - [`shapes`]: how account and items look as JSON, for commands and the contract
//!
//! The client blocks, so each call has a thread of its own for as long as it takes; a node that ends does not wait for it. What was under
//! way then counts as spent, as after any kill.

pub mod duties;
pub mod shapes;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use entity_moltbook::Call;
use entity_moltbook::reply::judge::Answered;
use entity_moltbook_client::key_file::KeyError;
use entity_moltbook_client::{
    CallError, Cancel, Client, DiaryError, OpenError, Settings, Trust, key_file,
};
use tokio::sync::{Semaphore, oneshot};

use crate::config::moltbook::MoltbookTable;

/// Calls at a moment; a further one waits.
pub const CALLS_MAX: usize = 4;

/// How long a call may take in all, unless somebody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why there is no desk, or no duties.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No certificates, or no folder.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The book or its change cannot be kept.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The duties are another program's, or their memory cannot be read.
    #[error(transparent)]
    Diary(#[from] DiaryError),
    /// No thread.
    #[error("start a thread for Moltbook")]
    Thread(#[source] io::Error),
}

/// Where the node asks Moltbook; clones are the same desk.
#[derive(Debug, Clone)]
pub struct Desk {
    client: Arc<Client>,
    places: Arc<Semaphore>,
    done: Arc<Mutex<Done>>,
}

/// What the duties have come to since the node started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Status posts made, or perhaps made.
    pub statuses: u64,
    /// Items that the other peer will have.
    pub handed_over: u64,
    /// What went wrong last, until something goes right.
    pub failure: Option<String>,
}

/// A desk, or the place for one.
#[derive(Debug, Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Desk>>>);

impl Slot {
    /// The desk, where there is one.
    pub fn desk(&self) -> Option<Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts `desk` there; whoever has the earlier one goes on with it.
    pub fn put(&self, desk: Desk) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(desk);
    }
}

impl Desk {
    /// Prepares everything for the account of `table`, whose books lie in `data_dir`; asks the service nothing.
    ///
    /// # Errors
    ///
    /// [`DeskError`] without a key, certificates or a folder.
    pub fn open(
        table: &MoltbookTable,
        data_dir: &std::path::Path,
        patience: Duration,
    ) -> Result<Self, DeskError> {
        let settings = Settings {
            origin: table.api.clone(),
            trust: table.trust.clone().map_or(Trust::System, Trust::File),
            key: key_file::read(&table.key_file)?,
            folder: data_dir.join("moltbook"),
            patience,
            attempt: patience,
        };
        let client = Client::open(settings, Cancel::default())?;
        if table.established {
            client.change(|book, _| book.set_established()).map_err(CallError::from)?;
        }
        Ok(Self {
            client: Arc::new(client),
            places: Arc::new(Semaphore::new(CALLS_MAX)),
            done: Arc::default(),
        })
    }

    /// Asks the service, on a thread beside.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn call(&self, call: Call) -> Result<Answered, CallError> {
        self.beside(move |client| client.call(call)).await.unwrap_or(Err(CallError::Cancelled))
    }

    /// Lets `work` have the client, on a thread beside; nothing where there is no thread, or it panicked.
    pub async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Client) -> T + Send + 'static,
    ) -> Option<T> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let client = Arc::clone(&self.client);
        let (say, answer) = oneshot::channel();
        let working = move || {
            let done = work(&client);
            drop(place);
            // Whoever asked may be gone.
            drop(say.send(done));
        };
        thread::Builder::new().name("moltbook".to_owned()).spawn(working).ok()?;
        answer.await.ok()
    }

    /// What the duties have come to.
    pub fn done(&self) -> Done {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Breaks off what waits; what the service is being asked ends by itself.
    pub fn cancel(&self) {
        self.client.cancel();
    }

    fn note(&self, note: impl FnOnce(&mut Done)) {
        note(&mut self.done.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
