//! Kept connections, by address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::limits::ClientLimits;

/// The sending half of one connection.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// Idle connections and the number of open ones, by `host:port`.
#[derive(Debug)]
pub(crate) struct Pool {
    limits: ClientLimits,
    places: Mutex<BTreeMap<String, Place>>,
}

#[derive(Debug)]
struct Place {
    /// The most recently used last, so that the others can grow old.
    idle: Vec<(Sender, Instant)>,
    /// One permit a call at a moment, hence a connection at a moment.
    open: Arc<Semaphore>,
}

impl Pool {
    pub(crate) fn new(limits: ClientLimits) -> Self {
        Self { limits, places: Mutex::default() }
    }

    /// The permits of an address.
    pub(crate) fn permits(&self, authority: &str) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get(authority) {
            return Arc::clone(&place.open);
        }
        if places.len() >= self.limits.addresses_max {
            let permits = self.limits.connections_per_address_max;
            // Forgetting a place with a call under way would let its address have more connections than allowed.
            places.retain(|_, place| {
                place.open.available_permits() < permits || Arc::strong_count(&place.open) > 1
            });
        }
        let open = Arc::new(Semaphore::new(self.limits.connections_per_address_max));
        if places.len() < self.limits.addresses_max {
            places
                .insert(authority.to_owned(), Place { idle: Vec::new(), open: Arc::clone(&open) });
        }
        open
    }

    /// Takes a kept connection that was still open when last looked at.
    pub(crate) fn take(&self, authority: &str) -> Option<Sender> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = &mut places.get_mut(authority)?.idle;
        let oldest = Instant::now().checked_sub(self.limits.idle_timeout);
        while let Some((sender, since)) = idle.pop() {
            if oldest.is_none_or(|oldest| since >= oldest) && !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection for the next call.
    pub(crate) fn put(&self, authority: &str, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = places.get_mut(authority) else { return };
        let timeout = self.limits.idle_timeout;
        place
            .idle
            .retain(|(sender, since)| !sender.is_closed() && now.duration_since(*since) <= timeout);
        if place.idle.len() < self.limits.idle_per_address_max {
            place.idle.push((sender, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_those_in_use_are_kept() {
        let pool = Pool::new(ClientLimits { addresses_max: 2, ..ClientLimits::default() });
        let held = pool.permits("a:1");
        let in_use = held.try_acquire().unwrap();
        drop(pool.permits("b:1"));
        drop(pool.permits("c:1"));
        let places: Vec<String> = pool.places.lock().unwrap().keys().cloned().collect();
        assert_eq!(places, ["a:1", "c:1"], "the place that nobody uses makes room");
        let same = pool.permits("a:1");
        assert_eq!(
            same.available_permits(),
            ClientLimits::default().connections_per_address_max - 1
        );
        drop(in_use);
    }
}
