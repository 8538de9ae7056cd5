//! Where a node's randomness comes from: the operating system, or a given text in a test peer.

use entity_crypto::derivation::sha256;
use entity_crypto::signing::{SigningKey, labelled};

/// The system gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("get randomness from the operating system")]
pub struct NoEntropy(#[source] getrandom::Error);

/// 32 bytes from the operating system.
///
/// # Errors
///
/// [`NoEntropy`] if the system has none to give; a node must not start then.
pub fn from_system() -> Result<[u8; 32], NoEntropy> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(NoEntropy)?;
    Ok(seed)
}

/// Everything random in a test peer, derived from a text: `HANDFAST_SEED` of the peer contract.
///
/// Peers of one run share the text, so the peer's name goes in as well. Never secret: whoever knows the text knows the key.
#[derive(Debug, Clone)]
pub struct TestSeed {
    name: String,
    text: String,
}

impl TestSeed {
    /// The seed of the peer `name` in a run with the seed `text`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The identity: the same in every start.
    pub fn identity(&self) -> SigningKey {
        SigningKey::from_seed(self.derive("entity-test-identity", 0))
    }

    /// The randomness of the `start`-th start, counted from 0.
    ///
    /// Each start has its own: a restarted peer that repeated its nonces would rightly be refused as a replay.
    pub fn randomness(&self, start: u64) -> [u8; 32] {
        self.derive("entity-test-randomness", start)
    }

    fn derive(&self, label: &str, start: u64) -> [u8; 32] {
        let mut data = start.to_be_bytes().to_vec();
        // The name cannot contain the separator's length prefix, so no two (name, text) pairs give the same bytes.
        data.extend_from_slice(&u64::try_from(self.name.len()).unwrap_or(u64::MAX).to_be_bytes());
        data.extend_from_slice(self.name.as_bytes());
        data.extend_from_slice(self.text.as_bytes());
        sha256(&labelled(label, &data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_key_and_another_name_another_key() {
        let key = |name, text| TestSeed::new(name, text).identity().public_key();
        assert_eq!(key("a", "7"), key("a", "7"));
        assert_ne!(key("a", "7"), key("b", "7"));
        assert_ne!(key("a", "b7"), key("ab", "7"));
    }

    #[test]
    fn each_start_has_its_own_randomness() {
        let seed = TestSeed::new("a", "7");
        assert_eq!(seed.randomness(1), seed.randomness(1));
        assert_ne!(seed.randomness(0), seed.randomness(1));
        assert_ne!(from_system().unwrap(), from_system().unwrap());
    }
}
