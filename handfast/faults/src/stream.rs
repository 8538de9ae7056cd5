//! Chance that is looked up, not used up: the throw for a packet follows from the seed, the direction, the kind of the
//! fault and the number of the packet, and from nothing that was thrown before.
//!
//! So a fault that is turned on moves the throws of no other, and one that is turned off for a while leaves those behind
//! it where they were. `ChaCha` makes a key a stream; a throw is `SplitMix64` at a place in its sequence (G. L. Steele,
//! D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// One kind of chance in one direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    key: u64,
}

impl Stream {
    /// The chance of `kind` on packets of `direction`.
    pub(crate) fn new(seed: u64, direction: &str, kind: &str) -> Self {
        let mut bytes = [0; 32];
        let parts = [seed, digest(direction), digest(kind)];
        for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        Self { key: ChaCha8Rng::from_seed(bytes).next_u64() }
    }

    /// 64 even bits for a packet; up to [`LANES`](Self::LANES) apart from each other.
    pub(crate) fn throw(self, number: u64, lane: u64) -> u64 {
        debug_assert!(lane < Self::LANES, "a lane of the next packet");
        let place = number.wrapping_mul(Self::LANES).wrapping_add(lane + 1);
        mix(self.key.wrapping_add(place.wrapping_mul(GOLDEN)))
    }

    /// Throws for one packet.
    pub(crate) const LANES: u64 = 4;
}

/// 2^64 divided by the golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of `SplitMix64`, its variant 13.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// FNV-1a, which spreads short names well enough for a seed.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_throws_of_a_seed_are_for_ever() {
        let stream = Stream::new(7, "a -> b", "loss");
        let throws = [stream.throw(0, 0), stream.throw(0, 1), stream.throw(1, 0)];
        assert_eq!(throws, GOLDEN_THROWS);
    }

    const GOLDEN_THROWS: [u64; 3] =
        [15_986_431_198_510_153_653, 13_789_614_225_158_645_286, 11_802_736_448_569_928_587];

    #[test]
    fn no_two_throws_of_streams_and_packets_are_the_same() {
        let mut seen = BTreeSet::new();
        for (direction, kind) in [("a -> b", "loss"), ("b -> a", "loss"), ("a -> b", "delay")] {
            let stream = Stream::new(7, direction, kind);
            for number in 0..1_000 {
                for lane in 0..Stream::LANES {
                    assert!(seen.insert(stream.throw(number, lane)));
                }
            }
        }
    }

    #[test]
    fn bits_of_throws_are_even() {
        let stream = Stream::new(1, "a -> b", "loss");
        let count = 20_000_u64;
        for bit in 0..64 {
            let ones = (0..count).filter(|&number| stream.throw(number, 0) >> bit & 1 == 1).count();
            // Five standard deviations of a fair coin.
            assert!((9_640..=10_360).contains(&ones), "bit {bit} was set {ones} times");
        }
    }
}
