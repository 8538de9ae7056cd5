//! Places for open connections: counted in all and per remote host, and who has to go when there is none left.
//!
//! Pure. A newcomer always finds a place, unless what holds the places has earned them: the host with most of them gives one up,
//! namely that of a connection on which nobody has proved who he is and nothing was finished for longest.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::Host;

/// Names a place that was given; never used again.
pub(crate) type PlaceId = u64;

/// The places of one kind of connection.
#[derive(Debug)]
pub(crate) struct Places {
    total_max: usize,
    per_host_max: usize,
    held: BTreeMap<PlaceId, Held>,
    hosts: BTreeMap<Host, OfHost>,
    /// How many places each host has.
    by_count: BTreeSet<(usize, Host)>,
    clock: u64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    host: Host,
    rank: Rank,
    /// Something is being answered: it can not be taken away meanwhile.
    is_busy: bool,
}

/// Who goes first, as far as they can go: the unknown, and among them who finished nothing for longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    is_known: bool,
    finished: u64,
}

#[derive(Debug, Default)]
struct OfHost {
    count: usize,
    /// Those that can be taken away.
    idle: BTreeSet<(Rank, PlaceId)>,
}

/// A place, and whose it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) place: PlaceId,
    /// This one has to go.
    pub(crate) evicted: Option<PlaceId>,
}

impl Places {
    pub(crate) fn new(total_max: usize, per_host_max: usize) -> Self {
        Self {
            total_max,
            per_host_max,
            held: BTreeMap::new(),
            hosts: BTreeMap::new(),
            by_count: BTreeSet::new(),
            clock: 0,
        }
    }

    /// Gives a place to a connection from `host`, or none where nobody can go for it.
    pub(crate) fn give(&mut self, host: Host) -> Option<Given> {
        let own = self.hosts.get(&host).map_or(0, |of_host| of_host.count);
        let evicted = if own >= self.per_host_max {
            Some(self.own_victim(host)?)
        } else if self.held.len() >= self.total_max {
            Some(self.victim(host, own)?)
        } else {
            None
        };
        if let Some(evicted) = evicted {
            self.give_back(evicted);
        }
        self.clock += 1;
        let place = self.clock;
        let rank = Rank { is_known: false, finished: place };
        self.held.insert(place, Held { host, rank, is_busy: false });
        self.count(host, 1);
        self.hosts.entry(host).or_default().idle.insert((rank, place));
        Some(Given { place, evicted })
    }

    /// Takes away the place that somebody new would be given, where there is one: there is no room for as many as was thought.
    pub(crate) fn take_away(&mut self) -> Option<PlaceId> {
        let evicted = self.victim(Host::Door, 0)?;
        self.give_back(evicted);
        Some(evicted)
    }

    /// Notes that something is being answered, or has been.
    pub(crate) fn set_busy(&mut self, place: PlaceId, is_busy: bool) {
        self.clock += 1;
        let finished = self.clock;
        self.change(place, |held| {
            held.is_busy = is_busy;
            held.rank.finished = finished;
        });
    }

    /// Notes that somebody has proved who he is.
    pub(crate) fn set_known(&mut self, place: PlaceId) {
        self.change(place, |held| held.rank.is_known = true);
    }

    /// Takes a place back; one that was taken away already is gone.
    pub(crate) fn give_back(&mut self, place: PlaceId) {
        let Some(held) = self.held.remove(&place) else { return };
        if let Some(of_host) = self.hosts.get_mut(&held.host) {
            of_host.idle.remove(&(held.rank, place));
        }
        self.count(held.host, -1);
    }

    /// How many are held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Of a host that has its share: the unknown alone, so that nobody drives its known ones out by calling again.
    fn own_victim(&self, host: Host) -> Option<PlaceId> {
        let idle = &self.hosts.get(&host)?.idle;
        idle.first().filter(|(rank, _)| !rank.is_known).map(|(_, place)| *place)
    }

    /// Of the hosts with most places that can give one up, for a host with `own`.
    fn victim(&self, host: Host, own: usize) -> Option<PlaceId> {
        let mut best: Option<(usize, Rank, PlaceId)> = None;
        for (count, host) in self.by_count.iter().rev().take_while(|(count, _)| *count > own) {
            if best.is_some_and(|(most, ..)| *count < most) {
                break;
            }
            let idle = self.hosts.get(host).and_then(|of_host| of_host.idle.first());
            let Some((rank, place)) = idle else { continue };
            // What a known peer has is taken from a host that has more than the newcomer would have.
            let may_go = !rank.is_known || own + 1 < *count;
            if may_go && best.is_none_or(|(_, oldest, _)| *rank < oldest) {
                best = Some((*count, *rank, *place));
            }
        }
        best.map(|(.., place)| place).or_else(|| self.own_victim(host))
    }

    fn change(&mut self, place: PlaceId, change: impl FnOnce(&mut Held)) {
        let Some(held) = self.held.get_mut(&place) else { return };
        let Some(of_host) = self.hosts.get_mut(&held.host) else { return };
        of_host.idle.remove(&(held.rank, place));
        change(held);
        if !held.is_busy {
            of_host.idle.insert((held.rank, place));
        }
    }

    fn count(&mut self, host: Host, by: isize) {
        let of_host = self.hosts.entry(host).or_default();
        self.by_count.remove(&(of_host.count, host));
        of_host.count = of_host.count.saturating_add_signed(by);
        if of_host.count == 0 {
            self.hosts.remove(&host);
        } else {
            self.by_count.insert((of_host.count, host));
        }
    }
}

#[cfg(test)]
#[path = "places/tests.rs"]
mod tests;
