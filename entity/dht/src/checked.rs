//! Proof that a record is its owner's.

use std::sync::Arc;

use entity_wire::payload::dht::{Record, SignedRecord};
use thiserror::Error;

/// Says whether the owner of a record has signed it.
///
/// A seam because very large networks are simulated with signatures that are modelled, not computed. Whoever implements
/// it owes that nobody but the holder of the owner's key can make a record that passes.
pub trait Judge {
    /// Whether the signature holds.
    fn is_genuine(&self, record: &SignedRecord) -> bool;
}

/// Verifies the signature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ed25519;

impl Judge for Ed25519 {
    fn is_genuine(&self, record: &SignedRecord) -> bool {
        record.is_genuine()
    }
}

/// A record is not its owner's. Who hands such a one on has not checked it, or made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a record whose signature does not hold")]
pub struct Forged;

/// A record that a [`Judge`] has let pass. There is no other way to make one, and the table takes nothing else.
#[derive(Debug, PartialEq)]
pub struct CheckedRecord(SignedRecord);

impl CheckedRecord {
    /// Checks a record. Costs a verification, so it is a step apart from the table: the caller decides where it is paid.
    ///
    /// # Errors
    ///
    /// The judge does not let it pass.
    pub fn check(record: SignedRecord, judge: &impl Judge) -> Result<Arc<Self>, Forged> {
        if judge.is_genuine(&record) { Ok(Arc::new(Self(record))) } else { Err(Forged) }
    }

    /// Takes a record that was checked before it was kept.
    pub(crate) fn kept(record: SignedRecord) -> Arc<Self> {
        Arc::new(Self(record))
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.0.record
    }

    /// The record with its signature.
    pub fn signed(&self) -> &SignedRecord {
        &self.0
    }
}
