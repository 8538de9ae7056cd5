//! Start-time fair queueing: who comes next, so that all who want more than their part get equal parts.
//!
//! Each class has a start: where it stands on a clock that counts work. Served is whoever has the least, and what that cost moves
//! its start forward. Whoever wanted nothing for a while starts at the clock, which is the start of whoever was served last: it has
//! saved nothing up, and waits for nobody who has had more.

use std::collections::{BTreeMap, BTreeSet};

/// What a class is thought to cost before it has cost anything, in nanoseconds: about one signed message.
const FIRST_ESTIMATE: u64 = 60_000;

/// Classes that want nothing and are remembered because they have had more than others.
pub(super) const DEBTORS_MAX: usize = 512;

/// Classes that want work, and those that have had some of late.
#[derive(Debug)]
pub(super) struct Queue<K> {
    clock: u64,
    classes: BTreeMap<K, Class>,
    /// By start.
    waiting: BTreeSet<(u64, K)>,
    /// Those who want nothing and have had more than others, by where they start.
    debtors: BTreeSet<(u64, K)>,
}

#[derive(Debug)]
struct Class {
    /// Where it will start next, if that is not behind the clock by then.
    served: u64,
    /// Where it starts: it waits.
    start: Option<u64>,
    under_way: usize,
    /// What it cost last.
    estimate: u64,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            clock: 0,
            classes: BTreeMap::new(),
            waiting: BTreeSet::new(),
            debtors: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Notes that a class wants to be served, until [`Queue::rest`].
    pub(super) fn wait(&mut self, key: &K) {
        let clock = self.clock;
        let class = self.classes.entry(key.clone()).or_insert(Class {
            served: clock,
            start: None,
            under_way: 0,
            estimate: FIRST_ESTIMATE,
        });
        if class.start.is_none() {
            self.debtors.remove(&(class.served, key.clone()));
            let start = class.served.max(clock);
            class.start = Some(start);
            self.waiting.insert((start, key.clone()));
        }
    }

    /// Notes that a class wants nothing more than what is under way.
    pub(super) fn rest(&mut self, key: &K) {
        if let Some(start) = self.classes.get_mut(key).and_then(|class| class.start.take()) {
            self.waiting.remove(&(start, key.clone()));
        }
        self.tidy(key);
    }

    /// Those who wait, who comes first first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &K> {
        self.waiting.iter().map(|(_, key)| key)
    }

    /// Where a class that waits starts.
    pub(super) fn start(&self, key: &K) -> Option<u64> {
        self.classes.get(key)?.start
    }

    /// Whether a class that would begin to wait now came before all who wait, and has had no more than whoever was served last.
    pub(super) fn is_due(&self, key: &K) -> bool {
        let start = self.classes.get(key).map_or(self.clock, |class| class.served);
        start <= self.clock && self.waiting.first().is_none_or(|(first, _)| start <= *first)
    }

    /// Serves a class that waits, which waits on. Returns what it is charged meanwhile.
    pub(super) fn serve(&mut self, key: &K) -> u64 {
        let Some(class) = self.classes.get_mut(key) else { return 0 };
        let start = class.start.unwrap_or(class.served.max(self.clock));
        self.clock = self.clock.max(start);
        class.served = start.saturating_add(class.estimate);
        class.under_way += 1;
        let charged = class.estimate;
        self.follow(key);
        while self.debtors.first().is_some_and(|(served, _)| *served <= self.clock) {
            if let Some((_, key)) = self.debtors.pop_first() {
                self.classes.remove(&key);
            }
        }
        charged
    }

    /// Notes what something really cost that was charged so much.
    pub(super) fn settle(&mut self, key: &K, charged: u64, cost: u64) {
        let Some(class) = self.classes.get_mut(key) else { return };
        class.served = class.served.saturating_sub(charged).saturating_add(cost);
        class.estimate = cost;
        class.under_way = class.under_way.saturating_sub(1);
        self.follow(key);
        self.tidy(key);
    }

    /// How many classes are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.classes.len()
    }

    /// Moves a class that waits to where it starts now.
    fn follow(&mut self, key: &K) {
        let Some(class) = self.classes.get_mut(key) else { return };
        let Some(start) = class.start else { return };
        let next = class.served.max(self.clock);
        class.start = Some(next);
        self.waiting.remove(&(start, key.clone()));
        self.waiting.insert((next, key.clone()));
    }

    /// Forgets a class that wants nothing and has had no more than others, and of those who have had more the least where there
    /// are too many.
    fn tidy(&mut self, key: &K) {
        let Some(class) = self.classes.get(key) else { return };
        if class.start.is_some() || class.under_way > 0 {
            return;
        }
        if class.served <= self.clock {
            self.classes.remove(key);
            return;
        }
        self.debtors.insert((class.served, key.clone()));
        if self.debtors.len() > DEBTORS_MAX
            && let Some((_, key)) = self.debtors.pop_first()
        {
            self.classes.remove(&key);
        }
    }
}
