//! Places for open connections: counted in all and per remote host, given back on drop.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The places of one server.
#[derive(Debug)]
pub(crate) struct Slots {
    total_max: usize,
    per_host_max: usize,
    taken: Mutex<Taken>,
    given_back: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    per_host: BTreeMap<IpAddr, usize>,
}

impl Slots {
    pub(crate) fn new(total_max: usize, per_host_max: usize) -> Arc<Self> {
        Arc::new(Self {
            total_max,
            per_host_max,
            taken: Mutex::default(),
            given_back: Notify::new(),
        })
    }

    /// Takes a place for a connection from `host`, or nothing if one of the two limits is reached.
    pub(crate) fn take(self: &Arc<Self>, host: IpAddr) -> Option<Slot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.total_max {
            return None;
        }
        let of_host = taken.per_host.entry(host).or_default();
        if *of_host >= self.per_host_max {
            return None;
        }
        *of_host += 1;
        taken.total += 1;
        Some(Slot { slots: Arc::clone(self), host })
    }

    /// Waits until every place has been given back.
    pub(crate) async fn all_free(&self) {
        loop {
            let given_back = self.given_back.notified();
            if self.taken.lock().unwrap_or_else(PoisonError::into_inner).total == 0 {
                return;
            }
            given_back.await;
        }
    }
}

/// One taken place.
#[derive(Debug)]
#[must_use]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    host: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(of_host) = taken.per_host.get_mut(&self.host) {
            *of_host -= 1;
            if *of_host == 0 {
                taken.per_host.remove(&self.host);
            }
        }
        drop(taken);
        self.slots.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn one_host_cannot_take_every_place() {
        let slots = Slots::new(3, 2);
        let held = [slots.take(A), slots.take(A)];
        assert!(held.iter().all(Option::is_some));
        assert!(slots.take(A).is_none(), "the host has its share");
        assert!(slots.take(B).is_some_and(|_slot| true), "another host still gets a place");
    }

    #[test]
    fn a_place_given_back_can_be_taken_again() {
        let slots = Slots::new(1, 1);
        let first = slots.take(A);
        assert!(slots.take(B).is_none());
        drop(first);
        assert!(slots.take(B).is_some_and(|_slot| true));
        assert!(
            slots.taken.lock().unwrap().per_host.is_empty(),
            "hosts without connections are forgotten"
        );
    }
}
