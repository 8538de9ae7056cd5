//! Accounts that pay: every member checks the signature of each of their orders, and the keys of those that pay often are prepared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity_crypto::signing::{InvalidSignature, PublicKey, Signature, SmallPreparedKey};

/// Keys that are remembered at a moment: 82 kB for each that is prepared, 21 MB for all. Guessed: the accounts that pay at the same time.
const PAYERS_MAX: usize = 256;

/// Orders that held under a key after which it is prepared, which costs as much as verifying three. Guessed.
const PREPARED_AFTER: u32 = 8;

/// The keys that paid last.
///
/// What is remembered changes how long a verdict takes and never the verdict. Only signatures that hold count, so that nobody has a
/// key prepared, or another one forgotten, by naming it.
#[derive(Debug, Default)]
pub(crate) struct Payers(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    payers: BTreeMap<PublicKey, Payer>,
    /// How often any of them was asked for.
    asked: u64,
}

#[derive(Debug)]
struct Payer {
    /// When it was asked for last.
    asked: u64,
    /// How many signatures held before it was prepared.
    held: u32,
    prepared: Option<Arc<SmallPreparedKey>>,
}

impl Payers {
    /// Verifies the signature of an owner: as [`PublicKey::verify`] does, sooner where the key has paid often.
    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), InvalidSignature> {
        let prepared = self.remembered().prepared(key);
        if let Some(prepared) = prepared {
            return prepared.verify(message, signature);
        }
        key.verify(message, signature)?;
        let is_due = self.remembered().note(key);
        if is_due && let Some(prepared) = SmallPreparedKey::new(key) {
            self.remembered().keep(key, prepared);
        }
        Ok(())
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // Nothing in it is half done at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    /// The key, where it is prepared.
    fn prepared(&mut self, key: &PublicKey) -> Option<Arc<SmallPreparedKey>> {
        let payer = self.payers.get_mut(key)?;
        self.asked += 1;
        payer.asked = self.asked;
        payer.prepared.clone()
    }

    /// Counts a signature that held under a key that is not prepared; says whether that is to be done now. Who is told so does it.
    fn note(&mut self, key: &PublicKey) -> bool {
        self.asked += 1;
        let asked = self.asked;
        if !self.payers.contains_key(key) && self.payers.len() >= PAYERS_MAX {
            let oldest = self.payers.iter().min_by_key(|(_, payer)| payer.asked);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.payers.remove(&oldest);
            }
        }
        let new = Payer { asked, held: 0, prepared: None };
        let payer = self.payers.entry(*key).or_insert(new);
        payer.asked = asked;
        payer.held += 1;
        payer.held == PREPARED_AFTER
    }

    /// Keeps a prepared key, unless it was forgotten meanwhile.
    fn keep(&mut self, key: &PublicKey, prepared: SmallPreparedKey) {
        if let Some(payer) = self.payers.get_mut(key) {
            payer.prepared = Some(Arc::new(prepared));
        }
    }
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;

    use super::*;

    fn key(number: usize) -> SigningKey {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
        SigningKey::from_seed(seed)
    }

    fn is_prepared(payers: &Payers, key: &PublicKey) -> bool {
        payers.remembered().payers.get(key).is_some_and(|payer| payer.prepared.is_some())
    }

    #[test]
    fn a_key_that_pays_often_is_judged_as_before_and_prepared() {
        let (payers, signer) = (Payers::default(), key(1));
        let public = signer.public_key();
        for order in 0..PREPARED_AFTER + 2 {
            assert_eq!(is_prepared(&payers, &public), order >= PREPARED_AFTER);
            let (message, other) = (order.to_be_bytes(), (order + 1).to_be_bytes());
            let signature = signer.sign(&message);
            assert_eq!(payers.verify(&public, &other, &signature), Err(InvalidSignature));
            assert_eq!(payers.verify(&public, &message, &signature), Ok(()));
        }
    }

    #[test]
    fn keys_are_bounded_and_those_that_pay_stay() {
        let payers = Payers::default();
        let often = key(0).public_key();
        let signature = key(0).sign(b"order");
        for _ in 0..PREPARED_AFTER {
            payers.verify(&often, b"order", &signature).unwrap();
        }
        for number in 1..PAYERS_MAX + 9 {
            let other = key(number);
            payers.verify(&other.public_key(), b"order", &other.sign(b"order")).unwrap();
            payers.verify(&often, b"order", &signature).unwrap();
        }
        assert!(is_prepared(&payers, &often));
        assert_eq!(payers.remembered().payers.len(), PAYERS_MAX);
        assert!(
            !payers.remembered().payers.contains_key(&key(1).public_key()),
            "the oldest is gone"
        );
        let last = key(PAYERS_MAX + 8).public_key();
        assert!(payers.remembered().payers.contains_key(&last));
    }
}
