//! Questions of others.

use std::sync::Arc;

use entity_wire::payload::dht::{NodeId, Point, RecordKey, RequestId, StoreOutcome};
use entity_wire::time::Timestamp;

use super::{Dht, Phase};
use crate::checked::CheckedRecord;
use crate::distance::Distance;
use crate::node::Node;
use crate::rates::Allowance;
use crate::table::Standing;
use crate::vocabulary::{Answer, Output, Question};

impl Dht {
    /// Takes a question. Who asks too much is not answered.
    pub fn handle_question(
        &mut self,
        from: &Arc<Node>,
        request: RequestId,
        question: Question,
        now: Timestamp,
    ) {
        let allowance = self.allowance();
        let is_silent = self.phase == Phase::Left || from.id() == self.own.id();
        if is_silent || !self.rates.admit(from.id(), allowance, now) {
            return;
        }
        self.hear(from, now);
        let answer = match question {
            Question::Ping => Answer::Pong,
            Question::Find(target) => Answer::Found {
                nodes: self.nearest(target, from.id()),
                records: Vec::new(),
                more: false,
            },
            Question::Get(key, after) => {
                let (records, more) = self.slots.page(key, after.as_ref(), now);
                Answer::Found { nodes: self.nearest(key.into(), from.id()), records, more }
            }
            Question::Store(record) => Answer::Stored(self.take_record(&record, now)),
        };
        self.outputs.push_back(Output::Answer { to: Arc::clone(from), request, answer });
    }

    /// Whether a question of this node would be answered now: whose would not need not be checked.
    pub fn would_answer(&self, from: NodeId, now: Timestamp) -> bool {
        self.phase != Phase::Left && self.rates.has_room(from, self.allowance(), now)
    }

    pub(super) fn allowance(&self) -> Allowance {
        Allowance {
            burst: self.config.question_burst,
            per_second: self.config.questions_per_second,
            askers_max: self.config.askers_max,
        }
    }

    /// Takes that a node goes.
    pub fn handle_leave(&mut self, from: NodeId, now: Timestamp) {
        self.table.remove(from);
        self.save_soon(now);
    }

    fn nearest(&self, target: Point, asker: NodeId) -> Vec<Arc<Node>> {
        let mut nodes = self.table.closest(target, self.config.k + 1, Standing::Good);
        nodes.retain(|node| node.id() != asker);
        nodes.truncate(self.config.k);
        nodes
    }

    fn take_record(&mut self, record: &Arc<CheckedRecord>, now: Timestamp) -> StoreOutcome {
        if self.is_far(record.record().key()) {
            return StoreOutcome::Refused;
        }
        self.offer(record, now)
    }

    /// Whether so many others are nearer to a key that nobody would look for it here.
    fn is_far(&self, key: RecordKey) -> bool {
        let count = 2 * self.config.k;
        let nearest = self.table.closest(key.into(), count, Standing::Good);
        let own = Distance::between(self.own.id(), key);
        let farthest = nearest.last().map(|node| Distance::between(node.id(), key));
        nearest.len() == count && farthest.is_some_and(|farthest| farthest < own)
    }
}
