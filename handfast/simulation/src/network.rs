//! Requests and answers under way between machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use entity_peer::DeliveryId;
use handfast_faults::{Channel, Dice, Fault, Weather};

/// One attempt of a request: whose, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// Who asks.
    pub from: usize,
    /// In which of its lives.
    pub life: u32,
    /// As its peer names it.
    pub id: DeliveryId,
}

/// What travels.
#[derive(Debug, Clone)]
pub enum Packet {
    /// A request with its body; `None` for a look at the health.
    Request(Exchange, Option<Bytes>),
    /// An answer.
    Answer(Exchange, u16, Bytes),
    /// Nobody listened there.
    Refused(Exchange),
}

/// From which machine to which.
type Way = (usize, usize);

/// All links, each direction apart.
#[derive(Debug)]
pub struct Network {
    channels: BTreeMap<Way, Channel<Packet>>,
    /// When the next thing of each channel arrives that has something under way: looking through all would cost more
    /// than everything else where there are many.
    arrivals: BTreeSet<(Duration, Way)>,
}

impl Network {
    /// Connects each machine with those that it knows, under the same weather, each direction with its own chance.
    pub fn new(knows: &[Vec<usize>], faults: &[Fault], dice: &mut Dice) -> Self {
        let mut channels = BTreeMap::new();
        for (from, known) in knows.iter().enumerate() {
            for to in known {
                let weather = Weather::new(faults.iter().copied(), dice.split());
                channels.insert((from, *to), Channel::new(weather));
            }
        }
        Self { channels, arrivals: BTreeSet::new() }
    }

    /// Sends something.
    pub fn send(&mut self, from: usize, to: usize, packet: Packet, now: Duration) {
        self.with((from, to), |channel| channel.send(packet, now));
    }

    /// When the next thing arrives.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.arrivals.first().map(|(at, _)| *at)
    }

    /// Takes the next thing that has arrived, with where it came from and where it is.
    pub fn arrive(&mut self, now: Duration) -> Option<(usize, usize, Packet)> {
        let (_, way) = *self.arrivals.first()?;
        let packet = self.with(way, |channel| channel.arrive(now))??;
        Some((way.0, way.1, packet))
    }

    /// Changes the weather of every link.
    pub fn change_all(&mut self, faults: &[Fault]) {
        for channel in self.channels.values_mut() {
            channel.change(faults.iter().copied());
        }
    }

    /// Changes the weather of one direction.
    pub fn change(&mut self, from: usize, to: usize, faults: &[Fault]) {
        if let Some(channel) = self.channels.get_mut(&(from, to)) {
            channel.change(faults.iter().copied());
        }
    }

    /// Does something with a channel, and keeps in mind when its next thing arrives.
    fn with<T>(&mut self, way: Way, change: impl FnOnce(&mut Channel<Packet>) -> T) -> Option<T> {
        let channel = self.channels.get_mut(&way)?;
        let before = channel.next_arrival();
        let outcome = change(channel);
        let after = channel.next_arrival();
        if before != after {
            if let Some(at) = before {
                self.arrivals.remove(&(at, way));
            }
            self.arrivals.extend(after.map(|at| (at, way)));
        }
        Some(outcome)
    }
}
