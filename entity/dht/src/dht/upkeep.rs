//! What a node does by itself: joining, refreshing, sending on, keeping.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entity_wire::payload::dht::NodeId;
use entity_wire::time::Timestamp;

use super::searching::Purpose;
use super::{Dht, Phase};
use crate::distance::{Distance, point_beside};
use crate::kept::Kept;
use crate::node::Node;
use crate::slots::Due;
use crate::table::Standing;
use crate::vocabulary::Event;

impl Dht {
    /// When something is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.phase == Phase::Left {
            return None;
        }
        let asked = self.deadlines.first().map(|(at, _)| *at);
        let leaving = match &self.phase {
            Phase::Leaving { by, .. } => Some(*by),
            Phase::Here | Phase::Left => None,
        };
        let upkeep = self.has_time().then(|| {
            let (_, since) = self.table.longest_not_looked_up();
            let refresh = Some(since.plus(self.config.refresh_after));
            let waiting = (!self.refreshes.is_empty()).then_some(Timestamp::MIN);
            [refresh, waiting, self.slots.next_due(), self.rejoin_at].into_iter().flatten().min()
        });
        [asked, leaving, upkeep.flatten(), self.save_at].into_iter().flatten().min()
    }

    /// Does what is due. Calling early is harmless.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        if self.phase == Phase::Left {
            return;
        }
        self.handle_question_deadlines(now);
        if matches!(&self.phase, Phase::Leaving { by, .. } if *by <= now) {
            self.end_leaving();
            return;
        }
        self.go_on_with_upkeep(now);
        if self.save_at.is_some_and(|at| at <= now) {
            self.save();
        }
    }

    /// Whether one more lookup for upkeep may be begun.
    fn has_time(&self) -> bool {
        let upkeep = self.searches.values().filter(|running| running.purpose.is_upkeep()).count();
        self.phase == Phase::Here
            && upkeep < self.config.upkeep_lookups_max
            && self.searches.len() < self.config.lookups_max
    }

    /// Begins what is due and there is time for.
    pub(super) fn go_on_with_upkeep(&mut self, now: Timestamp) {
        if self.rejoin_at.is_some_and(|at| at <= now) && self.has_time() {
            self.start_join(now);
        }
        while self.has_time() {
            let again = self.send_on_at(now).since(now);
            match self.slots.take_due(now, again) {
                Some(Due::SendOn(record)) => {
                    let target = record.record().key().into();
                    self.start(target, Purpose::SendOn(record), now);
                }
                Some(Due::Over) => {}
                None => break,
            }
        }
        while self.has_time() {
            let point = self.refreshes.pop_front().or_else(|| {
                let (index, since) = self.table.longest_not_looked_up();
                let is_due = since.plus(self.config.refresh_after) <= now;
                is_due.then(|| point_beside(self.own.id(), index, self.entropy.bytes()))
            });
            let Some(point) = point else { break };
            self.start(point, Purpose::Refresh, now);
        }
    }

    /// When a record that has just come in is sent on, should it not come in again: whoever is first spares the others.
    pub(super) fn send_on_at(&mut self, now: Timestamp) -> Timestamp {
        let after = self.config.republish_after;
        let half = u64::try_from(after.as_micros() / 2).unwrap_or(u64::MAX);
        let random = u64::from_be_bytes(self.entropy.bytes());
        let product = u128::from(random) * u128::from(half);
        now.plus(after).plus(Duration::from_micros(u64::try_from(product >> 64).unwrap_or(0)))
    }

    pub(super) fn start_join(&mut self, now: Timestamp) {
        self.rejoin_at = None;
        let is_join = |running: &super::Running| matches!(running.purpose, Purpose::Join);
        // One is enough, however often it is asked for.
        if !self.searches.values().any(is_join) {
            self.start(self.own.id().into(), Purpose::Join, now);
        }
    }

    pub(super) fn end_join(&mut self, nodes: &[Arc<Node>], now: Timestamp) {
        let Some(nearest) = nodes.first() else {
            self.rejoin_at = Some(now.plus(self.config.rejoin_after));
            self.event(Event::Alone);
            return;
        };
        let own = self.own.id();
        let common = Distance::between(own, nearest.id()).common_bits();
        let count = self.table.buckets().len();
        self.refreshes.clear();
        for index in 0..common.min(count) {
            let point = point_beside(own, index, self.entropy.bytes());
            self.refreshes.push_back(point);
        }
        self.event(Event::Joined { contacts: self.table.len() });
    }

    /// Has the contacts kept as they are, before an orderly end.
    pub fn handle_shutdown(&mut self) {
        self.save();
    }

    /// Keeps the contacts that answer, and drops those that are gone.
    pub(super) fn save(&mut self) {
        self.save_at = None;
        if !self.config.keeps {
            return;
        }
        let contacts = self.table.contacts().map(|(node, at, _)| (node.id(), (node, at)));
        let contacts: BTreeMap<NodeId, (&Arc<Node>, Timestamp)> = contacts.collect();
        for gone in self.saved.iter().filter(|id| !contacts.contains_key(id)) {
            self.writes.push(Kept::delete_contact(*gone));
        }
        for (node, heard_at) in contacts.values() {
            self.writes.push(Kept::write_contact(node, *heard_at));
        }
        self.saved = contacts.into_keys().collect();
    }

    /// The contacts to hand a record to.
    pub(super) fn nearest_to(&self, point: entity_wire::payload::dht::Point) -> Vec<Arc<Node>> {
        self.table.closest(point, self.config.k, Standing::Any)
    }
}
