//! What verifying costs under a key that is prepared because many signatures came under it.

use std::hint::black_box;

use entity_crypto::signing::{PreparedKey, SigningKey};

use crate::crypto;

/// Verifications a second, on all cores.
pub(crate) fn rate_of_all() -> f64 {
    let key = SigningKey::from_seed([1; 32]);
    let prepared = PreparedKey::new(&key.public_key()).unwrap();
    let message = [b'x'; crypto::MESSAGE_LEN];
    let signature = key.sign(&message);
    crypto::rate_of_all(&|| prepared.verify(black_box(&message), &signature).unwrap())
}
