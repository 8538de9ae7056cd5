//! Questions of this node: asking, waiting, giving up.

use std::sync::Arc;
use std::time::Duration;

use entity_wire::payload::dht::{NodeId, RequestId, StoreOutcome};
use entity_wire::time::Timestamp;

use super::{Dht, Phase};
use crate::checked::CheckedRecord;
use crate::node::Node;
use crate::table::Failed;
use crate::vocabulary::{Answer, Event, OperationId, Output, Question};

/// A question that was asked and not answered.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) to: Arc<Node>,
    about: About,
    /// Asked once more when the answer is late: one message may be lost.
    question: Question,
    deadline: Timestamp,
    /// Whether it was asked again, and the lookup goes on beside it.
    is_late: bool,
}

#[derive(Debug, Clone)]
enum About {
    Ping,
    Search(u64),
    Store(Option<OperationId>),
}

/// A record that is to be stored.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) to: Arc<Node>,
    pub(super) record: Arc<CheckedRecord>,
    /// For whom.
    pub(super) operation: Option<OperationId>,
}

impl Dht {
    /// Takes the answer of a node. One that nobody asked for, or of another kind than the question, is ignored.
    pub fn handle_answer(
        &mut self,
        from: NodeId,
        request: RequestId,
        answer: Answer,
        now: Timestamp,
    ) {
        let Some(asked) = self.asked.get(&request).filter(|asked| asked.to.id() == from) else {
            return;
        };
        let fits = match (&asked.about, &answer) {
            (About::Ping, Answer::Pong)
            | (About::Search(_), Answer::Found { .. })
            | (About::Store(_), Answer::Stored(_)) => true,
            (About::Ping | About::Search(_) | About::Store(_), _) => false,
        };
        if !fits || self.phase == Phase::Left {
            return;
        }
        let Some(asked) = self.end_question(request) else { return };
        self.hear(&asked.to, now);
        match (asked.about, answer) {
            (About::Search(search), Answer::Found { nodes, records, more }) => {
                self.handle_found(search, &asked.to, (nodes, records, more), now);
            }
            (About::Store(operation), Answer::Stored(outcome)) => {
                self.handle_stored(operation, outcome == StoreOutcome::Stored, now);
            }
            (About::Ping | About::Search(_) | About::Store(_), _) => {}
        }
    }

    /// Whether a node owes the answer to this question. What nobody asked for need not be checked.
    pub fn expects(&self, from: NodeId, request: RequestId) -> bool {
        self.asked.get(&request).is_some_and(|asked| asked.to.id() == from)
    }

    /// Who was asked this question and has not answered.
    pub fn whom(&self, request: RequestId) -> Option<NodeId> {
        self.asked.get(&request).map(|asked| asked.to.id())
    }

    /// Takes that a question could not be asked, or that its node cannot be reached.
    pub fn handle_unreachable(&mut self, to: NodeId, request: RequestId, now: Timestamp) {
        if self.asked.get(&request).is_some_and(|asked| asked.to.id() == to) {
            self.give_up(request, now);
        }
    }

    /// Takes that a node has shown a record that is not its owner's: it is dropped, and what it was asked has failed.
    pub fn handle_forged(&mut self, from: NodeId, now: Timestamp) {
        self.event(Event::Misbehaved { node: from });
        // It has cost a check: so many of these and no more.
        let _is_within = self.rates.admit(from, self.allowance(), now);
        let open = self.asked.iter().filter(|(_, asked)| asked.to.id() == from);
        let open: Vec<RequestId> = open.map(|(request, _)| *request).collect();
        for request in open {
            self.give_up(request, now);
        }
        self.table.remove(from);
        self.save_soon(now);
    }

    pub(super) fn ping(&mut self, to: Arc<Node>, now: Timestamp) {
        self.ask(to, Question::Ping, About::Ping, now);
    }

    pub(super) fn ask_for(
        &mut self,
        search: u64,
        to: Arc<Node>,
        question: Question,
        now: Timestamp,
    ) {
        self.ask(to, question, About::Search(search), now);
    }

    /// Takes a record that is to be stored, or says that there is no room for it.
    pub(super) fn enqueue(&mut self, store: Store) -> bool {
        let has_room = self.stores.len() + self.stores_in_flight < self.config.stores_max;
        if has_room {
            self.stores.push_back(store);
        }
        has_room
    }

    pub(super) fn send_stores(&mut self, now: Timestamp) {
        while self.stores_in_flight < self.config.stores_in_flight_max.max(1) {
            let Some(store) = self.stores.pop_front() else { return };
            self.stores_in_flight += 1;
            self.ask(store.to, Question::Store(store.record), About::Store(store.operation), now);
        }
    }

    fn ask(&mut self, to: Arc<Node>, question: Question, about: About, now: Timestamp) {
        let request = self.next_request();
        let deadline = now.plus(self.config.late_after.min(self.config.answer_limit));
        self.deadlines.insert((deadline, request));
        let asked = Asked {
            to: Arc::clone(&to),
            about,
            question: question.clone(),
            deadline,
            is_late: false,
        };
        self.asked.insert(request, asked);
        self.outputs.push_back(Output::Ask { to, request, question });
    }

    fn next_request(&mut self) -> RequestId {
        loop {
            self.next_request = self.next_request % RequestId::MAX.get() + 1;
            if let Some(request) = RequestId::new(self.next_request)
                && !self.asked.contains_key(&request)
            {
                return request;
            }
        }
    }

    pub(super) fn handle_question_deadlines(&mut self, now: Timestamp) {
        while let Some((deadline, request)) = self.deadlines.first().copied()
            && deadline <= now
        {
            let limit = self.config.answer_limit.saturating_sub(self.config.late_after);
            match self.asked.get_mut(&request) {
                Some(asked) if !asked.is_late && !limit.is_zero() => {
                    asked.is_late = true;
                    asked.deadline = deadline.plus(limit);
                    let (about, to) = (asked.about.clone(), Arc::clone(&asked.to));
                    let (id, question) = (to.id(), asked.question.clone());
                    self.deadlines.remove(&(deadline, request));
                    self.deadlines.insert((deadline.plus(limit), request));
                    self.outputs.push_back(Output::Ask { to, request, question });
                    if let About::Search(search) = about {
                        self.handle_late(search, id, now);
                    }
                }
                Some(_) | None => self.give_up(request, now),
            }
            self.deadlines.remove(&(deadline, request));
        }
    }

    fn give_up(&mut self, request: RequestId, now: Timestamp) {
        let Some(asked) = self.end_question(request) else { return };
        let id = asked.to.id();
        // Who hears nobody at all is cut off itself, and does not give up those it knows for that.
        let is_cut_off = now.since(self.heard_at) > CUT_OFF_AFTER;
        if is_cut_off {
            self.table.ping_given_up(id);
        }
        let failed = if is_cut_off { Failed::Doubted } else { self.table.failed(id) };
        match failed {
            Failed::Unknown | Failed::Doubted => {}
            Failed::Gone => self.save_soon(now),
            Failed::Ping(node) => self.ping(node, now),
        }
        match asked.about {
            About::Ping => {}
            About::Search(search) => self.handle_no_answer(search, id, now),
            About::Store(operation) => self.handle_stored(operation, false, now),
        }
    }

    fn end_question(&mut self, request: RequestId) -> Option<Asked> {
        let asked = self.asked.remove(&request)?;
        self.deadlines.remove(&(asked.deadline, request));
        self.stores_in_flight -= usize::from(matches!(asked.about, About::Store(_)));
        Some(asked)
    }

    pub(super) fn handle_stored(
        &mut self,
        operation: Option<OperationId>,
        is_stored: bool,
        now: Timestamp,
    ) {
        if let Some(operation) = operation
            && let Some(publishing) = self.publishing.get_mut(&operation)
        {
            publishing.waiting -= 1;
            publishing.stored += usize::from(is_stored);
            publishing.refused += usize::from(!is_stored);
            self.end_publishing(operation);
        }
        self.send_stores(now);
        self.go_on_leaving(now);
    }

    pub(super) fn end_publishing(&mut self, operation: OperationId) {
        let is_over = |publishing: &&super::Publishing| publishing.waiting == 0;
        if let Some(super::Publishing { stored, refused, .. }) =
            self.publishing.get(&operation).filter(is_over).copied()
        {
            self.publishing.remove(&operation);
            self.event(Event::Published { operation, stored, refused });
        }
    }
}

/// Who has heard nobody for so long is cut off.
const CUT_OFF_AFTER: Duration = Duration::from_secs(30);
