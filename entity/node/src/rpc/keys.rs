//! `jwt.*` and `key.*`: tokens, and key files as other peers read and write them.

use std::time::Duration;

use entity_crypto::encoding::{base64_decode_strict, base64_encode};
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::SigningKey;
use entity_flaw::{Flaw, planted};
use entity_peer::Peer;
use entity_wallet::foreign::{self, Foreign, ForeignError, Format, older, pkcs8};
use entity_wallet::kdf::KdfParameters;
use entity_wallet::key_file::{self, KeyInfo, Purpose};
use entity_wallet::{Passphrase, Protection};
use entity_wire::jwt::{Claims, ISSUER, JwtError};
use entity_wire::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::RpcError;
use super::methods::{Outcome, Service, ended, result};
use crate::seed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JwtIssueParams {
    aud: Option<String>,
    ttl_s: Option<u64>,
    sub: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JwtVerifyParams {
    token: String,
    aud: Option<String>,
    sub: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyReadParams {
    file: String,
    passphrase: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyWriteParams {
    format: String,
    passphrase: Option<String>,
}

#[derive(Serialize)]
struct Issued {
    token: String,
}

#[derive(Serialize)]
struct Verified {
    sub: String,
    iss: &'static str,
    iat: i64,
    exp: i64,
    aud: Option<String>,
}

#[derive(Serialize)]
struct Read {
    format: &'static str,
    public_key: String,
    id: Option<String>,
}

#[derive(Serialize)]
struct Written {
    file: String,
    public_key: String,
}

impl Service {
    pub(super) fn jwt_issue(&self, params: JwtIssueParams) -> Outcome {
        let lifetime = params.ttl_s.map(Duration::from_secs);
        let (sub, aud) = (params.sub.as_deref(), params.aud.as_deref());
        let issued = self.node.look(|peer, now| peer.issue_jwt(sub, aud, lifetime, now));
        // What is not issued is a mistake of the caller.
        let token = issued.map_err(|error| RpcError::params(format!("failed to {error}")))?;
        result(&Issued { token })
    }

    pub(super) fn jwt_verify(&self, params: JwtVerifyParams) -> Outcome {
        let (sub, aud) = (params.sub.as_deref(), params.aud.as_deref());
        let verified = self.node.look(|peer, now| peer.verify_jwt(&params.token, sub, aud, now));
        let refused =
            |error: JwtError| RpcError::refused(error.code(), format!("failed to {error}"));
        let Claims { sub, aud, iat, exp } = verified.map_err(refused)?;
        result(&Verified { sub, iss: ISSUER, iat, exp, aud })
    }

    pub(super) async fn key_read(&self, params: KeyReadParams) -> Outcome {
        let file = Zeroizing::new(
            base64_decode_strict(&params.file)
                .map_err(|error| RpcError::params(format!("file: failed to {error}")))?,
        );
        let passphrase = passphrase(params.passphrase.as_deref())?;
        // Deriving a key takes long, and others wait for this thread.
        let read = tokio::task::spawn_blocking(move || foreign::read(&file, passphrase.as_ref()));
        let Foreign { key, format, id, notes: _ } = ended(read.await)?.map_err(refused)?;
        result(&Read { format: format.word(), public_key: key.public_key().to_hex(), id })
    }

    pub(super) async fn key_write(&self, params: KeyWriteParams) -> Outcome {
        let format = Format::ALL.into_iter().find(|format| format.word() == params.format);
        let format = format.ok_or_else(|| RpcError::params("format: there is no such format"))?;
        let passphrase = passphrase(params.passphrase.as_deref())?;
        let id = self.node.look(|peer, _| peer.config().id.to_string());
        let now = self.node.look(Peer::wall_clock);
        let written =
            tokio::task::spawn_blocking(move || write(format, &id, passphrase.as_ref(), now));
        result(&ended(written.await)??)
    }
}

fn passphrase(text: Option<&str>) -> Result<Option<Passphrase>, RpcError> {
    let passphrase = text.map(|text| Passphrase::new(text.as_bytes())).transpose();
    passphrase.map_err(|error| RpcError::params(format!("passphrase: failed to {error}")))
}

fn refused(error: ForeignError) -> RpcError {
    RpcError::refused(error.code(), format!("failed to {error}"))
}

/// Makes a new key and writes it in a format. Never the peer's own: a test platform has no use for that.
fn write(
    format: Format,
    id: &str,
    passphrase: Option<&Passphrase>,
    now: Timestamp,
) -> Result<Written, RpcError> {
    let random = || {
        seed::from_system()
            .map_err(|error| RpcError::new(RpcError::INTERNAL_ERROR, error.to_string()))
    };
    let (key, mut entropy) = (SigningKey::from_seed(random()?), Entropy::from_seed(random()?));
    let protected = || passphrase.ok_or_else(|| RpcError::params("passphrase: it is missing"));
    let bytes = match format {
        Format::OlderKeystore | Format::OlderWallet if planted(Flaw::WritesUnprotectedKey) => {
            foreign::write_seed(&key).to_vec()
        }
        Format::EntityKey => {
            let info = KeyInfo {
                name: id.parse().map_err(|error| RpcError::params(format!("id: {error}")))?,
                purpose: Purpose::Identity,
                public_key: key.public_key(),
                created_at: now,
                handover: None,
            };
            let protection = passphrase.map_or(Protection::None, |passphrase| {
                Protection::Passphrase(passphrase, KdfParameters::LEAST)
            });
            key_file::seal(&info, &key, protection, &mut entropy).to_vec()
        }
        Format::OlderKeystore => older::write_keystore(id, &key, protected()?, now, &mut entropy),
        Format::OlderWallet => older::write_wallet(&key, protected()?, &mut entropy),
        Format::SeedHex => foreign::write_seed(&key).to_vec(),
        Format::Pkcs8Pem => pkcs8::write(&key, pkcs8::Version::V1).as_bytes().to_vec(),
    };
    Ok(Written { file: base64_encode(&bytes), public_key: key.public_key().to_hex() })
}
