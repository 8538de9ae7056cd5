//! The rate of a link and the queue before it.

use crate::conditions::{Queue, Rate};

/// When what was sent last has left, exact to the bit: what is left of a nanosecond is carried over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bottleneck {
    busy_until_ns: u64,
    /// In bits times nanoseconds a second, below the rate.
    rest: u64,
    rest_of: u64,
}

/// A packet that found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// When its last bit has left.
    pub(crate) left_ns: u64,
    /// For how long it kept the bottleneck busy.
    pub(crate) busy_ns: u64,
}

/// How long the bottleneck is busy with so many bytes and the rest of what was before them, and the new rest.
fn divided(bytes: u64, rest: u64, bits_per_s: u64) -> (u64, u64) {
    // Most packets fit into a word, whose division is several times as fast.
    if let Some(work) = bytes.checked_mul(BYTE_NS).and_then(|work| work.checked_add(rest)) {
        return (work / bits_per_s, work % bits_per_s);
    }
    let work = u128::from(bytes) * u128::from(BYTE_NS) + u128::from(rest);
    let (whole, rest) = (work / u128::from(bits_per_s), work % u128::from(bits_per_s));
    (u64::try_from(whole).unwrap_or(u64::MAX), u64::try_from(rest).unwrap_or(0))
}

/// Bits of a byte, times nanoseconds of a second.
const BYTE_NS: u64 = 8_000_000_000;

impl Bottleneck {
    /// Sends a packet after those before it; `None` where it finds no room.
    pub(crate) fn send(&mut self, rate: Option<&Rate>, length: u32, now_ns: u64) -> Option<Sent> {
        let begins_ns = self.busy_until_ns.max(now_ns);
        let Some(Rate { bits_per_s, queue }) = rate else {
            // Behind what waits since the link was slower; at once if nothing does.
            return Some(Sent { left_ns: begins_ns, busy_ns: 0 });
        };
        let waits_ns = begins_ns - now_ns;
        let has_room = waits_ns == 0
            || match *queue {
                Queue::Time(most) => u128::from(waits_ns) <= most.as_nanos(),
                Queue::Bytes(most) => {
                    let room = u128::from(most.saturating_sub(u64::from(length)));
                    u64::from(length) <= most
                        && u128::from(waits_ns) * u128::from(*bits_per_s)
                            <= room * u128::from(BYTE_NS)
                }
            };
        if !has_room {
            return None;
        }
        if waits_ns == 0 || self.rest_of != *bits_per_s {
            (self.rest, self.rest_of) = (0, *bits_per_s);
        }
        let (busy_ns, rest) = divided(u64::from(length), self.rest, *bits_per_s);
        self.rest = rest;
        self.busy_until_ns = begins_ns.saturating_add(busy_ns);
        Some(Sent { left_ns: self.busy_until_ns, busy_ns })
    }

    /// From when on a packet finds room, if nothing is sent before it.
    pub(crate) fn room_at(&self, rate: Option<&Rate>, length: u32, now_ns: u64) -> u64 {
        let Some(Rate { bits_per_s, queue }) = rate else { return now_ns };
        let most_ns = match *queue {
            Queue::Time(most) => u64::try_from(most.as_nanos()).unwrap_or(u64::MAX),
            Queue::Bytes(most) => {
                let free = u128::from(most.saturating_sub(u64::from(length)));
                let free_ns = free * u128::from(BYTE_NS) / u128::from(*bits_per_s);
                u64::try_from(free_ns).unwrap_or(u64::MAX)
            }
        };
        now_ns.max(self.busy_until_ns.saturating_sub(most_ns))
    }
}
