//! One lookup: whom to ask next, and when it is over.
//!
//! Each node is asked by one path only. A path considers, of the nodes it has heard of and that no other path has
//! asked, the nearest that have not failed and are not late: its *window*. It asks whoever in it was not asked, and is
//! over when all of it have answered and nobody is late. What one path is told reaches no other, so a path that is led astray leaves the others alone.
//!
//! Source: `docs/protocol/1.1.md#dht-lookup`.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity_wire::payload::dht::{NodeId, Point};

use crate::config::Config;
use crate::distance::Distance;
use crate::node::Node;

/// Whom to ask, on which path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The path.
    pub path: usize,
    /// Who is to be asked.
    pub node: Arc<Node>,
}

/// How far a question has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not asked.
    Fresh,
    /// Asked.
    Waiting,
    /// Asked, and late: somebody else is asked as well.
    Late,
    /// Has answered.
    Answered,
    /// Will not answer.
    Failed,
}

#[derive(Debug, Clone)]
struct Candidate {
    distance: Distance,
    node: Arc<Node>,
    state: State,
    /// How many nodes had to answer before this one was heard of.
    hops: u8,
}

#[derive(Debug, Clone, Default)]
struct Path {
    /// In the order of their distance.
    candidates: Vec<Candidate>,
    waiting: usize,
    late: usize,
    is_over: bool,
}

/// A search for the nodes nearest to a point.
#[derive(Debug, Clone)]
pub struct Lookup {
    target: Point,
    own: NodeId,
    bounds: Bounds,
    paths: Vec<Path>,
    /// Which path has asked whom.
    asked: BTreeMap<NodeId, usize>,
    in_flight: usize,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    k: usize,
    window: usize,
    alpha: usize,
    questions_max: usize,
    subnet_max: usize,
}

impl Lookup {
    /// Starts from the contacts nearest to `target`, which the paths share.
    pub fn new(
        target: Point,
        own: NodeId,
        config: &Config,
        seeds: impl IntoIterator<Item = Arc<Node>>,
    ) -> Self {
        let (k, paths) = (config.k.max(1), config.paths.clamp(1, PATHS_MAX));
        let bounds = Bounds {
            k,
            window: k.div_ceil(paths),
            alpha: config.alpha.max(1),
            questions_max: config.questions_max,
            subnet_max: config.subnet_in_path_max,
        };
        let paths = vec![Path::default(); paths];
        let mut lookup = Self { target, own, bounds, paths, asked: BTreeMap::new(), in_flight: 0 };
        for (index, node) in seeds.into_iter().enumerate() {
            let path = index % lookup.paths.len();
            lookup.consider(path, node, 0);
        }
        lookup
    }

    /// What is looked for.
    pub fn target(&self) -> Point {
        self.target
    }

    /// How many nodes were asked.
    pub fn questions(&self) -> usize {
        self.asked.len()
    }

    /// Names the next node to ask; `None` while enough are being asked, or when nobody is left.
    pub fn next_step(&mut self) -> Option<Step> {
        if self.in_flight >= self.bounds.alpha || self.asked.len() >= self.bounds.questions_max {
            return None;
        }
        // The path that waits for the fewest comes first, so that each goes on.
        let mut order: Vec<(usize, usize)> = Vec::with_capacity(self.paths.len());
        for (index, path) in self.paths.iter().enumerate().filter(|(_, path)| !path.is_over) {
            order.push((path.waiting, index));
        }
        order.sort_unstable();
        for (_, index) in order {
            let fresh = self.window(index).find(|(_, one)| one.state == State::Fresh);
            if let Some(place) = fresh.map(|(place, _)| place) {
                let path = &mut self.paths[index];
                path.waiting += 1;
                let candidate = &mut path.candidates[place];
                candidate.state = State::Waiting;
                let node = Arc::clone(&candidate.node);
                self.asked.insert(node.id(), index);
                self.in_flight += 1;
                return Some(Step { path: index, node });
            }
        }
        None
    }

    /// Takes the answer of a node that was asked, with whom it named.
    pub fn answered(&mut self, id: NodeId, named: impl IntoIterator<Item = Arc<Node>>) {
        let Some(hops) = self.settle(id, State::Answered) else { return };
        let Some(path) = self.asked.get(&id).copied() else { return };
        // Paths that know nobody get their share: those of a node that joins through one other, and those on which nobody is alive.
        let empty = |path: &Path| path.candidates.iter().all(|one| one.state == State::Failed);
        let mut shares: Vec<usize> = vec![path];
        shares.extend((0..self.paths.len()).filter(|index| empty(&self.paths[*index])));
        for (index, node) in named.into_iter().take(self.bounds.k).enumerate() {
            self.consider(shares[index % shares.len()], node, hops.saturating_add(1));
        }
        self.judge();
    }

    /// Takes that a node that was asked will not answer.
    pub fn failed(&mut self, id: NodeId) {
        if self.settle(id, State::Failed).is_some() {
            self.judge();
        }
    }

    /// Takes that an answer is late.
    pub fn late(&mut self, id: NodeId) {
        let Some((path, place)) = self.place(id) else { return };
        let path = &mut self.paths[path];
        if path.candidates[place].state == State::Waiting {
            path.candidates[place].state = State::Late;
            path.waiting -= 1;
            path.late += 1;
            self.in_flight -= 1;
        }
    }

    /// Whether nobody is left to ask or to wait for.
    pub fn is_over(&mut self) -> bool {
        self.judge();
        let is_spent = self.asked.len() >= self.bounds.questions_max;
        let is_waiting = |path: &Path| path.waiting + path.late > 0;
        self.paths.iter().all(|path| path.is_over || is_spent && !is_waiting(path))
    }

    /// The nodes that have answered, nearest first, at most k.
    pub fn nearest(&self) -> Vec<Arc<Node>> {
        let mut answered: Vec<&Candidate> = self
            .paths
            .iter()
            .flat_map(|path| &path.candidates)
            .filter(|one| one.state == State::Answered)
            .collect();
        answered.sort_unstable_by_key(|one| one.distance);
        answered.iter().take(self.bounds.k).map(|one| Arc::clone(&one.node)).collect()
    }

    /// How many nodes had to answer, one after the other, before the nearest that has answered was heard of.
    pub fn hops(&self) -> Option<u8> {
        let answered = self.paths.iter().flat_map(|path| &path.candidates);
        let answered = answered.filter(|one| one.state == State::Answered);
        answered.min_by_key(|one| one.distance).map(|one| one.hops)
    }

    fn place(&self, id: NodeId) -> Option<(usize, usize)> {
        let path = *self.asked.get(&id)?;
        let distance = Distance::between(id, self.target);
        let candidates = &self.paths[path].candidates;
        let place = candidates.binary_search_by_key(&distance, |one| one.distance).ok()?;
        Some((path, place))
    }

    /// Ends a question; `None` where there is none, else the hops to the node.
    fn settle(&mut self, id: NodeId, state: State) -> Option<u8> {
        let (path, place) = self.place(id)?;
        let path = &mut self.paths[path];
        let candidate = &mut path.candidates[place];
        match candidate.state {
            State::Waiting => {
                path.waiting -= 1;
                self.in_flight -= 1;
            }
            State::Late => path.late -= 1,
            State::Fresh | State::Answered | State::Failed => return None,
        }
        candidate.state = state;
        Some(candidate.hops)
    }

    fn consider(&mut self, path: usize, node: Arc<Node>, hops: u8) {
        if node.id() == self.own || self.asked.contains_key(&node.id()) {
            return;
        }
        let (subnet_max, distance) =
            (self.bounds.subnet_max, Distance::between(node.id(), self.target));
        let candidates = &mut self.paths[path].candidates;
        let Err(place) = candidates.binary_search_by_key(&distance, |one| one.distance) else {
            return;
        };
        let beside = candidates.iter().filter(|one| one.node.is_beside(&node)).count();
        if beside >= subnet_max {
            return;
        }
        candidates.insert(place, Candidate { distance, node, state: State::Fresh, hops });
        if candidates.len() > CANDIDATES_MAX
            && let Some(farthest) = candidates.iter().rposition(|one| one.state == State::Fresh)
        {
            candidates.remove(farthest);
        }
    }

    /// The candidates that a path wants to have answered, with their places. Somebody else is asked beside one that is late.
    fn window(&self, path: usize) -> impl Iterator<Item = (usize, &Candidate)> {
        let candidates = self.paths[path].candidates.iter().enumerate();
        let counted = candidates.filter(|(_, one)| match one.state {
            State::Fresh => !self.asked.contains_key(&one.node.id()),
            State::Waiting | State::Answered => true,
            State::Late | State::Failed => false,
        });
        counted.take(self.bounds.window)
    }

    /// A path is over when everybody whom it wants has answered, and nobody is late who may still.
    fn judge(&mut self) {
        for index in 0..self.paths.len() {
            let has_answered = |(_, one): (usize, &Candidate)| one.state == State::Answered;
            let is_over = self.paths[index].late == 0 && self.window(index).all(has_answered);
            // One that never knew anybody may still get a share of what the others are told.
            self.paths[index].is_over = is_over;
        }
    }
}

/// Paths at most.
const PATHS_MAX: usize = 16;

/// Candidates of a path. With more the farthest that was not asked goes.
pub(crate) const CANDIDATES_MAX: usize = 256;

#[cfg(test)]
mod tests;
