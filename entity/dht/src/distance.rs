//! How far two points lie apart.

use std::fmt;

use entity_wire::payload::dht::{NodeId, Point};

/// The XOR of two points as an unsigned number of 256 bits.
///
/// It is a metric in which every distance from a point leads to exactly one other point, so whoever looks for a point
/// comes nearer on the same nodes, wherever it began.
///
/// Source: `docs/protocol/1.1.md#node-ids-and-keys`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distance([u64; 4]);

impl Distance {
    /// From a point to itself.
    pub const ZERO: Self = Self([0; 4]);

    /// The distance of two points.
    pub fn between(a: impl Into<Point>, b: impl Into<Point>) -> Self {
        let (a, b) = (words(&a.into()), words(&b.into()));
        Self([a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]])
    }

    /// How many leading bits the points have in common: 0 to 256.
    pub fn common_bits(self) -> usize {
        let mut bits = 0;
        for word in self.0 {
            let zeros = word.leading_zeros();
            bits += zeros;
            if zeros < u64::BITS {
                break;
            }
        }
        bits as usize
    }
}

impl fmt::Debug for Distance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Distance({} bits in common)", self.common_bits())
    }
}

fn words(point: &Point) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(point.as_bytes().chunks_exact(8)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
}

/// A point that has exactly `common` leading bits in common with a node, and the rest of `random`. For 256 it is the node.
pub fn point_beside(node: NodeId, common: usize, random: [u8; 32]) -> Point {
    let own = node.as_bytes();
    let mut bytes = random;
    for (index, byte) in bytes.iter_mut().enumerate() {
        let kept = common.saturating_sub(index * 8).min(8);
        // The high `kept` bits are the node's.
        let mask = !(0xff_u16 >> kept).to_be_bytes()[1];
        *byte = own[index] & mask | *byte & !mask;
        if kept < 8 && index * 8 + kept == common {
            let bit = 0x80_u8 >> kept;
            *byte = *byte & !bit | !own[index] & bit;
        }
    }
    Point::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn between(a: [u8; 32], b: [u8; 32]) -> Distance {
        Distance::between(Point::from_bytes(a), Point::from_bytes(b))
    }

    /// The sum, where it fits.
    fn plus(a: Distance, b: Distance) -> Option<Distance> {
        let (mut sum, mut carry) = ([0; 4], false);
        for index in (0..4).rev() {
            let (low, first) = a.0[index].overflowing_add(b.0[index]);
            let (low, second) = low.overflowing_add(u64::from(carry));
            (sum[index], carry) = (low, first || second);
        }
        (!carry).then_some(Distance(sum))
    }

    #[test]
    fn the_first_byte_counts_most() {
        let at = |index: usize, value: u8| {
            let mut bytes = [0; 32];
            bytes[index] = value;
            bytes
        };
        assert!(between([0; 32], at(0, 1)) > between([0; 32], at(1, 255)));
        assert!(between([0; 32], at(7, 1)) > between([0; 32], at(8, 255)));
        assert_eq!(between([0; 32], at(0, 0x80)).common_bits(), 0);
        assert_eq!(between([0; 32], at(9, 0x10)).common_bits(), 75);
        assert_eq!(Distance::ZERO.common_bits(), 256);
    }

    proptest! {
        #[test]
        fn it_is_a_metric(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            prop_assert_eq!(between(a, a), Distance::ZERO);
            prop_assert_eq!(between(a, b), between(b, a));
            prop_assert_eq!(between(a, b) == Distance::ZERO, a == b);
            if let Some(way) = plus(between(a, b), between(b, c)) {
                prop_assert!(between(a, c) <= way);
            }
        }

        #[test]
        fn every_distance_leads_to_one_point(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            prop_assert_eq!(between(a, b) == between(a, c), b == c);
        }

        #[test]
        fn a_point_beside_has_exactly_so_many_bits_in_common(own: [u8; 32], random: [u8; 32], common in 0_usize..256) {
            let point = point_beside(NodeId::from_bytes(own), common, random);
            prop_assert_eq!(Distance::between(NodeId::from_bytes(own), point).common_bits(), common);
        }

        #[test]
        fn the_point_beside_all_bits_is_the_node(own: [u8; 32], random: [u8; 32]) {
            let point = point_beside(NodeId::from_bytes(own), 256, random);
            prop_assert_eq!(point.as_bytes(), &own);
        }
    }
}
