//! Is there an order of operations that explains what everybody saw?
//!
//! Wing and Gong's search ("Testing and verifying concurrent objects", 1993) with Lowe's memory of what was tried before ("Testing for
//! linearizability", 2017), in the form with which Horn and Kroening bound it ("Faster linearizability checking via P-compositionality", 2015):
//! whoever calls it parts the history into objects that know nothing of each other. Three things are ours. An operation without an answer
//! may take effect at any later time or never. An operation that changes nothing is placed as soon as it fits, which never closes a way.
//! And work and memory have limits, beyond which the answer is that there is none.

use std::collections::HashSet;
use std::hash::Hash;

/// Most operations that are looked at in one search, each as often as it is: about a second of one core.
pub(crate) const WORK_MAX: u64 = 50_000_000;

/// Most memory that one search keeps of what it tried, in bytes.
pub(crate) const MEMORY_MAX: usize = 64 << 20;

/// Most operations that a reason names.
const NAMED_MAX: usize = 4;

/// An object that does one thing after the other.
pub(crate) trait Model {
    /// What it is like between two operations.
    type State: Clone;
    /// What tells two states apart in which the same operations are over; nothing where their order makes no difference.
    type Mark: Eq + Hash;
    /// What can be done to it, with the answer.
    type Action;

    /// What it is like before anything was done.
    fn begin(&self) -> Self::State;

    /// What it is like afterwards; nothing where it would have given another answer.
    fn apply(&self, state: &Self::State, action: &Self::Action) -> Option<Self::State>;

    /// Whether it is afterwards as it was before.
    fn only_looks(&self, action: &Self::Action) -> bool;

    /// The mark of a state.
    fn mark(&self, state: &Self::State) -> Self::Mark;
}

/// One operation as those saw it who asked for it.
#[derive(Debug, Clone)]
pub(crate) struct Operation<A> {
    /// The number of the event by which it began.
    pub(crate) began: usize,
    /// The number of the event by which it ended; nothing where nobody knows whether and when it took effect.
    pub(crate) ended: Option<usize>,
    /// What was done, and what it answered.
    pub(crate) action: A,
    /// The same for people.
    pub(crate) title: String,
}

/// What a search may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// See [`WORK_MAX`].
    pub(crate) work: u64,
    /// See [`MEMORY_MAX`].
    pub(crate) memory: usize,
}

impl Limits {
    /// Those of a check.
    pub(crate) const OURS: Self = Self { work: WORK_MAX, memory: MEMORY_MAX };
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// There is an order.
    Explained,
    /// There is none.
    Unexplained {
        /// So many operations with an answer could be placed at the most.
        placed: usize,
        /// Of so many.
        of: usize,
        /// Those one of which had to be next there, and none could.
        stuck: Vec<String>,
    },
    /// A limit was reached before it was known.
    Undecided {
        /// Which, in words.
        limit: String,
    },
}

/// Looks for an order.
pub(crate) fn explain<M: Model>(
    model: &M,
    mut operations: Vec<Operation<M::Action>>,
    limits: Limits,
) -> Decision {
    operations.sort_by_key(|operation| operation.began);
    let mut search = Search::new(model, &operations, limits);
    let mut ways = match search.enter(Done::none(operations.len()), model.begin()) {
        Entered::Explained => return Decision::Explained,
        Entered::Known => Vec::new(),
        Entered::Way(way) => vec![way],
    };
    while let Some(way) = ways.last_mut() {
        let Some(next) = way.open.pop() else {
            ways.pop();
            continue;
        };
        let Some(state) = model.apply(&way.state, &operations[next].action) else { continue };
        let mut done = way.done.clone();
        done.add(next, &operations[next]);
        match search.enter(done, state) {
            Entered::Explained => return Decision::Explained,
            Entered::Known => {}
            Entered::Way(way) => ways.push(way),
        }
        if let Some(limit) = search.reached() {
            return Decision::Undecided { limit };
        }
    }
    search.unexplained()
}

/// Which operations have been placed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Done {
    words: Box<[u64]>,
    /// How many of them have an answer.
    answered: usize,
}

impl Done {
    fn none(count: usize) -> Self {
        Self { words: vec![0; count.div_ceil(64)].into_boxed_slice(), answered: 0 }
    }

    fn has(&self, at: usize) -> bool {
        self.words[at / 64] >> (at % 64) & 1 == 1
    }

    fn add<A>(&mut self, at: usize, operation: &Operation<A>) {
        self.words[at / 64] |= 1 << (at % 64);
        self.answered += usize::from(operation.ended.is_some());
    }

    /// The first that is not placed.
    fn first_open(&self) -> usize {
        let full = self.words.iter().take_while(|word| **word == u64::MAX).count();
        let rest = self.words.get(full).map_or(0, |word| word.trailing_ones() as usize);
        full * 64 + rest
    }
}

/// A place in the search, with the operations that may be next and were not tried yet; the last is tried first.
struct Way<S> {
    done: Done,
    state: S,
    open: Vec<usize>,
}

enum Entered<S> {
    /// Everything that has an answer is placed.
    Explained,
    /// It was tried before.
    Known,
    Way(Way<S>),
}

struct Search<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Action>],
    limits: Limits,
    tried: HashSet<(Done, M::Mark)>,
    work: u64,
    answered: usize,
    deepest: usize,
    stuck: Vec<usize>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, operations: &'a [Operation<M::Action>], limits: Limits) -> Self {
        let answered = operations.iter().filter(|operation| operation.ended.is_some()).count();
        let (tried, stuck) = (HashSet::new(), Vec::new());
        Self { model, operations, limits, tried, work: 0, answered, deepest: 0, stuck }
    }

    fn enter(&mut self, mut done: Done, state: M::State) -> Entered<M::State> {
        let mut open = self.next(&done);
        // Whoever looks changes nothing: placed where it fits it is out of everybody's way.
        while self.look(&mut done, &state, &open) {
            open = self.next(&done);
        }
        let placed = done.answered;
        if placed == self.answered {
            return Entered::Explained;
        }
        if placed > self.deepest || self.stuck.is_empty() {
            let answered = |at: &&usize| self.operations[**at].ended.is_some();
            self.stuck = open.iter().filter(answered).copied().collect();
            self.deepest = placed;
        }
        if !self.tried.insert((done.clone(), self.model.mark(&state))) {
            return Entered::Known;
        }
        let changes = |at: &usize| !self.model.only_looks(&self.operations[*at].action);
        open.retain(changes);
        // What ended first is tried first, and what has no answer last.
        open.sort_by_key(|at| std::cmp::Reverse(self.operations[*at].ended.unwrap_or(usize::MAX)));
        Entered::Way(Way { done, state, open })
    }

    /// Places everybody of `open` who only looks and sees what is there; says whether there was one.
    fn look(&self, done: &mut Done, state: &M::State, open: &[usize]) -> bool {
        let mut found = false;
        for at in open {
            let action = &self.operations[*at].action;
            if self.model.only_looks(action) && self.model.apply(state, action).is_some() {
                done.add(*at, &self.operations[*at]);
                found = true;
            }
        }
        found
    }

    /// The operations that may be next: those that began before any that is still open ended.
    fn next(&mut self, done: &Done) -> Vec<usize> {
        let mut open = Vec::new();
        let mut first_end = usize::MAX;
        for at in done.first_open()..self.operations.len() {
            self.work += 1;
            let operation = &self.operations[at];
            if operation.began > first_end {
                break;
            }
            if !done.has(at) {
                open.push(at);
                first_end = first_end.min(operation.ended.unwrap_or(usize::MAX));
            }
        }
        open.retain(|at| self.operations[*at].began < first_end);
        open
    }

    fn reached(&self) -> Option<String> {
        if self.work > self.limits.work {
            return Some(format!("{} looks at operations", self.limits.work));
        }
        let bytes = self.operations.len().div_ceil(64) * 8 + size_of::<(Done, M::Mark)>();
        let is_full = self.tried.len().saturating_mul(bytes) > self.limits.memory;
        is_full.then(|| format!("{} bytes of what was tried", self.limits.memory))
    }

    fn unexplained(&self) -> Decision {
        let title = |at: &usize| self.operations[*at].title.clone();
        let stuck = self.stuck.iter().take(NAMED_MAX).map(title).collect();
        Decision::Unexplained { placed: self.deepest, of: self.answered, stuck }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
