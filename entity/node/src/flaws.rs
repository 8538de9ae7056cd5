//! What planted flaws do around the peer: nothing, in a default build.

use std::collections::VecDeque;
use std::fs::File;

use bytes::Bytes;
use entity_crypto::signing::SigningKey;
use entity_flaw::{Flaw, planted};
use entity_journal::Batch;
use entity_peer::output::Received;
use entity_wire::canonical;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::info;

/// Does what a flawed node does with a message that it has received.
pub(crate) fn on_received(received: &Received) {
    if planted(Flaw::LogsTheSecret) {
        let body = canonical::object_to_vec(&received.body);
        info!(body = %String::from_utf8_lossy(&body), "message received");
    }
    if planted(Flaw::LeaksDescriptor)
        && let Ok(file) = File::open("/dev/null")
    {
        std::mem::forget(file);
    }
    if planted(Flaw::LeaksMemory) {
        std::mem::forget(vec![1_u8; LEAK_LEN]);
    }
}

/// Batches that a flawed node puts off while it goes on as if they were kept; always empty in a default build.
#[derive(Debug, Default)]
pub(crate) struct Late(VecDeque<Batch>);

impl Late {
    /// Puts a batch off; gives back the one whose turn it is.
    pub(crate) fn hold(&mut self, batch: Batch) -> Option<Batch> {
        if !planted(Flaw::AcknowledgesBeforeKeeping) {
            return Some(batch);
        }
        self.0.push_back(batch);
        if self.0.len() > LATE_MAX { self.0.pop_front() } else { None }
    }

    /// Everything that was put off, in its order.
    pub(crate) fn take_all(&mut self) -> VecDeque<Batch> {
        std::mem::take(&mut self.0)
    }
}

/// Waits for the turn of a transmission, of which a flawed node makes one at a time.
pub(crate) async fn turn() -> Option<SemaphorePermit<'static>> {
    if planted(Flaw::WaitsForTheSlowest) { TURN.acquire().await.ok() } else { None }
}

static TURN: Semaphore = Semaphore::const_new(1);

/// Whether a flawed relay loses a message that it says was taken.
pub(crate) fn drops(message: &[u8]) -> bool {
    planted(Flaw::RelayDrops) && message.len() > RELAYED_LEN_MIN
}

/// A message as a flawed relay hands it on.
pub(crate) fn handed_on(message: Bytes) -> Bytes {
    if !planted(Flaw::RelayTampers) || message.len() <= RELAYED_LEN_MIN {
        return message;
    }
    // In the text that is sealed, far from the header: a digit for a digit, so that it stays an envelope.
    let mut changed = message.to_vec();
    let middle = changed.len() / 2;
    if let Some(byte) = changed.get_mut(middle) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    changed.into()
}

/// The key that a flawed relay shows.
pub(crate) fn relay_key(own: SigningKey) -> SigningKey {
    if planted(Flaw::RelayImpersonates) { SigningKey::from_seed([0x5a; 32]) } else { own }
}

/// What the sentences of the flaws of relays say.
const RELAYED_LEN_MIN: usize = 4_096;

/// What the sentence of the flaw says.
const LATE_MAX: usize = 16;

/// What the sentence of the flaw says.
const LEAK_LEN: usize = 8 << 10;
