//! Which of the messages that were received may be answered: in the order of their arrival, once what they rest on is kept.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use entity_wire::code::ErrorCode;
use entity_wire::reply::Reply;
use entity_wire::socket::Notice;

use super::message::{Answers, Passage, Settled, Verdict};
use crate::http::Answer;

/// The batches that were handed over and are not answered.
#[derive(Default)]
pub(super) struct Settling {
    batches: VecDeque<Batch>,
    received: u64,
}

struct Batch {
    first: u64,
    verdicts: Vec<Verdict>,
    rests_on: Option<Passage>,
}

impl Settling {
    /// How many batches wait.
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Takes the answers to the next `count` messages.
    pub(super) fn push(&mut self, count: usize, answers: Answers) {
        let Answers { mut verdicts, rests_on } = answers;
        verdicts.truncate(count);
        verdicts.resize_with(count, || Verdict::Refused(unavailable()));
        let first = self.received + 1;
        self.received += u64::try_from(count).unwrap_or(u64::MAX);
        self.batches.push_back(Batch { first, verdicts, rests_on });
    }

    /// Gives the notices that may be told now, as they go on the wire.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut tell: impl FnMut(Vec<u8>)) {
        let mut accepted = None;
        while let Some(batch) = self.batches.front_mut() {
            let Poll::Ready(()) = batch.poll(cx) else { break };
            let Some(batch) = self.batches.pop_front() else { break };
            for (index, verdict) in (batch.first..).zip(batch.verdicts) {
                match verdict {
                    Verdict::Refused(Answer { status: 200, .. }) | Verdict::Accepted => {
                        accepted = Some(index);
                    }
                    Verdict::Refused(answer) => {
                        let body = std::str::from_utf8(&answer.body).unwrap_or_default();
                        tell(Notice::Refused { index, status: answer.status, body }.encode());
                    }
                    // `Batch::poll` has waited for it.
                    Verdict::Later(_) => {}
                }
            }
        }
        if let Some(count) = accepted {
            tell(Notice::Accepted { count }.encode());
        }
    }
}

impl Batch {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(passage) = &mut self.rests_on {
            match passage.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Settled::Kept) => {}
                Poll::Ready(Settled::Lost) => {
                    self.verdicts.fill_with(|| Verdict::Refused(unavailable()));
                }
            }
            self.rests_on = None;
        }
        for verdict in &mut self.verdicts {
            if let Verdict::Later(answer) = verdict {
                match answer.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(answer) => *verdict = Verdict::Refused(answer),
                }
            }
        }
        Poll::Ready(())
    }
}

fn unavailable() -> Answer {
    Reply::error(ErrorCode::ServiceUnavailable).into()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    async fn told(settling: &mut Settling) -> Vec<Vec<u8>> {
        let mut told = Vec::new();
        std::future::poll_fn(|cx| {
            settling.poll(cx, |notice| told.push(notice));
            Poll::Ready(())
        })
        .await;
        told
    }

    fn accepted(count: u64) -> Vec<u8> {
        Notice::Accepted { count }.encode()
    }

    fn all_accepted(count: usize) -> Vec<Verdict> {
        std::iter::repeat_with(|| Verdict::Accepted).take(count).collect()
    }

    #[tokio::test]
    async fn one_acceptance_covers_all_batches_that_are_settled() {
        let mut settling = Settling::default();
        for count in [3, 2] {
            settling.push(count, Answers { verdicts: all_accepted(count), rests_on: None });
        }
        assert_eq!(told(&mut settling).await, [accepted(5)]);
        assert!(told(&mut settling).await.is_empty());
    }

    #[tokio::test]
    async fn nothing_is_told_before_what_it_rests_on_is_kept() {
        let (keep, kept) = oneshot::channel::<()>();
        let rests_on: Passage =
            Box::pin(async move { if kept.await.is_ok() { Settled::Kept } else { Settled::Lost } });
        let mut settling = Settling::default();
        settling.push(1, Answers { verdicts: all_accepted(1), rests_on: Some(rests_on) });
        settling.push(1, Answers { verdicts: all_accepted(1), rests_on: None });
        assert!(told(&mut settling).await.is_empty(), "not even the later one");
        keep.send(()).unwrap();
        assert_eq!(told(&mut settling).await, [accepted(2)]);
    }

    #[tokio::test]
    async fn what_may_be_forgotten_is_refused() {
        let mut settling = Settling::default();
        let rests_on: Passage = Box::pin(ready(Settled::Lost));
        settling.push(2, Answers { verdicts: all_accepted(2), rests_on: Some(rests_on) });
        let told = told(&mut settling).await;
        let statuses = told.iter().map(|notice| match Notice::decode(notice) {
            Ok(Notice::Refused { index, status, .. }) => (index, status),
            other => unreachable!("{other:?}"),
        });
        assert_eq!(statuses.collect::<Vec<_>>(), [(1, 503), (2, 503)]);
    }

    #[tokio::test]
    async fn an_answer_that_comes_later_holds_up_those_after_it() {
        let mut settling = Settling::default();
        let later = Verdict::Later(Box::pin(ready(Answer::new(404, "{}"))));
        settling.push(2, Answers { verdicts: vec![later, Verdict::Accepted], rests_on: None });
        let never = Verdict::Later(Box::pin(pending()));
        settling.push(2, Answers { verdicts: vec![Verdict::Accepted, never], rests_on: None });
        let refused = Notice::Refused { index: 1, status: 404, body: "{}" }.encode();
        assert_eq!(told(&mut settling).await, [refused, accepted(2)]);
        assert_eq!(settling.len(), 1);
    }

    #[tokio::test]
    async fn a_message_without_a_verdict_is_not_accepted() {
        let mut settling = Settling::default();
        settling.push(1, Answers::default());
        let told = told(&mut settling).await;
        let notice = Notice::decode(&told[0]);
        assert!(matches!(notice, Ok(Notice::Refused { index: 1, status: 503, .. })), "{notice:?}");
    }
}
