//! Places for open connections, given back on drop, and taken away from those who have to go.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::host::Host;
use crate::places::{Given, PlaceId, Places};

/// The places of one server.
#[derive(Debug)]
pub(crate) struct Slots {
    taken: Mutex<Taken>,
    given_back: Notify,
}

#[derive(Debug)]
struct Taken {
    places: Places,
    /// How each holder hears that it has to go.
    holders: BTreeMap<PlaceId, Arc<Notify>>,
    /// Connections that hold a place or had to give it up, and are not gone.
    open: usize,
}

impl Slots {
    pub(crate) fn new(total_max: usize, per_host_max: usize) -> Arc<Self> {
        let places = Places::new(total_max, per_host_max);
        Arc::new(Self {
            taken: Mutex::new(Taken { places, holders: BTreeMap::new(), open: 0 }),
            given_back: Notify::new(),
        })
    }

    /// Takes a place for a connection from `host`, or nothing if nobody can go for it.
    pub(crate) fn take(self: &Arc<Self>, host: IpAddr) -> Option<Slot> {
        let mut taken = self.taken();
        let Given { place, evicted } = taken.places.give(Host::of(host))?;
        if let Some(evicted) = evicted.and_then(|evicted| taken.holders.remove(&evicted)) {
            evicted.notify_one();
        }
        let evicted = Arc::new(Notify::new());
        taken.holders.insert(place, Arc::clone(&evicted));
        taken.open += 1;
        Some(Slot { slots: Arc::clone(self), place, evicted, is_known: AtomicBool::new(false) })
    }

    /// Takes a place away for a connection that could not be let in, and waits until something is gone, for `patience` at most.
    pub(crate) async fn make_room(&self, patience: Duration) {
        let given_back = self.given_back.notified();
        {
            let mut taken = self.taken();
            let evicted = taken.places.take_away();
            if let Some(evicted) = evicted.and_then(|evicted| taken.holders.remove(&evicted)) {
                evicted.notify_one();
            }
        }
        // Without anybody who can go, some go by themselves.
        drop(tokio::time::timeout(patience, given_back).await);
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.taken().open
    }

    /// Waits until every connection that had a place is gone.
    pub(crate) async fn all_free(&self) {
        loop {
            let given_back = self.given_back.notified();
            if self.taken().open == 0 {
                return;
            }
            given_back.await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each change leaves valid places.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One taken place.
#[derive(Debug)]
#[must_use]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    place: PlaceId,
    evicted: Arc<Notify>,
    is_known: AtomicBool,
}

impl Slot {
    /// Notes that something is being answered from here on, until what is returned is dropped.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.set_busy(true);
        Busy(self)
    }

    /// Notes that something is being answered, or has been.
    pub(crate) fn set_busy(&self, is_busy: bool) {
        self.slots.taken().places.set_busy(self.place, is_busy);
    }

    /// Notes that somebody has proved who he is.
    pub(crate) fn set_known(&self) {
        if !self.is_known.swap(true, Ordering::Relaxed) {
            self.slots.taken().places.set_known(self.place);
        }
    }

    /// Waits until the place was taken away. To be waited for by one at a time.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        taken.places.give_back(self.place);
        taken.holders.remove(&self.place);
        taken.open -= 1;
        drop(taken);
        self.slots.given_back.notify_waiters();
    }
}

/// Something is being answered.
#[derive(Debug)]
pub(crate) struct Busy<'a>(&'a Slot);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[tokio::test]
    async fn whoever_has_to_go_hears_of_it_and_counts_as_open_until_it_is_gone() {
        let slots = Slots::new(1, 1);
        let first = slots.take(A).unwrap();
        let second = slots.take(B).unwrap();
        first.evicted().await;
        assert_eq!(slots.taken().places.len(), 1);
        drop(second);
        assert_eq!(slots.taken().open, 1);
        drop(first);
        slots.all_free().await;
        assert!(slots.taken().holders.is_empty());
    }

    #[tokio::test]
    async fn room_is_made_by_whoever_has_to_go() {
        let slots = Slots::new(2, 2);
        let first = slots.take(A).unwrap();
        let _second = slots.take(A).unwrap();
        let gone = async {
            first.evicted().await;
            drop(first);
        };
        // Longer than a test may take.
        tokio::join!(slots.make_room(Duration::from_hours(1)), gone);
        assert_eq!(slots.open(), 1);
    }

    #[test]
    fn nobody_goes_in_the_middle_of_an_answer() {
        let slots = Slots::new(1, 1);
        let first = slots.take(A).unwrap();
        let busy = first.busy();
        assert!(slots.take(B).is_none());
        drop(busy);
        assert!(slots.take(B).is_some_and(|_slot| true));
    }
}
