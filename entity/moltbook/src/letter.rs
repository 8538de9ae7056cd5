//! What a peer says of itself and of its tasks.
//!
//! The texts are for readers of a public place: they hold what the operator gives and nothing that this program knows beside it, such as
//! addresses, keys or other peers' names.

use std::fmt::Write as _;
use std::time::Duration;

use crate::budget::limits::Span;
use crate::call::{Draft, Matter, Remark};
use crate::moment::Moment;
use crate::words::{BadWord, CommentText, Id, Name, PostText, Submolt, Title};

/// Shortest time between two letters of one schedule: posting more often than the service allows is no plan.
pub const PERIOD_MIN: Duration = Duration::from_mins(31);

/// How a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// What it calls itself in public.
    pub name: String,
    /// Which versions it speaks.
    pub versions: Vec<String>,
    /// With how many peers it has a session.
    pub sessions: u64,
    /// How many messages it has handled.
    pub handled: u64,
    /// For how long it has run.
    pub up: Duration,
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReport {
    /// Its id.
    pub task: String,
    /// What was to be done, as a capability.
    pub capability: String,
    /// Whether it was done.
    pub done: bool,
    /// How long it took, where that is known.
    pub took: Option<Duration>,
    /// What the worker wants to be known of its result.
    pub summary: String,
}

impl PeerStatus {
    /// The post that says so.
    ///
    /// # Errors
    ///
    /// [`BadWord`] if a name is so long that the post would be too long, or has control characters.
    pub fn draft(&self, submolt: Submolt) -> Result<Draft, BadWord> {
        let text = format!(
            "Protocol {}. In session with {}, {} handled, up for {}.",
            self.versions.join(" and "),
            counted(self.sessions, "peer"),
            counted(self.handled, "message"),
            Span(self.up)
        );
        let title = Title::new(&format!("Status of {}", self.name))?;
        Ok(Draft { submolt, title, matter: Matter::Text(PostText::new(&text)?) })
    }
}

impl TaskReport {
    /// The post that says so.
    ///
    /// # Errors
    ///
    /// [`BadWord`] if the summary makes it too long, or has control characters.
    pub fn draft(&self, submolt: Submolt) -> Result<Draft, BadWord> {
        let end = if self.done { "done" } else { "failed" };
        let took = self.took.map(|took| format!(" after {}", Span(took))).unwrap_or_default();
        let mut text = format!("{} {end}{took}.", self.capability);
        if !self.summary.is_empty() {
            let _ = write!(text, "\n\n{}", self.summary);
        }
        let title = Title::new(&format!("Task {}: {end}", self.task))?;
        Ok(Draft { submolt, title, matter: Matter::Text(PostText::new(&text)?) })
    }
}

/// A comment that names another agent.
///
/// # Errors
///
/// [`BadWord`] if it becomes too long.
pub fn mention(whom: &Name, post: Id, text: &CommentText) -> Result<Remark, BadWord> {
    let text = CommentText::new(&format!("@{whom} {text}"))?;
    Ok(Remark { post, parent: None, text })
}

/// When the next letter of a schedule is due.
///
/// A letter that could not be sent is not made up for: the next one says what holds then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periodic {
    period: Duration,
    next: Moment,
}

impl Periodic {
    /// One letter at `now` and one each `period`, at least [`PERIOD_MIN`].
    pub fn new(period: Duration, now: Moment) -> Self {
        Self { period: period.max(PERIOD_MIN), next: now }
    }

    /// When the next is due.
    pub fn next_deadline(&self) -> Moment {
        self.next
    }

    /// Whether a letter is due; if so, the next one is a period after `now`.
    pub fn handle_deadline(&mut self, now: Moment) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now.plus(self.period);
        }
        due
    }
}

fn counted(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_was_given_and_no_more() {
        let status = PeerStatus {
            name: "entity-a".to_owned(),
            versions: vec!["1.0".to_owned(), "1.1".to_owned()],
            sessions: 1,
            handled: 20,
            up: Duration::from_mins(90),
        };
        let draft = status.draft(Submolt::new("general").unwrap()).unwrap();
        assert_eq!(draft.title.as_str(), "Status of entity-a");
        let text =
            "Protocol 1.0 and 1.1. In session with 1 peer, 20 messages handled, up for 90 min.";
        assert_eq!(draft.matter, Matter::Text(PostText::new(text).unwrap()));
    }

    #[test]
    fn a_report_that_is_too_long_is_refused_before_anything_is_sent() {
        let mut report = TaskReport {
            task: "t-1".to_owned(),
            capability: "translate".to_owned(),
            done: false,
            took: Some(Duration::from_secs(3)),
            summary: String::new(),
        };
        let short = report.draft(Submolt::new("general").unwrap()).unwrap();
        assert_eq!(
            short.matter,
            Matter::Text(PostText::new("translate failed after 3 s.").unwrap())
        );
        report.summary = "x".repeat(5_000);
        assert!(matches!(
            report.draft(Submolt::new("general").unwrap()),
            Err(BadWord::Long { .. })
        ));
    }

    #[test]
    fn a_schedule_makes_up_for_nothing() {
        let hour = Duration::from_hours(1);
        let mut periodic = Periodic::new(hour, Moment(0));
        assert!(periodic.handle_deadline(Moment(0)));
        assert!(!periodic.handle_deadline(Moment(0).plus(hour / 2)));
        assert!(periodic.handle_deadline(Moment(0).plus(hour * 7)), "one for six that were missed");
        assert_eq!(periodic.next_deadline(), Moment(0).plus(hour * 8));
        assert_eq!(Periodic::new(Duration::ZERO, Moment(0)).period, PERIOD_MIN);
    }
}
