//! Which of the messages that were sent are answered. Messages are counted from 1 in the order they were written.

use std::collections::VecDeque;

use entity_wire::socket::Notice;
use tokio::time::Instant;

use super::connection::Sink;
use super::message::Outcome;
use crate::http::Answer;

/// The other side answered something that was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer to a message that was never sent")]
pub(super) struct NeverSent;

/// One message that was written and is not answered.
#[derive(Debug)]
struct Open {
    len_bytes: usize,
    deadline: Instant,
    /// Who waits; nobody once its time ran out or it was refused.
    sink: Option<Sink>,
}

/// The messages written, from the first without an answer.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    answered: u64,
    open: VecDeque<Open>,
}

/// What is free again after an answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Freed {
    pub(super) count: usize,
    pub(super) len_bytes: usize,
}

impl Accounts {
    /// Notes that a message was written.
    pub(super) fn sent(&mut self, len_bytes: usize, deadline: Instant, sink: Sink) {
        self.open.push_back(Open { len_bytes, deadline, sink: Some(sink) });
    }

    /// Takes an answer of the other side; who waited gets its outcome through `tell`.
    ///
    /// # Errors
    ///
    /// [`NeverSent`]: the other side has counted something else.
    pub(super) fn answer(
        &mut self,
        notice: Notice<'_>,
        mut tell: impl FnMut(Sink, Outcome),
    ) -> Result<Freed, NeverSent> {
        let mut freed = Freed::default();
        match notice {
            Notice::Accepted { count } => {
                let new = count.saturating_sub(self.answered);
                let new = usize::try_from(new).map_err(|_| NeverSent)?;
                if new > self.open.len() {
                    return Err(NeverSent);
                }
                for open in self.open.drain(..new) {
                    freed.count += 1;
                    freed.len_bytes += open.len_bytes;
                    if let Some(sink) = open.sink {
                        tell(sink, Outcome::Answered(Answer::new(200, "")));
                    }
                }
                self.answered = self.answered.max(count);
            }
            Notice::Refused { index, status, body } => {
                let Some(place) = index.checked_sub(self.answered + 1) else { return Ok(freed) };
                let place = usize::try_from(place).map_err(|_| NeverSent)?;
                let open = self.open.get_mut(place).ok_or(NeverSent)?;
                if let Some(sink) = open.sink.take() {
                    tell(sink, Outcome::Answered(Answer::new(status, body.to_owned())));
                }
                // A refusal at the front is not followed by an acceptance before the next message.
                while let Some(open) = self.open.pop_front_if(|open| open.sink.is_none()) {
                    self.answered += 1;
                    freed.count += 1;
                    freed.len_bytes += open.len_bytes;
                }
            }
        }
        Ok(freed)
    }

    /// Gives up on messages whose time has run out at `now`; says whether there was one.
    pub(super) fn expire(&mut self, now: Instant, mut tell: impl FnMut(Sink, Outcome)) -> bool {
        let mut expired = false;
        for open in self.open.iter_mut().filter(|open| open.deadline <= now) {
            if let Some(sink) = open.sink.take() {
                expired = true;
                tell(sink, Outcome::TimedOut);
            }
        }
        expired
    }

    /// When the next message runs into its time.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().filter(|open| open.sink.is_some()).map(|open| open.deadline).min()
    }

    /// Takes everybody who still waits.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Sink> {
        self.open.drain(..).filter_map(|open| open.sink)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn accounts(count: u64) -> Accounts {
        let mut accounts = Accounts::default();
        for ticket in 1..=count {
            let deadline = Instant::now() + Duration::from_secs(ticket);
            accounts.sent(10, deadline, Sink::Ticket(ticket));
        }
        accounts
    }

    /// What `notice` tells whom, and how many places are free again.
    fn answer(
        accounts: &mut Accounts,
        notice: Notice<'_>,
    ) -> Result<(Vec<(u64, u16)>, usize), NeverSent> {
        let mut told = Vec::new();
        let freed = accounts.answer(notice, |sink, outcome| match (sink, outcome) {
            (Sink::Ticket(ticket), Outcome::Answered(answer)) => told.push((ticket, answer.status)),
            (sink, outcome) => unreachable!("{sink:?} {outcome:?}"),
        })?;
        assert_eq!(freed.len_bytes, freed.count * 10);
        Ok((told, freed.count))
    }

    #[test]
    fn an_acceptance_answers_everything_before_it() {
        let mut accounts = accounts(4);
        let accepted = |count| Notice::Accepted { count };
        assert_eq!(answer(&mut accounts, accepted(3)).unwrap().0, [(1, 200), (2, 200), (3, 200)]);
        assert_eq!(
            answer(&mut accounts, accepted(2)).unwrap(),
            (vec![], 0),
            "an old one is harmless"
        );
        assert_eq!(answer(&mut accounts, accepted(5)), Err(NeverSent));
        assert_eq!(answer(&mut accounts, accepted(u64::MAX)), Err(NeverSent));
        assert_eq!(answer(&mut accounts, accepted(4)).unwrap(), (vec![(4, 200)], 1));
    }

    #[test]
    fn a_refusal_answers_one_alone() {
        let mut accounts = accounts(4);
        let refused = |index| Notice::Refused { index, status: 409, body: "{}" };
        assert_eq!(answer(&mut accounts, refused(2)).unwrap(), (vec![(2, 409)], 0));
        assert_eq!(answer(&mut accounts, refused(2)).unwrap(), (vec![], 0), "only once");
        assert_eq!(answer(&mut accounts, refused(5)), Err(NeverSent));
        assert_eq!(answer(&mut accounts, refused(1)).unwrap(), (vec![(1, 409)], 2));
        let (told, freed) = answer(&mut accounts, Notice::Accepted { count: 4 }).unwrap();
        assert_eq!((told, freed), (vec![(3, 200), (4, 200)], 2));
    }

    #[test]
    fn a_message_whose_time_ran_out_keeps_its_number() {
        let mut accounts = accounts(3);
        let mut expired = Vec::new();
        let at = accounts.next_deadline().unwrap();
        assert!(accounts.expire(at, |sink, outcome| expired.push((sink, outcome))));
        assert!(matches!(expired.as_slice(), [(Sink::Ticket(1), Outcome::TimedOut)]));
        assert!(!accounts.expire(at, |_, _| unreachable!("it was told already")));
        let (told, freed) = answer(&mut accounts, Notice::Accepted { count: 2 }).unwrap();
        assert_eq!((told, freed), (vec![(2, 200)], 2));
        let left: Vec<_> = accounts.take_all().collect();
        assert!(matches!(left.as_slice(), [Sink::Ticket(3)]));
    }
}
