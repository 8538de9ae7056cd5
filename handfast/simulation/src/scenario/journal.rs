//! Everything that a run says, as a run on processes would say it: the oracles see no difference.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_scenario::name::RoleName;
use handfast_scenario::plan::UnitId;
use handfast_scenario::{Recorded, RunEvent};
use serde_json::Value;

/// The history of a run, as far as it goes.
#[derive(Debug)]
pub(super) struct Journal {
    unit: UnitId,
    events: Vec<Recorded>,
    /// Notifications of each role since its last start: the number of the event, and whether a step has claimed it.
    notices: BTreeMap<RoleName, Vec<(usize, bool)>>,
    /// Things that peers told or exchanged: what a look may show differently since.
    stirs: u64,
}

impl Journal {
    pub(super) fn new(unit: UnitId) -> Self {
        Self { unit, events: Vec::new(), notices: BTreeMap::new(), stirs: 0 }
    }

    pub(super) fn unit(&self) -> UnitId {
        self.unit.clone()
    }

    pub(super) fn events(&self) -> &[Recorded] {
        &self.events
    }

    pub(super) fn into_events(self) -> Vec<Recorded> {
        self.events
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// How much peers have told and exchanged.
    pub(super) fn stirs(&self) -> u64 {
        self.stirs
    }

    pub(super) fn say(&mut self, now: Duration, event: RunEvent) {
        if let RunEvent::PeerEvent { role, .. } = &event {
            self.notices.entry(role.clone()).or_default().push((self.events.len(), false));
        }
        let is_a_peers = matches!(
            event,
            RunEvent::PeerEvent { .. }
                | RunEvent::WireMessage { .. }
                | RunEvent::PeerStarted { .. }
        );
        self.stirs += u64::from(is_a_peers);
        let at_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.events.push(Recorded { at_us, event });
    }

    /// Forgets a peer's notifications, because it is about to be started.
    pub(super) fn forget_notices(&mut self, role: &RoleName) {
        self.notices.remove(role);
    }

    /// Claims the first notification of `role` that `fits` and that nobody claimed.
    pub(super) fn claim(
        &mut self,
        role: &RoleName,
        fits: impl Fn(&str, &Value) -> bool,
    ) -> Option<Value> {
        for (at, claimed) in self.notices.get_mut(role)?.iter_mut().filter(|(_, claimed)| !claimed)
        {
            let event = self.events.get(*at).map(|recorded| &recorded.event);
            let Some(RunEvent::PeerEvent { event, params, .. }) = event else { continue };
            if fits(event.as_str(), params) {
                *claimed = true;
                return Some(params.clone());
            }
        }
        None
    }

    /// The first notification of `role` from event number `from` on that `fits`; where `unclaimed`, of those that no step claimed.
    pub(super) fn said_since(
        &self,
        role: &RoleName,
        from: usize,
        unclaimed: bool,
        fits: impl Fn(&str, &Value) -> bool,
    ) -> Option<&Value> {
        let is_claimed = |at: usize| {
            let mut notices = self.notices.get(role).into_iter().flatten();
            notices.any(|(notice, claimed)| *notice == at && *claimed)
        };
        let later = self.events.iter().enumerate().skip(from);
        later.filter(|(at, _)| !(unclaimed && is_claimed(*at))).find_map(|(_, recorded)| {
            let RunEvent::PeerEvent { role: by, event, params, .. } = &recorded.event else {
                return None;
            };
            (by == role && fits(event.as_str(), params)).then_some(params)
        })
    }
}
