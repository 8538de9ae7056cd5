//! A schedule again and again, to see how often it fails.

use handfast_chaos::repeat::Repeat;
use handfast_chaos::{Outcome, Schedule};
use handfast_scenario::Recorded;
use tokio::task::JoinSet;

use super::lane::{Lane, Play};
use super::{Lanes, Subject};

/// What came of it.
#[derive(Debug)]
pub struct Again {
    /// How often it failed, and how otherwise.
    pub repeat: Repeat,
    /// The reason of the last failure.
    pub reason: Option<String>,
    /// The events of that try; of the last one, where none failed.
    pub events: Vec<Recorded>,
    /// Why the last try that could not be carried out could not be.
    pub unclear: Option<String>,
}

impl Lanes {
    /// Plays a scenario as it is, as often as `repeat` wants it; `told` hears after each try.
    pub async fn again(
        &mut self,
        subject: &Subject,
        repeat: Repeat,
        mut told: impl FnMut(&Repeat, &Outcome),
    ) -> Again {
        let mut again = Again { repeat, reason: None, events: Vec::new(), unclear: None };
        let mut running: JoinSet<(Lane, Play)> = JoinSet::new();
        let mut interrupt = self.interrupt.clone();
        loop {
            while !self.idle.is_empty() && again.repeat.poll_try() {
                let Some(mut lane) = self.idle.pop() else { break };
                let subject = subject.clone();
                running.spawn(async move {
                    let play = lane.play(&subject, &Schedule::default()).await;
                    (lane, play)
                });
            }
            let joined = tokio::select! {
                joined = running.join_next() => joined,
                () = interrupt.pulled() => break,
            };
            let Some(joined) = joined else { break };
            let Ok((lane, play)) = joined else { continue };
            self.idle.push(lane);
            again.take_in(play, &mut told);
        }
        self.lever_while(running).await;
        again
    }

    /// Ends what is still under way, in order.
    async fn lever_while(&mut self, mut running: JoinSet<(Lane, Play)>) {
        if running.is_empty() {
            return;
        }
        self.lever.pull();
        while let Some(joined) = running.join_next().await {
            self.idle.extend(joined.ok().map(|(lane, _)| lane));
        }
    }
}

impl Again {
    fn take_in(&mut self, play: Play, told: &mut impl FnMut(&Repeat, &Outcome)) {
        let outcome = play.played.outcome;
        self.repeat.handle_outcome(&outcome);
        match &outcome {
            Outcome::Failed { reason } => {
                self.reason = Some(reason.clone());
                self.events = play.events;
            }
            Outcome::Passed if self.reason.is_none() => self.events = play.events,
            Outcome::Passed => {}
            Outcome::Unclear { reason } => self.unclear = Some(reason.clone()),
        }
        told(&self.repeat, &outcome);
    }
}
