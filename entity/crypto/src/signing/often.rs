//! Keys whose signatures come often: those under which many held are prepared, for whoever verifies the next.
//!
//! What is remembered changes how long a verdict takes and never the verdict. Only signatures that hold count, so that nobody
//! has a key prepared, or another one forgotten, by naming it: each of these costs the signatures of an identity that is believed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use curve25519_dalek::edwards::EdwardsPoint;

use super::prepared::judge;
use super::{Claim, InvalidSignature, PUBLIC_KEY_LEN, PreparedKey, PublicKey, Signature};

/// Keys that are prepared at a moment: 10 MB of them. Guessed: the peers that a busy node talks to at the same time.
const PREPARED_MAX: usize = 16;

/// Signatures that held under a key after which it is prepared, which costs as much as verifying twenty. A peer that opens a session
/// and says little stays below.
const PREPARED_AFTER: u32 = 64;

/// Places for counts of keys that are not prepared: 10 kB.
const COUNTS: usize = 256;

/// Verifies a signature under a key: as [`PublicKey::verify`] does, sooner where the key is prepared.
pub(super) fn verify(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), InvalidSignature> {
    if let Some(prepared) = often().prepared(key) {
        return prepared.verify(message, signature);
    }
    key.verify(message, signature)?;
    if often().is_due(key)
        && let Some(prepared) = PreparedKey::new(key)
    {
        often().keep(prepared);
    }
    Ok(())
}

/// Verifies several: each as [`verify`] does. Points have to be encoded for it, of which several cost little more than one.
pub(super) fn verify_all(claims: &[Claim<'_>]) -> Vec<Result<(), InvalidSignature>> {
    let prepared: Vec<_> = {
        let mut often = often();
        claims.iter().map(|claim| often.prepared(claim.key)).collect()
    };
    verify_each(claims, &prepared)
}

/// Does so with the prepared key of each, where there is one.
pub(super) fn verify_each(
    claims: &[Claim<'_>],
    prepared: &[Option<Arc<PreparedKey>>],
) -> Vec<Result<(), InvalidSignature>> {
    let expected: Vec<_> = claims
        .iter()
        .zip(prepared)
        .map(|(claim, key)| key.as_ref().map(|key| key.expected(claim.message, claim.signature)))
        .collect();
    let points: Vec<_> = expected.iter().filter_map(|expected| expected.as_ref()?.ok()).collect();
    let mut encoded = EdwardsPoint::compress_batch_alloc(&points).into_iter();
    let verdicts = claims.iter().zip(expected).map(|(claim, expected)| match expected {
        None => verify(claim.key, claim.message, claim.signature),
        Some(expected) => expected.and_then(|_| {
            // There is one for each that has a point.
            encoded.next().map_or(Err(InvalidSignature), |point| judge(claim.signature, point))
        }),
    });
    verdicts.collect()
}

fn often() -> MutexGuard<'static, Often> {
    static OFTEN: Mutex<Often> = Mutex::new(Often::new());
    // Nothing in it is half done at any moment.
    OFTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The prepared keys, and how often others were seen.
struct Often {
    prepared: Vec<Held>,
    counts: Vec<Count>,
    /// How often a prepared key was asked for.
    asked: u64,
}

struct Held {
    key: Arc<PreparedKey>,
    /// When it was asked for last.
    asked: u64,
}

/// Of the key that was seen last of those that share its place.
#[derive(Clone, Copy)]
struct Count {
    key: [u8; PUBLIC_KEY_LEN],
    count: u32,
}

impl Often {
    const fn new() -> Self {
        Self { prepared: Vec::new(), counts: Vec::new(), asked: 0 }
    }

    /// The key, where it is prepared.
    fn prepared(&mut self, key: &PublicKey) -> Option<Arc<PreparedKey>> {
        let held = self.prepared.iter_mut().find(|held| held.key.key() == key)?;
        self.asked += 1;
        held.asked = self.asked;
        Some(Arc::clone(&held.key))
    }

    /// Counts a signature that held under a key that is not prepared; says whether that is to be done now. Who is told so does it.
    fn is_due(&mut self, key: &PublicKey) -> bool {
        if self.counts.is_empty() {
            self.counts = vec![Count { key: [0; PUBLIC_KEY_LEN], count: 0 }; COUNTS];
        }
        let [first, ..] = *key.as_bytes();
        let Some(place) = self.counts.get_mut(usize::from(first)) else { return false };
        if place.key != *key.as_bytes() {
            *place = Count { key: *key.as_bytes(), count: 0 };
        }
        place.count += 1;
        if place.count < PREPARED_AFTER {
            return false;
        }
        place.count = 0;
        true
    }

    /// Keeps a prepared key, in place of the one that was not asked for the longest where there is no room.
    fn keep(&mut self, key: PreparedKey) {
        // Two may have prepared it at the same time.
        if self.prepared.iter().any(|held| held.key.key() == key.key()) {
            return;
        }
        self.asked += 1;
        let held = Held { key: Arc::new(key), asked: self.asked };
        if self.prepared.len() < PREPARED_MAX {
            self.prepared.push(held);
        } else if let Some(oldest) = self.prepared.iter_mut().min_by_key(|held| held.asked) {
            *oldest = held;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::SigningKey;

    fn key(number: u32) -> PublicKey {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        SigningKey::from_seed(seed).public_key()
    }

    fn seen(often: &mut Often, key: &PublicKey, times: u32) -> bool {
        (0..times).any(|_| often.is_due(key))
    }

    fn held(often: &Often, key: &PublicKey) -> bool {
        often.prepared.iter().any(|held| held.key.key() == key)
    }

    #[test]
    fn a_key_is_due_after_so_many_signatures_and_once() {
        let mut often = Often::new();
        assert!(!seen(&mut often, &key(1), PREPARED_AFTER - 1));
        assert!(often.is_due(&key(1)));
        assert!(!seen(&mut often, &key(1), PREPARED_AFTER - 1), "while it is being prepared");
    }

    #[test]
    fn a_key_that_shares_its_place_only_makes_another_wait() {
        let mut often = Often::new();
        let one = key(1);
        let other =
            (2..100_000).map(key).find(|key| key.as_bytes()[0] == one.as_bytes()[0]).unwrap();
        assert!(!seen(&mut often, &one, PREPARED_AFTER - 1));
        assert!(!often.is_due(&other));
        assert!(!seen(&mut often, &one, PREPARED_AFTER - 1));
        assert!(often.is_due(&one));
    }

    #[test]
    fn prepared_keys_are_bounded_and_those_in_use_stay() {
        let mut often = Often::new();
        let count = u32::try_from(PREPARED_MAX).unwrap();
        for number in 0..count {
            often.keep(PreparedKey::new(&key(number)).unwrap());
            often.keep(PreparedKey::new(&key(number)).unwrap());
        }
        assert_eq!(often.prepared.len(), PREPARED_MAX);
        assert_eq!(often.prepared(&key(0)).unwrap().key(), &key(0));
        assert!(often.prepared(&key(count)).is_none());
        for number in count..count + 3 {
            often.keep(PreparedKey::new(&key(number)).unwrap());
        }
        assert_eq!(often.prepared.len(), PREPARED_MAX);
        assert!(held(&often, &key(0)), "it was asked for");
        assert!((1..4).all(|number| !held(&often, &key(number))));
        assert!((4..count + 3).all(|number| held(&often, &key(number))));
    }

    #[test]
    fn a_key_that_comes_often_is_judged_as_before_and_prepared() {
        let signer = SigningKey::from_seed([0xee; 32]);
        let key = signer.public_key();
        for count in 0..PREPARED_AFTER + 2 {
            let (message, other) = (count.to_be_bytes(), (count + 1).to_be_bytes());
            let signature = signer.sign(&message);
            assert_eq!(key.verify_often(&other, &signature), Err(InvalidSignature));
            assert_eq!(key.verify_often(&message, &signature), Ok(()));
        }
        assert!(held(&often(), &key));
    }

    #[test]
    fn several_are_judged_each_by_itself() {
        let signers = [0xe0, 0xe1, 0xe2].map(|seed| SigningKey::from_seed([seed; 32]));
        for signer in &signers[..2] {
            often().keep(PreparedKey::new(&signer.public_key()).unwrap());
        }
        let keys = signers.each_ref().map(SigningKey::public_key);
        let mut signed = Vec::new();
        for at in 0..12_u8 {
            let by = usize::from(at) % signers.len();
            let mut signature = signers[by].sign(&[at]).to_bytes();
            match at / 3 {
                1 => signature[0] ^= 1,
                // S >= L.
                2 => signature[63] |= 0xf0,
                _ => {}
            }
            signed.push((by, [at], Signature::from_bytes(signature)));
        }
        let claims: Vec<_> = signed
            .iter()
            .map(|(by, message, signature)| Claim { key: &keys[*by], message, signature })
            .collect();
        for count in 0..=claims.len() {
            let expected: Vec<_> = claims[..count]
                .iter()
                .map(|claim| claim.key.verify(claim.message, claim.signature))
                .collect();
            assert_eq!(verify_all(&claims[..count]), expected);
        }
        let valid =
            claims.iter().filter(|claim| claim.key.verify(claim.message, claim.signature).is_ok());
        assert_eq!(valid.count(), 6);
    }
}
