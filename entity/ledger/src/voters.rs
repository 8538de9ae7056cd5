//! Votes of members, whose few keys verify most signatures of a ledger: those that vote often are prepared.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use entity_crypto::signing::{InvalidSignature, PreparedKey, PublicKey, Signature};

use crate::committee::Committee;

/// Members whose keys are prepared: 655 kB each. Guessed: of a larger committee the first ones vote as often as the others.
const PREPARED_MAX: usize = 8;

/// Votes of a member after which its key is prepared: that costs as much as verifying twenty signatures.
const PREPARED_AFTER: u32 = 64;

/// How often each member's votes were verified, and the keys that were prepared for it.
#[derive(Debug)]
pub(crate) struct Voters {
    /// In the order of the committee, at most [`PREPARED_MAX`].
    voters: Vec<Voter>,
}

#[derive(Debug, Default)]
struct Voter {
    verified: AtomicU32,
    prepared: OnceLock<Option<PreparedKey>>,
}

impl Voters {
    pub(crate) fn of(committee: &Committee) -> Self {
        let voters = committee.members().iter().take(PREPARED_MAX).map(|_| Voter::default());
        Self { voters: voters.collect() }
    }

    /// Verifies a signature of the member with this place in the committee.
    pub(crate) fn verify(
        &self,
        (place, member): (usize, &PublicKey),
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), InvalidSignature> {
        let Some(voter) = self.voters.get(place) else {
            return member.verify(message, signature);
        };
        if voter.verified.load(Ordering::Relaxed) < PREPARED_AFTER {
            voter.verified.fetch_add(1, Ordering::Relaxed);
            return member.verify(message, signature);
        }
        match voter.prepared.get_or_init(|| PreparedKey::new(member)) {
            Some(prepared) => prepared.verify(message, signature),
            None => member.verify(message, signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;

    use super::*;

    #[test]
    fn a_member_that_votes_often_is_judged_as_before() {
        let key = SigningKey::from_seed([1; 32]);
        let committee = Committee::new(&[key.public_key()]);
        let voters = Voters::of(&committee);
        let member = key.public_key();
        for vote in 0..PREPARED_AFTER + 2 {
            let (message, other) = (vote.to_be_bytes(), (vote + 1).to_be_bytes());
            let signature = key.sign(&message);
            assert_eq!(voters.verify((0, &member), &message, &signature), Ok(()));
            assert_eq!(voters.verify((0, &member), &other, &signature), Err(InvalidSignature));
        }
        assert!(voters.voters[0].prepared.get().is_some());
        // Beyond the prepared ones.
        let signature = key.sign(b"vote");
        assert_eq!(voters.verify((PREPARED_MAX, &member), b"vote", &signature), Ok(()));
        assert!(voters.verify((PREPARED_MAX, &member), b"other", &signature).is_err());
    }
}
