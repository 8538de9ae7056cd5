//! From a passphrase to a key.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::pbkdf2;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::hygiene::scrubbing;
use crate::passphrase::Passphrase;

/// The parameters of Argon2id, version 0x13. They are stored in each key file and honoured when it is read.
///
/// A value of this type is within the bounds below: a file cannot make us compute for hours or fill the memory, and none
/// that says it is protected was made with next to no effort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParameters {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KdfParameters {
    /// For new key files: 64 MiB, 3 passes, 1 lane; RFC 9106 section 4, second choice, with one lane instead of four,
    /// because lanes are computed one after the other here.
    pub const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// The least that is accepted: 8 MiB, 1 pass, 1 lane.
    pub const LEAST: Self = Self { memory_kib: MEMORY_KIB_MIN, passes: PASSES_MIN, lanes: 1 };

    /// Checks parameters.
    ///
    /// # Errors
    ///
    /// [`KdfOutOfBounds`] names the one that is outside its bounds.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KdfOutOfBounds> {
        let within = |parameter, value, least, most| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(KdfOutOfBounds { parameter, value, least, most })
            }
        };
        within("kdf_memory_kib", memory_kib, MEMORY_KIB_MIN, MEMORY_KIB_MAX)?;
        within("kdf_passes", passes, PASSES_MIN, PASSES_MAX)?;
        within("kdf_lanes", lanes, 1, LANES_MAX)?;
        Ok(Self { memory_kib, passes, lanes })
    }

    /// KiB of memory.
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes of the memory.
    pub fn lanes(self) -> u32 {
        self.lanes
    }

    /// Derives the key of a key file. Takes some tenths of a second with [`KdfParameters::DEFAULT`].
    ///
    /// # Panics
    ///
    /// Never: the parameters are within the bounds of the library, too.
    pub(crate) fn derive(
        self,
        passphrase: &Passphrase,
        salt: &[u8; SALT_LEN],
    ) -> Zeroizing<[u8; KEY_LEN]> {
        let parameters =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_LEN)).expect("bounded");
        let mut key = Zeroizing::new([0; KEY_LEN]);
        // Our own memory, because the library gives its own back as it is: the key can be computed from it.
        let mut memory = vec![Block::default(); parameters.block_count()];
        let derived = scrubbing(|| {
            Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
                .hash_password_into_with_memory(
                    passphrase.prepared(),
                    salt,
                    key.as_mut_slice(),
                    &mut memory,
                )
        });
        for block in &mut memory {
            block.zeroize();
        }
        derived.expect("the lengths of passphrase, salt and key are those of Argon2");
        key
    }
}

/// Derives the key of both older formats: PBKDF2-HMAC-SHA256 with 600,000 rounds over the passphrase as it came.
pub(crate) fn derive_older(passphrase: &[u8], salt: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
    const ROUNDS: NonZeroU32 = NonZeroU32::new(OLDER_ROUNDS).unwrap();
    let mut key = Zeroizing::new([0; KEY_LEN]);
    scrubbing(|| {
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, passphrase, key.as_mut_slice());
    });
    key
}

/// A parameter of Argon2id outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("accept {parameter} = {value}: it is between {least} and {most}")]
pub struct KdfOutOfBounds {
    /// Its name in a key file.
    pub parameter: &'static str,
    /// Its value.
    pub value: u32,
    /// The least that is accepted.
    pub least: u32,
    /// The most that is accepted.
    pub most: u32,
}

/// Bytes of a salt of ours.
pub const SALT_LEN: usize = 32;
/// Bytes of a derived key.
pub const KEY_LEN: usize = 32;
/// Rounds of PBKDF2 in both older formats, whatever a file says.
pub const OLDER_ROUNDS: u32 = 600_000;

const MEMORY_KIB_MIN: u32 = 8 * 1024;
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MIN: u32 = 1;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;

#[cfg(test)]
mod tests;
