//! Ctrl-C and SIGTERM: the first ends a run in order, the second ends handfast at once; after the run, the first ends the wait until
//! it is told.

use std::sync::atomic::{AtomicBool, Ordering};

use handfast_runner::interrupt::Lever;
use handfast_scenario::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

use super::telling::Wait;
use crate::console::Stream;

/// Signals come to the process as a whole, so does the memory of them.
static WAS_ASKED: AtomicBool = AtomicBool::new(false);

/// Whether this process was asked to end a run: it may have left out a part of it, whatever its exit code.
pub(crate) fn was_asked() -> bool {
    WAS_ASKED.load(Ordering::SeqCst)
}

/// Listens until the runtime ends. What handfast leaves behind when it ends at once, its reapers end.
pub(crate) async fn listen(lever: Lever, wait: Wait) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    loop {
        tokio::select! {
            asked = tokio::signal::ctrl_c() => {
                if asked.is_err() {
                    return;
                }
            }
            _ = terminate.recv() => {}
        }
        if wait.end() {
            Stream::Error.print("not waiting until all is told; once more ends it at once\n");
            continue;
        }
        if lever.is_pulled() || wait.is_ended() {
            end_at_once();
        }
        Stream::Error.print("ending the run in order; once more ends it at once\n");
        WAS_ASKED.store(true, Ordering::SeqCst);
        lever.pull();
    }
}

#[expect(
    clippy::exit,
    reason = "the user asked twice; reapers clean up when their lifelines break"
)]
fn end_at_once() {
    std::process::exit(i32::from(ExitCode::Infrastructure.number()));
}
