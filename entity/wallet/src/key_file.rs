//! The format of a key file.
//!
//! One JSON object in one byte form: this program's own. What is not exactly what it would write is refused, so a file
//! cannot be respelt, and everything outside the sealed seed is associated data of its seal. There is no byte that can be
//! changed without being noticed.
//!
//! ```text
//! {
//!   "format": "entity-key-1",
//!   "name": "entity-a",
//!   "purpose": "identity",
//!   "public_key": "64 hex",
//!   "created_at": "2026-01-02T03:04:05.000000+00:00",
//!   "handover": null,
//!   "protection": "passphrase",
//!   "kdf": "argon2id",
//!   "kdf_memory_kib": 65536,
//!   "kdf_passes": 3,
//!   "kdf_lanes": 1,
//!   "salt": "base64 of 32 bytes",
//!   "cipher": "aes-256-gcm",
//!   "nonce": "base64 of 12 bytes",
//!   "sealed": "base64 of the sealed seed, 48 bytes"
//! }
//! ```
//!
//! A file that says `"protection": "none"` has `seed` and `check`, a digest over the rest, instead of what follows
//! `protection`. It is only ever written for [`Protection::None`].
//!
//! *Source*: `docs/design/wallet.md#key-file`.

mod parse;
mod render;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::hex_encode;
use entity_crypto::entropy::Entropy;
use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::{PublicKey, SigningKey, labelled};
use entity_wire::time::Timestamp;
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::handover::{Handover, InvalidHandover};
use crate::hygiene::scrubbing;
use crate::kdf::{KdfOutOfBounds, KdfParameters};
use crate::name::{InvalidKeyName, KeyName};
use crate::passphrase::Passphrase;
use parse::{Envelope, Parsed};
use render::{Form, render};

/// What a key file says of its key. Only what [`open`] returns is known to be true; a list of files shows what they claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// The name.
    pub name: KeyName,
    /// What the key is for.
    pub purpose: Purpose,
    /// The public half.
    pub public_key: PublicKey,
    /// When the key was made or came into the wallet.
    pub created_at: Timestamp,
    /// How an earlier key named this one.
    pub handover: Option<Handover>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A peer speaks with it.
    Identity,
    /// It has handed over to a successor, and is kept to read what was meant for it.
    Retired,
}

impl Purpose {
    /// The word in a key file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Retired => "retired",
        }
    }
}

/// How a key file is to be protected.
#[derive(Debug, Clone, Copy)]
pub enum Protection<'a> {
    /// By a passphrase.
    Passphrase(&'a Passphrase, KdfParameters),
    /// Not at all: whoever reads the file has the key.
    None,
}

/// How a key file is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// By a passphrase.
    Passphrase(KdfParameters),
    /// Not at all.
    None,
}

/// Writes a key file.
///
/// # Panics
///
/// If `info` names another public key than that of `key`.
pub fn seal(
    info: &KeyInfo,
    key: &SigningKey,
    protection: Protection<'_>,
    entropy: &mut Entropy,
) -> Zeroizing<Vec<u8>> {
    assert_eq!(info.public_key, key.public_key(), "the key of another file");
    match protection {
        Protection::Passphrase(passphrase, kdf) => {
            let (salt, nonce) = (entropy.bytes(), entropy.bytes());
            let form = |sealed| Form::Passphrase { kdf, salt: &salt, nonce: &nonce, sealed };
            let associated = associated(info, &form(&[]));
            let derived = kdf.derive(passphrase, &salt);
            let sealed =
                scrubbing(|| SealingKey::new(*derived).seal(&nonce, &associated, key.seed()));
            render(info, &form(&sealed))
        }
        Protection::None => {
            let seed = key.seed_hex();
            let check = check_of(info, &seed);
            render(info, &Form::None { seed: &seed, check: &check })
        }
    }
}

/// Reads what a key file says, without a passphrase: its form is checked, its seal is not.
///
/// # Errors
///
/// [`KeyFileError`] where it is no key file in the one form.
pub fn inspect(bytes: &[u8]) -> Result<(KeyInfo, Protected), KeyFileError> {
    let Parsed { info, envelope } = Parsed::read(bytes)?;
    let protected = match envelope {
        Envelope::Passphrase { kdf, .. } => Protected::Passphrase(kdf),
        Envelope::None { .. } => Protected::None,
    };
    Ok((info, protected))
}

/// Opens a key file.
///
/// # Errors
///
/// [`KeyFileError`].
pub fn open(
    bytes: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<(SigningKey, KeyInfo), KeyFileError> {
    let Parsed { info, envelope } = Parsed::read(bytes)?;
    let key = match &envelope {
        Envelope::Passphrase { kdf, salt, nonce, sealed } => {
            let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
            let form = Form::Passphrase { kdf: *kdf, salt, nonce, sealed: &[] };
            let associated = associated(&info, &form);
            let derived = kdf.derive(passphrase, salt);
            scrubbing(|| {
                let opened = SealingKey::new(*derived)
                    .open(nonce, &associated, sealed)
                    .map_err(|_| KeyFileError::NotOpened)?;
                key_of(&opened)
            })?
        }
        Envelope::None { seed, check } => {
            if check_of(&info, seed) != *check {
                return Err(KeyFileError::Changed);
            }
            let malformed = |_| KeyFileError::Malformed("seed");
            scrubbing(|| SigningKey::from_seed_hex(seed).map_err(malformed))?
        }
    };
    if key.public_key() != info.public_key {
        return Err(KeyFileError::KeyMismatch);
    }
    Ok((key, info))
}

fn key_of(seed: &[u8]) -> Result<SigningKey, KeyFileError> {
    let seed = seed.try_into().map_err(|_| KeyFileError::Malformed("sealed"))?;
    Ok(SigningKey::from_seed_at(seed))
}

/// Everything in the file but the sealed text, under a label that nothing else has.
fn associated(info: &KeyInfo, form: &Form<'_>) -> Vec<u8> {
    labelled("entity-key-file", &render(info, form))
}

fn check_of(info: &KeyInfo, seed: &str) -> String {
    let mut bytes = labelled("entity-key-check", &render(info, &Form::None { seed, check: "" }));
    let check = hex_encode(&sha256(&bytes));
    bytes.zeroize();
    check
}

/// Why bytes are not a key file, or do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// It is no JSON of a key file at all; perhaps of another format.
    #[error("read a key file: it is not of the format {FORMAT}")]
    OtherFormat,
    /// A field is missing, or has a value it cannot have; names the field.
    #[error("read a key file: {0} is missing or malformed")]
    Malformed(&'static str),
    /// It is written in another way than this program writes it.
    #[error("read a key file: it was changed, or written by another program")]
    NotCanonical,
    /// The name cannot be one.
    #[error(transparent)]
    Name(InvalidKeyName),
    /// Its hand-over does not verify.
    #[error(transparent)]
    Handover(InvalidHandover),
    /// Its Argon2 parameters are outside the bounds.
    #[error(transparent)]
    Kdf(KdfOutOfBounds),
    /// It needs a passphrase.
    #[error("open a key file: it needs its passphrase")]
    PassphraseNeeded,
    /// The seal does not hold.
    #[error("open a key file: the passphrase is wrong, or the file was changed")]
    NotOpened,
    /// The check of an unprotected file does not hold.
    #[error("open a key file: it was changed")]
    Changed,
    /// The seed belongs to another public key than the file names.
    #[error("open a key file: its public key is not that of its seed")]
    KeyMismatch,
}

/// The first field of every key file of ours.
pub const FORMAT: &str = "entity-key-1";

#[cfg(test)]
mod tests;
