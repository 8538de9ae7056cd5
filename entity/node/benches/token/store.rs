//! What the store alone does: durable commits of batches like those of a payment.

use entity_crypto::signing::SigningKey;
use entity_journal::{Batch, Journal as _, Space, Write};
use entity_node::storage::SqliteJournal;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::median;

const STATE: Space = Space::state("bench");
const ARCHIVE: Space = Space::archive("bench.archive");

/// Batches that one commit takes together where many payments are under way.
const TOGETHER: usize = 64;

fn open() -> (SqliteJournal, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let owner = SigningKey::from_seed([1; 32]).public_key();
    (SqliteJournal::open(home.path(), owner).unwrap(), home)
}

/// What applying a payment keeps: two accounts, the transfer id, two lines of history, the certificate.
fn batch(number: usize) -> Batch {
    let account = vec![b'x'; 120];
    Batch::from(vec![
        Write::put(STATE, format!("account/{}", number % 256), account.clone()),
        Write::put(STATE, "account/b", account.clone()),
        Write::put(STATE, format!("applied/{number:016x}"), vec![b'x'; 90]),
        Write::put(ARCHIVE, format!("history/{}/{number:016x}", number % 256), vec![b'x'; 330]),
        Write::put(ARCHIVE, format!("history/b/{number:016x}"), vec![b'x'; 330]),
        Write::put(ARCHIVE, format!("certificate/{number:016x}"), vec![b'x'; 1_100]),
    ])
}

/// Batches a second.
pub(crate) fn batches() -> f64 {
    const COMMITS: usize = 40;
    let (mut journal, _home) = open();
    let start = Instant::now();
    for commit in 0..COMMITS {
        let batches: Vec<_> = (0..TOGETHER).map(|at| batch(commit * TOGETHER + at)).collect();
        journal.commit(&batches).unwrap();
    }
    (COMMITS * TOGETHER) as f64 / start.elapsed().as_secs_f64()
}

/// Milliseconds that half of some commits of one batch took at most.
pub(crate) fn one_ms() -> f64 {
    let (mut journal, _home) = open();
    let one = |number| {
        let start = Instant::now();
        journal.commit(&[batch(number)]).unwrap();
        start.elapsed().as_secs_f64() * 1e3
    };
    median((0..100).map(one).collect())
}
