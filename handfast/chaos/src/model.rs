//! A system in miniature for the tests of this crate: two peers, a few steps of a protocol, and flaws that only a disturbance shows.

use std::time::Duration;

use handfast_faults::disturbance::{Cue, Disturbance, What, When};

use crate::campaign::Played;
use crate::menu::words;
use crate::novelty::{Seen, Sign};
use crate::schedule::{Outcome, Schedule};

/// The messages of an undisturbed run, one each 100 ms, from `a` to `b`.
const MESSAGES: [&str; 6] = ["hello", "key", "order", "vote", "receipt", "bye"];

/// A flaw of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// There is none.
    None,
    /// `b` forgets its vote when it is killed between vote and receipt.
    ForgetsVote,
    /// When `b` is killed before its vote it comes back to look for it, and `a` must not stand still then.
    LosesOrderWhileRecovering,
    /// The same, and then `a` must not be killed while it stands still.
    LosesOrderWhenKilledThen,
    /// It fails anyway.
    Broken,
    /// Nobody can play it.
    Unplayable,
}

/// Plays a schedule to its end.
pub(crate) fn play(flaw: Flaw, schedule: &Schedule) -> Played {
    let mut signs = Vec::new();
    let mut failed = None;
    let (mut recovering_until, mut stalled_until) = (0, 0);
    for (index, message) in MESSAGES.iter().enumerate() {
        let now = index as u64 * 100;
        signs.push(Sign { at: ms(now), what: seen(message) });
        for step in happening(schedule, now) {
            signs
                .push(Sign { at: ms(now), what: Seen::Applied { disturbance: words(&step.what) } });
            let is_kill_of_b = matches!(&step.what, What::Kill { role } if role == "b");
            let is_pause_of_a = matches!(&step.what, What::Pause { role } if role == "a");
            if is_kill_of_b && *message == "vote" && flaw == Flaw::ForgetsVote {
                failed = Some(format!("b voted twice after {} messages", signs.len()));
            }
            if is_kill_of_b && *message == "order" {
                recovering_until = now + 200;
                signs.push(Sign { at: ms(now), what: event("b", "recovering") });
            }
            let is_kill_of_a = matches!(&step.what, What::Kill { role } if role == "a");
            if is_kill_of_a && now < stalled_until && flaw == Flaw::LosesOrderWhenKilledThen {
                failed = Some("the order is lost".to_owned());
            }
            let is_caught = is_pause_of_a && now < recovering_until;
            if is_caught {
                stalled_until = now + 200;
                signs.push(Sign { at: ms(now), what: event("a", "stalled") });
            }
            if is_caught && flaw == Flaw::LosesOrderWhileRecovering {
                failed = Some("the order is lost".to_owned());
            }
            let undone = Seen::Undone { disturbance: words(&step.what) };
            signs.push(Sign { at: ms(now + 1), what: undone });
        }
    }
    let outcome = match (flaw, failed) {
        (Flaw::Broken, _) => Outcome::Failed { reason: "it never works".to_owned() },
        (Flaw::Unplayable, _) => Outcome::Unclear { reason: "no port".to_owned() },
        (_, Some(reason)) => Outcome::Failed { reason },
        (_, None) => Outcome::Passed,
    };
    Played { outcome, signs, occurred: None }
}

fn happening(schedule: &Schedule, now: u64) -> impl Iterator<Item = &Disturbance> {
    schedule.steps.iter().filter(move |step| begins(step) == Some(now / 100))
}

/// After which message a disturbance begins.
fn begins(step: &Disturbance) -> Option<u64> {
    let index = match &step.when {
        When::At(at) => u64::try_from(at.as_millis()).ok()? / 100,
        When::On { cue: Cue::Message { message_type, nth: 1, .. }, after } => {
            let place =
                MESSAGES.iter().position(|known| Some(*known) == message_type.as_deref())?;
            u64::try_from(place).ok()? + u64::try_from(after.as_millis()).ok()? / 100
        }
        When::On { .. } => return None,
    };
    Some(index)
}

fn seen(message: &str) -> Seen {
    let (from, to) = ("a".to_owned(), "b".to_owned());
    Seen::Message { from, to, message_type: Some(message.to_owned()) }
}

fn event(role: &str, event: &str) -> Seen {
    Seen::Event { role: role.to_owned(), event: event.to_owned() }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
