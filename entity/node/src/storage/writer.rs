//! The thread that owns a journal.
//!
//! Whoever has a batch puts it in line and goes on. The thread takes everything that waits as one group, commits it, and
//! tells how far it got; what arrives meanwhile is the next group. So the slower the disk, the larger the groups.
//!
//! A group costs the same however little is in it. Where several wait for the disk at once, the thread therefore rests between
//! two groups, for `PAUSE` at most; who is alone waits for nothing.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io, mem, thread};

use entity_journal::{Batch, Journal, JournalError, Record, Space};
use tokio::sync::{oneshot, watch};

/// From so many batches on a group shows that several wait for the disk at once: one alone has two under way at most, its
/// own and what answers to it bring about.
const BUSY_BATCHES: usize = 4;

/// How long the thread rests after such a group. Measured: longer groups save no more than they cost those who wait.
const PAUSE: Duration = Duration::from_millis(2);

/// So many batches are a group worth its commit: the rest ends.
const FULL_BATCHES: usize = 64;

/// How far a journal got.
#[derive(Debug)]
pub enum Progress {
    /// So many further batches are durable, in the order they were put in line.
    Durable {
        /// How many.
        batches: usize,
    },
    /// It failed. Of the batches in line some may be durable; no further ones will be.
    Failed(JournalError),
}

/// What to look up in a journal.
#[derive(Debug)]
pub struct Scan {
    /// Where.
    pub space: Space,
    /// How the keys begin.
    pub prefix: Vec<u8>,
    /// The key to go on after.
    pub after: Option<Vec<u8>>,
    /// Most records.
    pub count_max: usize,
}

/// The outcome of a [`Scan`].
pub type Found = Result<Vec<Record>, JournalError>;

/// A journal on a thread of its own. Dropping it lets the thread finish what is in line.
pub struct Writer {
    queue: Arc<Queue>,
    ended: watch::Receiver<bool>,
}

struct Queue {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    batches: Vec<Batch>,
    scans: VecDeque<(Scan, oneshot::Sender<Found>)>,
    is_closed: bool,
}

impl Writer {
    /// Starts the thread. `tell` runs on it, after each group.
    ///
    /// # Errors
    ///
    /// What the system says when it cannot start a thread.
    pub fn start(
        journal: Box<dyn Journal + Send>,
        tell: impl FnMut(Progress) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue { line: Mutex::default(), changed: Condvar::new() });
        let (ending, ended) = watch::channel(false);
        let taking = Arc::clone(&queue);
        thread::Builder::new().name("journal".to_owned()).spawn(move || {
            work(journal, &taking, tell);
            // Whoever waited may be gone.
            ending.send_replace(true);
        })?;
        Ok(Self { queue, ended })
    }

    /// Puts a batch in line; a closed or failed journal drops it. The caller bounds how much waits.
    pub fn submit(&self, batch: Batch) {
        self.queue.put(|line| line.batches.push(batch));
    }

    /// Looks something up once everything in line before is durable. The receiver fails when the journal is closed or has
    /// failed.
    pub fn scan(&self, scan: Scan) -> oneshot::Receiver<Found> {
        let (found, answer) = oneshot::channel();
        self.queue.put(|line| line.scans.push_back((scan, found)));
        answer
    }

    /// Closes the journal after what is in line; the future ends when that is done.
    pub fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        self.queue.close();
        let mut ended = self.ended.clone();
        async move {
            // An error means that the thread is gone, which is what is waited for.
            drop(ended.wait_for(|ended| *ended).await);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Queue {
    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing is left half done under this lock.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, put: impl FnOnce(&mut Line)) {
        let mut line = self.line();
        // Nobody would take it.
        if line.is_closed {
            return;
        }
        put(&mut line);
        // Whoever is woken wants the lock at once.
        drop(line);
        self.changed.notify_one();
    }

    /// Lets a group gather for [`PAUSE`] at most: until it is worth a commit, somebody wants to read, or it is the last one.
    fn rest(&self) {
        let gathers = |line: &mut Line| {
            line.batches.len() < FULL_BATCHES && line.scans.is_empty() && !line.is_closed
        };
        // Whether the time was up or the group is full, it is taken next.
        drop(self.changed.wait_timeout_while(self.line(), PAUSE, gathers));
    }

    fn close(&self) {
        self.line().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for something to do; `None` when closed with nothing left.
    fn take(&self) -> Option<Line> {
        let idle =
            |line: &mut Line| line.batches.is_empty() && line.scans.is_empty() && !line.is_closed;
        let mut line =
            self.changed.wait_while(self.line(), idle).unwrap_or_else(PoisonError::into_inner);
        if line.batches.is_empty() && line.scans.is_empty() {
            return None;
        }
        Some(Line {
            batches: mem::take(&mut line.batches),
            scans: mem::take(&mut line.scans),
            is_closed: line.is_closed,
        })
    }

    /// Nobody works any more: what waits and what comes is dropped, and those who wait for it see that.
    fn abandon(&self) {
        let mut line = self.line();
        line.is_closed = true;
        line.batches.clear();
        line.scans.clear();
    }
}

fn work(mut journal: Box<dyn Journal + Send>, queue: &Queue, mut tell: impl FnMut(Progress)) {
    while let Some(taken) = queue.take() {
        if !taken.batches.is_empty() {
            // A journal that panics has failed as well: nobody must wait for it for ever.
            let committed = catch_unwind(AssertUnwindSafe(|| journal.commit(&taken.batches)));
            match committed.unwrap_or_else(|_| Err(panicked("write"))) {
                Ok(()) => tell(Progress::Durable { batches: taken.batches.len() }),
                Err(error) => {
                    queue.abandon();
                    return tell(Progress::Failed(error));
                }
            }
        }
        for (scan, found) in taken.scans {
            let Scan { space, prefix, after, count_max } = scan;
            let look = || journal.scan(space, &prefix, after.as_deref(), count_max);
            let Ok(looked) = catch_unwind(AssertUnwindSafe(look)) else {
                queue.abandon();
                return tell(Progress::Failed(panicked("read")));
            };
            match looked {
                // What was put off until somebody reads could not be written.
                Err(error) if error.action == "write" => {
                    queue.abandon();
                    return tell(Progress::Failed(error));
                }
                // Who asked may have gone.
                Ok(_) | Err(_) => drop(found.send(looked)),
            }
        }
        if taken.batches.len() >= BUSY_BATCHES {
            queue.rest();
        }
    }
    let finished = catch_unwind(AssertUnwindSafe(|| journal.finish()));
    if let Err(error) = finished.unwrap_or_else(|_| Err(panicked("write"))) {
        tell(Progress::Failed(error));
    }
}

fn panicked(action: &'static str) -> JournalError {
    JournalError { action, reason: "the journal's thread panicked".to_owned() }
}

#[cfg(test)]
mod tests;
