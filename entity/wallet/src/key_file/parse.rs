//! Reading a key file, strictly.

use std::borrow::Cow;

use entity_crypto::encoding::base64_decode_array;
use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::render::{Form, render};
use super::{FORMAT, KeyFileError, KeyInfo, Purpose};
use crate::files::FILE_LEN_MAX;
use crate::handover::Handover;
use crate::kdf::{KdfParameters, SALT_LEN};

/// A key file in the one byte form.
pub(super) struct Parsed {
    pub(super) info: KeyInfo,
    pub(super) envelope: Envelope,
}

/// What follows `protection`.
pub(super) enum Envelope {
    Passphrase {
        kdf: KdfParameters,
        salt: [u8; SALT_LEN],
        nonce: [u8; 12],
        sealed: [u8; SEALED_LEN],
    },
    None {
        seed: Zeroizing<String>,
        check: String,
    },
}

/// The fields as they stand. Texts are borrowed from the file, so that no copy of a seed is made; a text with an escape,
/// which only a name may have, would need one and is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    format: &'a str,
    #[serde(borrow)]
    name: Cow<'a, str>,
    purpose: &'a str,
    public_key: &'a str,
    created_at: &'a str,
    #[serde(borrow)]
    handover: Option<&'a RawValue>,
    protection: &'a str,
    kdf: Option<&'a str>,
    kdf_memory_kib: Option<u32>,
    kdf_passes: Option<u32>,
    kdf_lanes: Option<u32>,
    salt: Option<&'a str>,
    cipher: Option<&'a str>,
    nonce: Option<&'a str>,
    sealed: Option<&'a str>,
    seed: Option<&'a str>,
    check: Option<&'a str>,
}

impl Parsed {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, KeyFileError> {
        if bytes.len() > FILE_LEN_MAX {
            return Err(KeyFileError::OtherFormat);
        }
        // What the library says could repeat a part of the file.
        let fields: Fields<'_> =
            serde_json::from_slice(bytes).map_err(|_| KeyFileError::OtherFormat)?;
        if fields.format != FORMAT {
            return Err(KeyFileError::OtherFormat);
        }
        let parsed = Self { info: info(&fields)?, envelope: envelope(&fields)? };
        // Everything that JSON lets one write in several ways ends here: order, spaces, escapes, digits, repeated keys.
        if parsed.rendered().as_slice() != bytes {
            return Err(KeyFileError::NotCanonical);
        }
        Ok(parsed)
    }

    fn rendered(&self) -> Zeroizing<Vec<u8>> {
        let form = match &self.envelope {
            Envelope::Passphrase { kdf, salt, nonce, sealed } => {
                Form::Passphrase { kdf: *kdf, salt, nonce, sealed }
            }
            Envelope::None { seed, check } => Form::None { seed, check },
        };
        render(&self.info, &form)
    }
}

fn info(fields: &Fields<'_>) -> Result<KeyInfo, KeyFileError> {
    let handover = fields.handover.map(|raw| Handover::parse(raw.get().as_bytes())).transpose();
    let info = KeyInfo {
        name: fields.name.parse().map_err(KeyFileError::Name)?,
        purpose: match fields.purpose {
            "identity" => Purpose::Identity,
            "retired" => Purpose::Retired,
            _ => return Err(KeyFileError::Malformed("purpose")),
        },
        public_key: PublicKey::from_hex(fields.public_key)
            .map_err(|_| KeyFileError::Malformed("public_key"))?,
        created_at: Timestamp::from_iso_strict(fields.created_at)
            .map_err(|_| KeyFileError::Malformed("created_at"))?,
        handover: handover.map_err(KeyFileError::Handover)?,
    };
    match &info.handover {
        Some(handover) if handover.new_key() != info.public_key => {
            Err(KeyFileError::Malformed("handover"))
        }
        Some(_) | None => Ok(info),
    }
}

fn envelope(fields: &Fields<'_>) -> Result<Envelope, KeyFileError> {
    match fields.protection {
        "passphrase" => protected(fields),
        "none" => Ok(Envelope::None {
            seed: Zeroizing::new(required("seed", fields.seed)?.to_owned()),
            check: required("check", fields.check)?.to_owned(),
        }),
        _ => Err(KeyFileError::Malformed("protection")),
    }
}

fn protected(fields: &Fields<'_>) -> Result<Envelope, KeyFileError> {
    if required("kdf", fields.kdf)? != "argon2id" {
        return Err(KeyFileError::Malformed("kdf"));
    }
    if required("cipher", fields.cipher)? != "aes-256-gcm" {
        return Err(KeyFileError::Malformed("cipher"));
    }
    let kdf = KdfParameters::new(
        required("kdf_memory_kib", fields.kdf_memory_kib)?,
        required("kdf_passes", fields.kdf_passes)?,
        required("kdf_lanes", fields.kdf_lanes)?,
    );
    let malformed = |field| move |_| KeyFileError::Malformed(field);
    Ok(Envelope::Passphrase {
        kdf: kdf.map_err(KeyFileError::Kdf)?,
        salt: base64_decode_array(required("salt", fields.salt)?).map_err(malformed("salt"))?,
        nonce: base64_decode_array(required("nonce", fields.nonce)?).map_err(malformed("nonce"))?,
        sealed: base64_decode_array(required("sealed", fields.sealed)?)
            .map_err(malformed("sealed"))?,
    })
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, KeyFileError> {
    value.ok_or(KeyFileError::Malformed(field))
}

/// Bytes of a sealed seed: the seed and the tag. Another length is refused before a key is derived for it.
const SEALED_LEN: usize = 32 + 16;
