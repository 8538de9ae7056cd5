//! Messages to a peer, at given moments or as many as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use handfast_lab::clock::monotonic_ns;
use handfast_lab::{CallError, Peer};
use handfast_perf::Load;
use rustix::io::Errno;
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::Timespec;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::PerfError;
use super::duo::{Duo, WITHIN};

/// What became of messages.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// When each was due, and when it was over, in microseconds.
    pub(super) moments: Vec<(u64, u64)>,
    /// How many were refused, or not answered in time.
    pub(super) failed: usize,
    /// Why the first of them was.
    pub(super) first_failure: Option<String>,
}

/// Sends messages at the moments of a load, whatever became of those before; also how late each was sent, in microseconds.
pub(super) async fn open(duo: &Duo, load: Load) -> Result<(Taken, Vec<u64>), PerfError> {
    let mut pace = pace(load);
    let (mut calls, mut late) = (JoinSet::new(), Vec::new());
    while let Some(due_us) = pace.recv().await {
        late.push(now_us().saturating_sub(due_us));
        let (a, params) = (duo.a.clone(), duo.message());
        calls.spawn(async move { (due_us, send(&a, params).await) });
    }
    let mut taken = Taken::default();
    while let Some(called) = calls.join_next().await {
        let Ok((due_us, (over_us, outcome))) = called else { continue };
        taken.add(due_us, over_us, outcome)?;
    }
    Ok((taken, late))
}

/// Sends messages as fast as they are taken, [`IN_FLIGHT`] at once.
pub(super) async fn at_once(duo: &Duo, count: usize) -> Result<Taken, PerfError> {
    let left = Arc::new(AtomicUsize::new(count));
    let mut senders = JoinSet::new();
    for _ in 0..IN_FLIGHT.min(count) {
        let (a, params, left) = (duo.a.clone(), duo.message(), left.clone());
        senders.spawn(async move {
            let mut sent = Vec::new();
            let one_less = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                let began_us = now_us();
                let (over_us, outcome) = send(&a, params.clone()).await;
                let is_over = matches!(outcome, Err(CallError::Gone { .. } | CallError::Fault(_)));
                sent.push((began_us, over_us, outcome));
                if is_over {
                    break;
                }
            }
            sent
        });
    }
    let mut taken = Taken::default();
    for (began_us, over_us, outcome) in senders.join_all().await.into_iter().flatten() {
        taken.add(began_us, over_us, outcome)?;
    }
    Ok(taken)
}

impl Taken {
    fn add(
        &mut self,
        due_us: u64,
        over_us: u64,
        outcome: Result<Value, CallError>,
    ) -> Result<(), PerfError> {
        self.moments.push((due_us, over_us));
        match outcome {
            Ok(_) => Ok(()),
            Err(source @ (CallError::Refused(_) | CallError::TimedOut { .. })) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| source.to_string());
                Ok(())
            }
            // Nothing more can be measured of who is gone, or lacks what it said it has.
            Err(source) => Err(PerfError::Call { peer: "a".to_owned(), method: METHOD, source }),
        }
    }
}

async fn send(peer: &Peer, params: Value) -> (u64, Result<Value, CallError>) {
    let outcome = peer.call(METHOD, params, WITHIN).await;
    (now_us(), outcome)
}

/// Tells each message when it is due, from a thread of its own: the timers of the runtime are a millisecond coarse.
fn pace(load: Load) -> mpsc::Receiver<u64> {
    let (tell, due) = mpsc::channel(load.count().max(1));
    tokio::task::spawn_blocking(move || {
        let start_us = now_us() + HEAD_START_US;
        for due_us in load.due_us() {
            let due_us = start_us + due_us;
            let at = Timespec {
                tv_sec: i64::try_from(due_us / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(due_us % 1_000_000 * 1_000).unwrap_or(0),
            };
            // A signal wakes it early.
            while clock_nanosleep_absolute(ClockId::Monotonic, &at) == Err(Errno::INTR) {}
            if tell.blocking_send(due_us).is_err() {
                return;
            }
        }
    });
    due
}

/// Microseconds of the clock that timers wait by.
pub(super) fn now_us() -> u64 {
    monotonic_ns() / 1_000
}

const METHOD: &str = "message.send";

/// Messages on their way at once where as many are sent as are taken: a peer that takes 200 ms for each can still show 320 a second.
pub(super) const IN_FLIGHT: usize = 64;

/// How long after the thread began the first message is due, so that it waits for that, too.
const HEAD_START_US: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_message_is_told_in_its_order_and_none_before_it_is_due() {
        let mut pace = pace(Load::new(2_000.0, 40));
        let mut moments = Vec::new();
        while let Some(due_us) = pace.recv().await {
            assert!(now_us() >= due_us, "too early");
            moments.push(due_us);
        }
        assert!(moments.len() == 40 && moments.is_sorted());
        assert_eq!(moments[39] - moments[0], 19_500);
    }
}
