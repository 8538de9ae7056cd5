//! The two key file formats of the earlier peer.
//!
//! Both seal the 32-byte seed with AES-256-GCM, without associated data, under PBKDF2-HMAC-SHA256 with 600,000 rounds over
//! the bytes of the passphrase as they are. The key store adds an id and may also hold the seed in the clear; the wallet
//! has neither. Nothing beside the seed is authenticated; the public key is compared with that of the seed.
//!
//! Two tolerances of the earlier reader are kept, each with a [`Note`], because refusing would protect nobody and lose
//! keys: the number of rounds in a file is not used, and the id can be any.
//!
//! *Source*: `docs/protocol/1.0.md#older-key-files`.

use std::borrow::Cow;

use entity_crypto::encoding::{base64_decode_array, base64_encode};
use entity_crypto::entropy::Entropy;
use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::time::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Foreign, ForeignError, Format, Note};
use crate::hygiene::scrubbing;
use crate::kdf::{OLDER_ROUNDS, derive_older};
use crate::passphrase::Passphrase;

/// The fields of both formats. Fields of other names are ignored, as the earlier reader does.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    entity_id: Option<Cow<'a, str>>,
    public_key: &'a str,
    encrypted: Option<bool>,
    private_key: Option<&'a str>,
    encrypted_private_key: Option<&'a str>,
    salt: Option<&'a str>,
    nonce: Option<&'a str>,
    algorithm: Option<&'a str>,
    kdf: Option<&'a str>,
    kdf_iterations: Option<u64>,
}

/// Which of the two formats a JSON object looks like.
pub(super) enum Sniffed {
    Keystore,
    Wallet,
    Neither,
}

/// Tells the two formats apart from our own and from each other.
pub(super) fn sniff(bytes: &[u8]) -> Sniffed {
    #[derive(Deserialize)]
    struct Sniff<'a> {
        #[serde(borrow)]
        format: Option<&'a serde_json::value::RawValue>,
        #[serde(borrow)]
        version: Option<&'a serde_json::value::RawValue>,
        #[serde(borrow)]
        entity_id: Option<&'a serde_json::value::RawValue>,
    }
    match serde_json::from_slice::<Sniff<'_>>(bytes) {
        Ok(Sniff { format: None, version: Some(_), entity_id: Some(_) }) => Sniffed::Keystore,
        Ok(Sniff { format: None, version: Some(_), entity_id: None }) => Sniffed::Wallet,
        Ok(_) | Err(_) => Sniffed::Neither,
    }
}

/// Reads a file of the earlier peer's key store.
///
/// # Errors
///
/// [`ForeignError`].
pub fn read_keystore(
    bytes: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<Foreign, ForeignError> {
    let fields = parse(bytes)?;
    let id = fields.entity_id.as_deref().ok_or(ForeignError::Malformed("entity_id"))?.to_owned();
    let mut notes = vec![Note::IdNotAuthenticated];
    let key = if fields.encrypted.ok_or(ForeignError::Malformed("encrypted"))? {
        if fields.algorithm != Some("AES-256-GCM") {
            return Err(ForeignError::Malformed("algorithm"));
        }
        if fields.kdf != Some("PBKDF2-SHA256") {
            return Err(ForeignError::Malformed("kdf"));
        }
        if let Some(said) = fields.kdf_iterations.filter(|said| *said != u64::from(OLDER_ROUNDS)) {
            notes.push(Note::RoundsIgnored { said });
        }
        open(&fields, passphrase)?
    } else {
        notes.push(Note::Unprotected);
        let seed = fields.private_key.ok_or(ForeignError::Malformed("private_key"))?;
        scrubbing(|| SigningKey::from_seed_hex(seed))
            .map_err(|_| ForeignError::Malformed("private_key"))?
    };
    check_public_key(&fields, &key)?;
    Ok(Foreign { key, format: Format::OlderKeystore, id: Some(id), notes })
}

/// Reads a file of the earlier peer's wallet.
///
/// # Errors
///
/// [`ForeignError`].
pub fn read_wallet(bytes: &[u8], passphrase: Option<&Passphrase>) -> Result<Foreign, ForeignError> {
    let fields = parse(bytes)?;
    let key = open(&fields, passphrase)?;
    check_public_key(&fields, &key)?;
    Ok(Foreign { key, format: Format::OlderWallet, id: None, notes: Vec::new() })
}

/// Writes a file as the earlier peer's key store does, encrypted. Only for tests of interoperation: our own format protects more.
pub fn write_keystore(
    id: &str,
    key: &SigningKey,
    passphrase: &Passphrase,
    now: Timestamp,
    entropy: &mut Entropy,
) -> Vec<u8> {
    let Sealed { seed: sealed, salt, nonce } = Sealed::new(key, passphrase, entropy);
    let file = serde_json::json!({
        "version": 1,
        "entity_id": id,
        "public_key": key.public_key().to_hex(),
        "created_at": now.to_string(),
        "encrypted": true,
        "encrypted_private_key": sealed,
        "salt": salt,
        "nonce": nonce,
        "algorithm": "AES-256-GCM",
        "kdf": "PBKDF2-SHA256",
        "kdf_iterations": OLDER_ROUNDS,
    });
    format!("{file:#}").into_bytes()
}

/// Writes a file as the earlier peer's wallet does. Only for tests of interoperation: our own format protects more.
pub fn write_wallet(key: &SigningKey, passphrase: &Passphrase, entropy: &mut Entropy) -> Vec<u8> {
    let Sealed { seed: sealed, salt, nonce } = Sealed::new(key, passphrase, entropy);
    let file = serde_json::json!({
        "version": 1,
        "public_key": key.public_key().to_hex(),
        "encrypted_private_key": sealed,
        "salt": salt,
        "nonce": nonce,
    });
    format!("{file:#}").into_bytes()
}

/// A sealed seed, all in base64.
struct Sealed {
    seed: String,
    salt: String,
    nonce: String,
}

impl Sealed {
    fn new(key: &SigningKey, passphrase: &Passphrase, entropy: &mut Entropy) -> Self {
        let (salt, nonce) = (entropy.bytes::<SALT_LEN>(), entropy.bytes());
        let derived = derive_older(passphrase.raw(), &salt);
        let sealed = scrubbing(|| SealingKey::new(*derived).seal(&nonce, b"", key.seed()));
        Self {
            seed: base64_encode(&sealed),
            salt: base64_encode(&salt),
            nonce: base64_encode(&nonce),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Fields<'_>, ForeignError> {
    // Looked at first: what another version holds is not for us to judge.
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let Version { version } =
        serde_json::from_slice(bytes).map_err(|_| ForeignError::Malformed("version"))?;
    if version != 1 {
        return Err(ForeignError::Version(version));
    }
    serde_json::from_slice(bytes).map_err(|_| ForeignError::Malformed("one of its fields"))
}

fn open(fields: &Fields<'_>, passphrase: Option<&Passphrase>) -> Result<SigningKey, ForeignError> {
    fn bytes<const N: usize>(
        field: &'static str,
        text: Option<&str>,
    ) -> Result<[u8; N], ForeignError> {
        let text = text.ok_or(ForeignError::Malformed(field))?;
        base64_decode_array(text).map_err(|_| ForeignError::Malformed(field))
    }
    let salt: [u8; SALT_LEN] = bytes("salt", fields.salt)?;
    let nonce = bytes("nonce", fields.nonce)?;
    let sealed: [u8; 48] = bytes("encrypted_private_key", fields.encrypted_private_key)?;
    let passphrase = passphrase.ok_or(ForeignError::PassphraseNeeded)?;
    let derived: Zeroizing<[u8; 32]> = derive_older(passphrase.raw(), &salt);
    scrubbing(|| {
        let opened = SealingKey::new(*derived)
            .open(&nonce, b"", &sealed)
            .map_err(|_| ForeignError::NotOpened)?;
        let seed = opened.as_slice().try_into().map_err(|_| ForeignError::NotOpened)?;
        Ok(SigningKey::from_seed_at(seed))
    })
}

fn check_public_key(fields: &Fields<'_>, key: &SigningKey) -> Result<(), ForeignError> {
    // Compared as text: what is no key at all is not that of the seed either.
    if fields.public_key == key.public_key().to_hex() {
        Ok(())
    } else if fields.public_key.len() == 64 || PublicKey::from_hex(fields.public_key).is_ok() {
        Err(ForeignError::KeyMismatch)
    } else {
        Err(ForeignError::Malformed("public_key"))
    }
}

const SALT_LEN: usize = 32;
