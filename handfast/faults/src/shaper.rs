//! What becomes of each packet in one direction of a link.
//!
//! [`Shaper::handle_packet`] decides; a driver carries it out: it delivers each copy when it is due, damages what is to be
//! damaged, and tells [`Shaper::handle_delivery`] when it did. What happens by chance to a packet follows from the seed,
//! the direction and its number, whatever else happens on the link, so that the same seed drops the same packets.
//!
//! - `chain`: loss by the states of Gilbert and Elliott
//! - `bottleneck`: the rate and the queue before it

mod bottleneck;
mod chain;

use crate::account::{Account, Cause};
use crate::conditions::{Conditions, Cut};
use crate::delay::Drawer;
use crate::stream::Stream;

use bottleneck::Bottleneck;
use chain::Chain;

/// A packet that enters a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its length in bytes, with its IP header.
    pub length: u32,
    /// What tells its flow from others: any number that is the same for both ends of a connection and all its packets.
    pub flow: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketFate {
    /// What is to be delivered, and when.
    pub copies: Copies,
    /// Why nothing is.
    pub dropped: Option<Cause>,
}

/// The copies of a packet that are to be delivered: none, one or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    all: [PacketCopy; Self::MAX],
    count: usize,
}

impl Copies {
    /// Most copies of a packet.
    pub const MAX: usize = 2;

    const NONE: Self = Self { all: [PacketCopy { due_ns: 0, corrupt: None }; Self::MAX], count: 0 };

    /// The copies, in the order in which they were made.
    pub fn as_slice(&self) -> &[PacketCopy] {
        &self.all[..self.count]
    }

    fn push(&mut self, copy: PacketCopy) {
        if let Some(place) = self.all.get_mut(self.count) {
            *place = copy;
            self.count += 1;
        }
    }
}

impl IntoIterator for Copies {
    type Item = PacketCopy;
    type IntoIter = std::iter::Take<std::array::IntoIter<PacketCopy, { Self::MAX }>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter().take(self.count)
    }
}

/// One copy of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketCopy {
    /// When it is to be delivered, on the driver's clock.
    pub due_ns: u64,
    /// Whether one of its bits is turned.
    pub corrupt: Option<BitFlip>,
}

/// Which bit of a packet is turned. How many there are, and which of them may be turned, the driver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitFlip(u64);

impl BitFlip {
    /// A bit below `bits`, each with the same chance; 0 where there are none.
    pub fn below(self, bits: u64) -> u64 {
        u64::try_from((u128::from(self.0) * u128::from(bits)) >> 64).unwrap_or(0)
    }
}

/// One direction of a link.
#[derive(Clone, Debug)]
pub struct Shaper {
    streams: Streams,
    number: u64,
    chain: Chain,
    drawer: Drawer,
    bottleneck: Bottleneck,
    /// When the packet before is due, for links that keep the order.
    last_due_ns: u64,
    /// The latest that anything is due.
    latest_due_ns: u64,
    conditions: Conditions,
    account: Account,
    is_of_streams: bool,
}

/// Chance, a stream a kind.
#[derive(Clone, Copy, Debug)]
struct Streams {
    loss: Stream,
    duplicate: Stream,
    corrupt: Stream,
    reorder: Stream,
    delay: Stream,
    flow: Stream,
}

impl Shaper {
    /// Starts with conditions. `direction` tells this direction from all others of a run, such as `a -> b`.
    pub fn new(conditions: Conditions, seed: u64, direction: &str) -> Self {
        let stream = |kind| Stream::new(seed, direction, kind);
        let streams = Streams {
            loss: stream("loss"),
            duplicate: stream("duplicate"),
            corrupt: stream("corrupt"),
            reorder: stream("reorder"),
            delay: stream("delay"),
            flow: stream("flow"),
        };
        Self {
            streams,
            number: 0,
            chain: Chain::default(),
            drawer: Drawer::new(&conditions.delay),
            bottleneck: Bottleneck::default(),
            last_due_ns: 0,
            latest_due_ns: 0,
            account: Account::new(&conditions),
            is_of_streams: false,
            conditions,
        }
    }

    /// For a driver that carries streams: what it leaves undone ([`Conditions::approximated`]) is not held in the account.
    #[must_use]
    pub fn between_streams(mut self) -> Self {
        self.is_of_streams = true;
        self.account = self.account.of_streams(true);
        self
    }

    /// Changes the conditions for packets from here on. What is under way arrives as was decided; what waits before the
    /// bottleneck leaves it as was decided, and later packets behind it. The account goes on: see
    /// [`take_account`](Self::take_account).
    pub fn set(&mut self, conditions: Conditions, _now_ns: u64) {
        if self.conditions == conditions {
            return;
        }
        self.chain = Chain::default();
        self.drawer = Drawer::new(&conditions.delay);
        self.account.ask(&conditions);
        self.conditions = conditions;
    }

    /// Decides what becomes of a packet that enters at `now_ns`. The driver's clock never goes back.
    pub fn handle_packet(&mut self, packet: Packet, now_ns: u64) -> PacketFate {
        let number = self.number;
        self.number += 1;
        let (conditions, account) = (&self.conditions, &mut self.account);
        account.arrived(packet.length);
        let is_lost = self.chain.loses(&conditions.loss, self.streams.loss, number);
        let is_dead = conditions.dead_flows.is_hit(self.streams.flow.throw(packet.flow, 0));
        let barred = match conditions.cut {
            Some(Cut::Silent) => Some(Cause::Cut),
            Some(Cut::Reset) => Some(Cause::Reset),
            None if is_dead => Some(Cause::Cut),
            None => {
                conditions.mtu.filter(|mtu| packet.length > u32::from(*mtu)).map(|_| Cause::Mtu)
            }
        };
        if let Some(cause) = barred {
            account.drop_for(cause);
            return PacketFate { copies: Copies::NONE, dropped: Some(cause) };
        }
        let Some(sent) = self.bottleneck.send(conditions.rate.as_ref(), packet.length, now_ns)
        else {
            account.drop_for(Cause::Queue);
            return PacketFate { copies: Copies::NONE, dropped: Some(Cause::Queue) };
        };
        if conditions.rate.is_some() {
            account.waits.add(sent.left_ns - now_ns);
            account.busy_ns = account.busy_ns.saturating_add(sent.busy_ns);
            account.busy_bytes += u64::from(packet.length);
        }
        if is_lost {
            account.drop_for(Cause::Loss);
            return PacketFate { copies: Copies::NONE, dropped: Some(Cause::Loss) };
        }
        account.pass(packet.length);
        self.deliver(number, sent.left_ns)
    }

    /// Notes that a copy that was due at `due_ns` was delivered at `now_ns`.
    pub fn handle_delivery(&mut self, due_ns: u64, now_ns: u64) {
        self.account.late.add(now_ns.saturating_sub(due_ns));
    }

    /// From when on the queue has room for a packet of this length, for a driver that makes its sender wait: now, or later.
    pub fn room_at(&self, length: u32, now_ns: u64) -> u64 {
        self.bottleneck.room_at(self.conditions.rate.as_ref(), length, now_ns)
    }

    /// The conditions that hold.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// What has happened since the account was taken last.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What has happened since the account was taken last; a new one begins. To be taken at each change, so that an
    /// account belongs to one stretch of conditions.
    pub fn take_account(&mut self) -> Account {
        let new = Account::new(&self.conditions).of_streams(self.is_of_streams);
        std::mem::replace(&mut self.account, new)
    }

    /// What happens to a packet that has left the bottleneck and is not lost.
    fn deliver(&mut self, number: u64, left_ns: u64) -> PacketFate {
        let (conditions, account) = (&self.conditions, &mut self.account);
        let Streams { corrupt, duplicate, reorder, delay, .. } = self.streams;
        let flip = conditions.corrupt.is_hit(corrupt.throw(number, 0));
        let flip = flip.then(|| BitFlip(corrupt.throw(number, 1)));
        account.corrupted += u64::from(flip.is_some());
        let is_doubled = conditions.duplicate.is_hit(duplicate.throw(number, 0));
        account.duplicated += u64::from(is_doubled);
        let stays_behind = conditions.reorder.chance.is_hit(reorder.throw(number, 0));
        account.reordered += u64::from(stays_behind);
        let mut copies = Copies::NONE;
        for lane in 0..=u64::from(is_doubled) {
            let takes_ns = self.drawer.draw(delay, number, lane);
            let mut due_ns = left_ns.saturating_add(takes_ns);
            if lane == 0 {
                account.delayed(takes_ns);
            }
            if conditions.delay.keeps_order {
                due_ns = due_ns.max(self.last_due_ns);
                self.last_due_ns = due_ns;
            }
            if stays_behind && lane == 0 {
                // Its successors do not wait for it: they are what overtakes it.
                due_ns = due_ns.saturating_add(nanos(conditions.reorder.by));
            }
            account.overtook += u64::from(due_ns < self.latest_due_ns);
            self.latest_due_ns = self.latest_due_ns.max(due_ns);
            copies.push(PacketCopy { due_ns, corrupt: flip });
        }
        PacketFate { copies, dropped: None }
    }
}

fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
