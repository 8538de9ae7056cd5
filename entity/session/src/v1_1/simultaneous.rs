//! Who goes on when both sides open at once (`docs/protocol/1.1.md#simultaneous-open`).

use entity_crypto::signing::PublicKey;

/// Whose step 1 survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivor {
    /// Ours: the peer's step 1 is answered with `HANDSHAKE_IN_PROGRESS`.
    Ours,
    /// The peer's: our own handshake is dropped and we respond.
    Theirs,
}

/// Decides by identity keys, compared as 32 unsigned bytes: the step 1 of the smaller key survives.
///
/// Both sides come to the same decision without a further message. A key never meets itself: a message
/// from this node to this node is refused earlier.
pub fn survivor(own: &PublicKey, peer: &PublicKey) -> Survivor {
    if own.as_bytes() < peer.as_bytes() { Survivor::Ours } else { Survivor::Theirs }
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;

    use super::*;

    #[test]
    fn both_sides_agree_and_the_smaller_key_survives() {
        for seed in 0..20_u8 {
            let one = SigningKey::from_seed([seed; 32]).public_key();
            let other = SigningKey::from_seed([seed + 100; 32]).public_key();
            let expected =
                if one.as_bytes() < other.as_bytes() { Survivor::Ours } else { Survivor::Theirs };
            let opposite =
                if expected == Survivor::Ours { Survivor::Theirs } else { Survivor::Ours };
            assert_eq!(survivor(&one, &other), expected);
            assert_eq!(survivor(&other, &one), opposite);
        }
    }

    #[test]
    fn bytes_compare_as_unsigned() {
        let mut keys: Vec<PublicKey> =
            (0..64_u8).map(|seed| SigningKey::from_seed([seed; 32]).public_key()).collect();
        keys.sort_by_key(|key| *key.as_bytes());
        let low = keys.first().unwrap();
        let high = keys.last().unwrap();
        assert!(low.as_bytes()[0] < 0x80 && high.as_bytes()[0] >= 0x80, "64 keys span both halves");
        assert_eq!(survivor(low, high), Survivor::Ours);
    }
}
