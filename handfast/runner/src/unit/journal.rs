//! Everything a unit says and sees, in one order.
//!
//! The executor's own events and what the lab saw come from different places. Before either is
//! written down, what the lab has seen so far is taken over, so that cause stands before effect.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use handfast_lab::{Fact, Peer, Reader};
use handfast_scenario::event::{Outcome, StepId};
use handfast_scenario::name::RoleName;
use handfast_scenario::plan::UnitId;
use handfast_scenario::{Recorded, RunEvent};
use serde_json::Value;
use tokio::sync::Notify;

use crate::sink::Mouth;
use crate::unit::disturb::{Excuse, Heard};
use crate::unit::observe;

/// The history of a unit, as far as it goes. Clones are the same journal.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    unit: UnitId,
    mouth: Mouth,
    pages: Mutex<Pages>,
    grown: Notify,
}

#[derive(Debug)]
struct Pages {
    reader: Reader,
    events: Vec<Recorded>,
    notices: BTreeMap<RoleName, Vec<Notice>>,
    doing: BTreeMap<StepId, String>,
    calls: u64,
    breakdown: Option<String>,
    /// Ends of peers that are no breakdown, by the disturbance that leads to them.
    excuses: BTreeMap<usize, (RoleName, Excuse)>,
}

/// A notification of a peer since its last start.
#[derive(Debug)]
struct Notice {
    at: usize,
    claimed: bool,
}

impl Journal {
    pub(super) fn new(unit: UnitId, mouth: Mouth, reader: Reader) -> Self {
        let pages = Pages {
            reader,
            events: Vec::new(),
            notices: BTreeMap::new(),
            doing: BTreeMap::new(),
            calls: 0,
            breakdown: None,
            excuses: BTreeMap::new(),
        };
        let shared = Shared { unit, mouth, pages: Mutex::new(pages), grown: Notify::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Takes over what the lab sees, until the unit is closed.
    pub(super) async fn follow(self) {
        let mut reader = self.pages().reader.clone();
        while reader.next().await.is_some() {
            self.sync();
        }
    }

    /// Takes over what the lab has seen so far.
    pub(super) fn sync(&self) {
        let grew = self.shared.take_over(&mut self.pages());
        if grew {
            self.shared.grown.notify_waiters();
        }
    }

    /// Says that something happened now, after all that the lab has seen.
    pub(super) fn say(&self, event: RunEvent) {
        let mut pages = self.pages();
        let grew = self.shared.take_over(&mut pages);
        let at_us = self.shared.mouth.clock().now_us();
        pages.note_step(&event);
        self.shared.write(&mut pages, Recorded { at_us, event });
        drop(pages);
        if grew {
            self.shared.grown.notify_waiters();
        }
    }

    pub(super) fn say_check(&self, check: &str, outcome: Outcome) {
        self.say(RunEvent::CheckEnded {
            unit: self.unit().clone(),
            check: check.to_owned(),
            outcome,
        });
    }

    /// Says the ends of the peers' logs, which the lab keeps back while they run.
    pub(super) fn say_log_ends(&self, peers: &BTreeMap<RoleName, Arc<Peer>>) {
        for (role, peer) in peers {
            let log = peer.log();
            let line = |line: String, truncated| {
                let (unit, role) = (self.unit().clone(), role.clone());
                self.say(RunEvent::PeerLog { unit, role, line, truncated });
            };
            if log.dropped_lines > 0 {
                line(format!("(handfast) {} lines are left out here", log.dropped_lines), false);
            }
            for end in log.tail {
                line(end.text, end.truncated);
            }
        }
    }

    /// The number of the next call.
    pub(super) fn next_call(&self) -> u64 {
        let mut pages = self.pages();
        pages.calls += 1;
        pages.calls
    }

    /// Forgets a peer's notifications, because it is about to be started.
    pub(super) fn forget_notices(&self, role: &RoleName) {
        self.sync();
        self.pages().notices.remove(role);
    }

    /// Claims the first notification of `role` that `fits` and that nobody claimed, waiting for it.
    ///
    /// `fits` is given the name and the parameters.
    pub(super) async fn claim(
        &self,
        role: &RoleName,
        fits: impl Fn(&str, &Value) -> bool,
    ) -> Value {
        self.wait_for(|pages| pages.claim(role, &fits)).await
    }

    /// The first notification of `role` after the event number `from` that `fits`.
    pub(super) fn notice_since(
        &self,
        role: &RoleName,
        from: usize,
        fits: impl Fn(&str, &Value) -> bool,
    ) -> Option<Value> {
        self.sync();
        self.pages().said_since(role, from, fits).next().map(|(_, params)| params.clone())
    }

    /// As [`Journal::notice_since`], of those that nobody has claimed.
    pub(super) fn unclaimed_since(
        &self,
        role: &RoleName,
        from: usize,
        fits: impl Fn(&str, &Value) -> bool,
    ) -> Option<Value> {
        self.sync();
        let pages = self.pages();
        let mut said = pages.said_since(role, from, fits);
        said.find(|(at, _)| !pages.is_claimed(role, *at)).map(|(_, params)| params.clone())
    }

    /// Waits for a notification of `role` after the event number `from` that `fits`, without claiming it.
    pub(super) async fn notice_after(
        &self,
        role: &RoleName,
        from: usize,
        fits: impl Fn(&str, &Value) -> bool,
    ) {
        self.wait_for(|pages| {
            let found = pages.said_since(role, from, &fits).next().is_some();
            found.then_some(())
        })
        .await;
    }

    /// Waits until `look` finds something in the events.
    pub(super) async fn wait_for_event<T>(
        &self,
        mut look: impl FnMut(&[Recorded]) -> Option<T>,
    ) -> T {
        self.wait_for(|pages| look(&pages.events)).await
    }

    /// What of the events after the event number `from` may begin a disturbance, and the number of the next.
    pub(super) fn heard_since(&self, from: usize) -> (Vec<Heard>, usize) {
        self.sync();
        let pages = self.pages();
        let new = pages.events.get(from..).unwrap_or_default();
        let heard = new.iter().filter_map(|recorded| Heard::of(&recorded.event));
        (heard.collect(), pages.events.len().max(from))
    }

    /// Waits for events after the event number `from`.
    pub(super) async fn more_than(&self, from: usize) {
        self.wait_for(|pages| (pages.events.len() > from).then_some(())).await;
    }

    /// From now on a peer of `role` may end in this way: the disturbance `id` leads to it.
    pub(super) fn excuse(&self, id: usize, role: &RoleName, excuse: Excuse) {
        self.pages().excuses.insert(id, (role.clone(), excuse));
    }

    /// What a disturbance excuses.
    pub(super) fn excuse_of(&self, id: usize) -> Option<Excuse> {
        self.pages().excuses.get(&id).map(|(_, excuse)| *excuse)
    }

    /// Ends that.
    pub(super) fn no_excuse(&self, id: usize) {
        // What has ended so far ended under it.
        self.sync();
        self.pages().excuses.remove(&id);
    }

    /// Waits until anything more is seen.
    pub(super) async fn grown(&self) {
        self.shared.grown.notified().await;
    }

    /// Waits until the scenario cannot go on, and says why.
    pub(super) async fn broken_down(&self) -> String {
        self.wait_for(|pages| pages.breakdown.clone()).await
    }

    /// Why the scenario cannot go on.
    pub(super) fn breakdown(&self) -> Option<String> {
        self.sync();
        self.pages().breakdown.clone()
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.sync();
        self.pages().events.len()
    }

    /// All events so far.
    pub(super) fn events(&self) -> Vec<Recorded> {
        self.sync();
        self.pages().events.clone()
    }

    /// The steps under way, for a person.
    pub(super) fn doing(&self) -> String {
        let pages = self.pages();
        // The innermost step has the longest number.
        match pages.doing.iter().next_back() {
            Some((step, text)) => format!("step {}: {text}", step.0),
            None => "starting or introducing the peers".to_owned(),
        }
    }

    pub(super) fn unit(&self) -> &UnitId {
        &self.shared.unit
    }

    async fn wait_for<T>(&self, mut look: impl FnMut(&mut Pages) -> Option<T>) -> T {
        loop {
            let grown = self.shared.grown.notified();
            tokio::pin!(grown);
            // Enabled before looking, so that nothing that comes in between is slept through.
            grown.as_mut().enable();
            self.sync();
            if let Some(found) = look(&mut self.pages()) {
                return found;
            }
            grown.await;
        }
    }

    /// A panic elsewhere leaves the pages whole: every change to them is one push.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.shared.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn take_over(&self, pages: &mut Pages) -> bool {
        let mut grew = false;
        while let Some(observation) = pages.reader.try_next() {
            grew = true;
            if pages.breakdown.is_none() && !pages.is_excused(&observation.fact) {
                pages.breakdown = observe::breakdown(&observation.fact);
            }
            if let Some(event) = observe::event(&self.unit, &observation.fact) {
                self.write(pages, Recorded { at_us: observation.at_us, event });
            }
        }
        grew
    }

    fn write(&self, pages: &mut Pages, recorded: Recorded) {
        if let RunEvent::PeerEvent { role, .. } = &recorded.event {
            let notice = Notice { at: pages.events.len(), claimed: false };
            pages.notices.entry(role.clone()).or_default().push(notice);
        }
        pages.events.push(recorded.clone());
        self.mouth.repeat(recorded);
    }
}

impl Pages {
    /// Whether a fact is an end to which a disturbance leads.
    fn is_excused(&self, fact: &Fact) -> bool {
        let Fact::Exited { role, exit, .. } = fact else { return false };
        self.excuses.values().any(|(of, excuse)| of.as_str() == role && excuse.fits(*exit))
    }

    /// What `role` said after the event number `from` that `fits`, with the number of its event.
    fn said_since<'a>(
        &'a self,
        role: &'a RoleName,
        from: usize,
        fits: impl Fn(&str, &Value) -> bool + 'a,
    ) -> impl Iterator<Item = (usize, &'a Value)> {
        let later = self.events.iter().enumerate().skip(from);
        later.filter_map(move |(at, recorded)| {
            let RunEvent::PeerEvent { role: by, event, params, .. } = &recorded.event else {
                return None;
            };
            (by == role && fits(event.as_str(), params)).then_some((at, params))
        })
    }

    fn is_claimed(&self, role: &RoleName, at: usize) -> bool {
        let mut notices = self.notices.get(role).into_iter().flatten();
        notices.any(|notice| notice.at == at && notice.claimed)
    }

    fn note_step(&mut self, event: &RunEvent) {
        if let RunEvent::StepStarted { step, text, .. } = event {
            self.doing.insert(step.clone(), text.clone());
        }
        if let RunEvent::StepEnded { step, .. } = event {
            self.doing.remove(step);
        }
    }

    fn claim(&mut self, role: &RoleName, fits: &impl Fn(&str, &Value) -> bool) -> Option<Value> {
        for notice in self.notices.get_mut(role)?.iter_mut().filter(|notice| !notice.claimed) {
            let event = self.events.get(notice.at).map(|recorded| &recorded.event);
            let Some(RunEvent::PeerEvent { event, params, .. }) = event else { continue };
            if fits(event.as_str(), params) {
                notice.claimed = true;
                return Some(params.clone());
            }
        }
        None
    }
}
