//! Requests and answers under way between machines.

use std::collections::BTreeMap;
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

/// All links, each direction apart.
#[derive(Debug)]
pub struct Network {
    channels: BTreeMap<(usize, usize), Channel<Packet>>,
}

impl Network {
    /// Connects `count` machines under the same weather, each direction with its own chance.
    pub fn new(count: usize, faults: &[Fault], dice: &mut Dice) -> Self {
        let mut channels = BTreeMap::new();
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from) {
                let weather = Weather::new(faults.iter().copied(), dice.split());
                channels.insert((from, to), Channel::new(weather));
            }
        }
        Self { channels }
    }

    /// Sends something.
    pub fn send(&mut self, from: usize, to: usize, packet: Packet, now: Duration) {
        if let Some(channel) = self.channels.get_mut(&(from, to)) {
            channel.send(packet, now);
        }
    }

    /// When the next thing arrives.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.channels.values().filter_map(Channel::next_arrival).min()
    }

    /// Takes the next thing that has arrived, with where it came from and where it is.
    pub fn arrive(&mut self, now: Duration) -> Option<(usize, usize, Packet)> {
        let next = self.next_arrival()?;
        let (&(from, to), channel) =
            self.channels.iter_mut().find(|(_, channel)| channel.next_arrival() == Some(next))?;
        channel.arrive(now).map(|packet| (from, to, packet))
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
}
