//! One direction of a link in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::weather::{Fault, Weather};

/// Keeps what is under way until it is due: a queue behind a [`Weather`].
#[derive(Debug)]
pub struct Channel<M> {
    weather: Weather,
    under_way: BTreeMap<(Duration, u64), M>,
    order: u64,
}

impl<M: Clone> Channel<M> {
    /// Messages under way at most; further ones are lost, as in a full queue of a network card.
    pub const UNDER_WAY_MAX: usize = 4_096;

    /// Starts empty.
    pub fn new(weather: Weather) -> Self {
        Self { weather, under_way: BTreeMap::new(), order: 0 }
    }

    /// Sends something at `now`; says how many copies are under way for it.
    pub fn send(&mut self, message: M, now: Duration) -> usize {
        let fate = self.weather.decide(now);
        let mut copies = 0;
        for pause in fate.pauses {
            if self.under_way.len() < Self::UNDER_WAY_MAX {
                self.order += 1;
                self.under_way.insert((now + pause, self.order), message.clone());
                copies += 1;
            }
        }
        copies
    }

    /// When the next message arrives.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next message that has arrived by `now`: by time, then as sent.
    pub fn arrive(&mut self, now: Duration) -> Option<M> {
        self.next_arrival().filter(|at| *at <= now)?;
        self.under_way.pop_first().map(|(_, message)| message)
    }

    /// Changes the weather for what is sent from here on.
    pub fn change(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.weather.change(faults);
    }
}
