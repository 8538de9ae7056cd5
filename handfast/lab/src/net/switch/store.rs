//! Packets that wait for their time.
//!
//! Slots are made before traffic comes and used again and again, the warmest first; which is due next says a heap. Both are bounded: by
//! packets and by bytes. What finds no room is refused, counted by the caller, and makes the run an infrastructure failure: a link
//! has the queue that its conditions say, and not ours.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Packets that wait, bounded.
#[derive(Debug)]
pub(super) struct Store {
    slots: Vec<Slot>,
    free: Vec<u32>,
    agenda: BinaryHeap<Reverse<Entry>>,
    bytes: usize,
    number: u64,
    limits: Limits,
}

/// How much waits at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Packets.
    pub(super) packets: usize,
    /// Their bytes.
    pub(super) bytes: usize,
}

impl Limits {
    /// 65,536 packets and 128 MiB: what 200 ms of 5 Gbit/s are in packets of 1,500 bytes, for all links together.
    pub(super) const DEFAULT: Self = Self { packets: 65_536, bytes: 128 << 20 };
}

/// A packet whose time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due<'a> {
    /// When it had to leave, nanoseconds of the switch's clock.
    pub(super) at_ns: u64,
    /// On which lane.
    pub(super) lane: usize,
    /// Its bytes.
    pub(super) packet: &'a [u8],
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug, Default)]
struct Slot {
    lane: usize,
    packet: Vec<u8>,
}

/// In the order of times, and at one time in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    due_ns: u64,
    number: u64,
    slot: u32,
}

impl Store {
    /// Makes the first slots.
    pub(super) fn new(limits: Limits) -> Self {
        let ready = limits.packets.min(READY);
        let slot = || Slot { lane: 0, packet: Vec::with_capacity(READY_BYTES) };
        let mut free = Vec::with_capacity(limits.packets);
        free.extend((0..u32::try_from(ready).unwrap_or(u32::MAX)).rev());
        Self {
            slots: std::iter::repeat_with(slot).take(ready).collect(),
            free,
            agenda: BinaryHeap::with_capacity(limits.packets),
            bytes: 0,
            number: 0,
            limits,
        }
    }

    /// Keeps a packet until `due_ns`.
    ///
    /// # Errors
    ///
    /// Refuses what exceeds a limit; nothing is changed.
    pub(super) fn put(&mut self, due_ns: u64, lane: usize, packet: &[u8]) -> Result<(), Full> {
        let bytes = self.bytes + packet.len();
        if self.agenda.len() >= self.limits.packets || bytes > self.limits.bytes {
            return Err(Full);
        }
        let index = if let Some(index) = self.free.pop() {
            index
        } else {
            let index = u32::try_from(self.slots.len()).map_err(|_| Full)?;
            self.slots.push(Slot::default());
            index
        };
        let slot = &mut self.slots[index as usize];
        slot.lane = lane;
        slot.packet.clear();
        slot.packet.extend_from_slice(packet);
        self.bytes = bytes;
        self.agenda.push(Reverse(Entry { due_ns, number: self.number, slot: index }));
        self.number += 1;
        Ok(())
    }

    /// Takes out the first packet whose time has come by `now_ns`, if there is one. Its bytes stay until the next `put`.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<Due<'_>> {
        if self.next_due()? > now_ns {
            return None;
        }
        let Reverse(entry) = self.agenda.pop()?;
        self.free.push(entry.slot);
        let slot = &self.slots[entry.slot as usize];
        self.bytes -= slot.packet.len();
        Some(Due { at_ns: entry.due_ns, lane: slot.lane, packet: &slot.packet })
    }

    /// When the next packet has to leave.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.agenda.peek().map(|Reverse(entry)| entry.due_ns)
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.agenda.len()
    }
}

/// Slots that are made at once, each for a packet of an Ethernet: 1,000 packets wait on a link of 10,000 a second with 100 ms. Further
/// ones are made when they are needed, and kept.
const READY: usize = 1_024;
const READY_BYTES: usize = 1_520;

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(store: &mut Store, now_ns: u64) -> Vec<(u64, Vec<u8>)> {
        let mut taken = Vec::new();
        while let Some(due) = store.take_due(now_ns) {
            taken.push((due.at_ns, due.packet.to_vec()));
        }
        taken
    }

    #[test]
    fn packets_leave_in_the_order_of_their_times_and_then_as_they_came() {
        let mut store = Store::new(Limits::DEFAULT);
        for (due, byte) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            store.put(due, 0, &[byte]).unwrap();
        }
        assert_eq!(store.next_due(), Some(10));
        assert_eq!(taken(&mut store, 9), []);
        assert_eq!(taken(&mut store, 20), [(10, vec![2]), (10, vec![4]), (20, vec![3])]);
        assert_eq!((store.waiting(), store.next_due()), (1, Some(30)));
        assert_eq!(store.bytes, 1);
    }

    #[test]
    fn no_more_packets_wait_than_the_limit_says() {
        let mut store = Store::new(Limits { packets: 2, bytes: 1_000 });
        store.put(1, 0, b"a").unwrap();
        store.put(1, 0, b"b").unwrap();
        assert_eq!(store.put(1, 0, b"c"), Err(Full));
        assert!(store.take_due(1).is_some());
        store.put(1, 0, b"d").unwrap();
    }

    #[test]
    fn no_more_bytes_wait_than_the_limit_says() {
        let mut store = Store::new(Limits { packets: 10, bytes: 5 });
        store.put(1, 0, b"abc").unwrap();
        assert_eq!(store.put(1, 0, b"def"), Err(Full));
        store.put(1, 0, b"de").unwrap();
        assert_eq!(taken(&mut store, 1).len(), 2);
        assert_eq!(store.bytes, 0);
    }

    #[test]
    fn slots_are_used_again() {
        let mut store = Store::new(Limits { packets: 4_000, bytes: 1 << 20 });
        for round in 0..3 {
            for _ in 0..2_000 {
                store.put(round, 7, b"packet").unwrap();
            }
            assert_eq!(taken(&mut store, round).len(), 2_000);
        }
        assert_eq!(store.slots.len(), 2_000);
    }
}
