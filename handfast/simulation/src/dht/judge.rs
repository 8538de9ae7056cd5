//! Signatures that are modelled: as telling as real ones, and a thousand times cheaper.

use entity_crypto::derivation::sha256;
use entity_crypto::signing::{PublicKey, Signature};
use entity_dht::Judge;
use entity_wire::payload::dht::{Record, SignedRecord};

/// What stands for the keys of a world: whoever has it can sign for everybody, so only the world has it, and hands a
/// node nothing but records.
#[derive(Debug, Clone, Copy)]
pub struct Modelled {
    secret: [u8; 32],
}

impl Modelled {
    /// The signatures of one world.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// Signs a record for its owner.
    pub fn sign(&self, record: Record) -> SignedRecord {
        let signature = self.signature(&record.terms().owner, record.digest());
        SignedRecord { record, signature }
    }

    fn signature(&self, owner: &PublicKey, digest: &[u8; 32]) -> Signature {
        let mut data = [0; 96];
        data[..32].copy_from_slice(&self.secret);
        data[32..64].copy_from_slice(owner.as_bytes());
        data[64..].copy_from_slice(digest);
        let half = sha256(&data);
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&half);
        Signature::from_bytes(bytes)
    }
}

impl Judge for Modelled {
    fn is_genuine(&self, record: &SignedRecord) -> bool {
        let signed = self.signature(&record.record.terms().owner, record.record.digest());
        signed == record.signature
    }
}
