//! Who votes, and how many of them make a certificate.

use entity_crypto::signing::PublicKey;

/// The members of a ledger's committee, ascending.
///
/// Source: `docs/protocol/1.1.md#committee`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    members: Vec<PublicKey>,
}

impl Committee {
    /// The committee of these members, which are distinct, ascending and at least one.
    pub(crate) fn new(members: &[PublicKey]) -> Self {
        Self { members: members.to_vec() }
    }

    /// The members, ascending.
    pub fn members(&self) -> &[PublicKey] {
        &self.members
    }

    /// How many members there are, n.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// How many members may lie, f = floor((n - 1) / 3).
    pub fn faults(&self) -> usize {
        (self.members.len() - 1) / 3
    }

    /// How many votes make a certificate, n - f.
    ///
    /// Any two quorums share n - 2f >= f + 1 members, one of them honest: it votes once for a slot, so there are never
    /// two certificates for one.
    pub fn quorum(&self) -> usize {
        self.members.len() - self.faults()
    }

    /// Whether a key is a member's.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.place(key).is_some()
    }

    /// The place of a member, from 0.
    pub(crate) fn place(&self, key: &PublicKey) -> Option<usize> {
        self.members.binary_search(key).ok()
    }

    /// The members but one.
    pub fn others<'a>(&'a self, key: &'a PublicKey) -> impl Iterator<Item = &'a PublicKey> {
        self.members.iter().filter(move |member| *member != key)
    }
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;

    use super::*;

    #[test]
    fn quorums_are_those_of_the_protocol() {
        // docs/protocol/1.1.md#committee
        let mut members: Vec<_> =
            (0..=7).map(|seed| SigningKey::from_seed([seed; 32]).public_key()).collect();
        members.sort_unstable();
        let sizes = |n: usize| {
            let committee = Committee::new(&members[..n]);
            (committee.faults(), committee.quorum())
        };
        let expected = [(0, 1), (0, 2), (0, 3), (1, 3), (1, 4), (1, 5), (2, 5)];
        for (n, expected) in (1..).zip(expected) {
            assert_eq!(sizes(n), expected, "{n} members");
        }
        let committee = Committee::new(&members[..2]);
        assert!(committee.contains(&members[1]));
        assert!(!committee.contains(&members[2]));
        assert_eq!(committee.others(&members[0]).collect::<Vec<_>>(), [&members[1]]);
    }
}
