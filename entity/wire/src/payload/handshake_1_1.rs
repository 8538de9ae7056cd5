//! The payloads of the 1.1 handshake.
//!
//! Steps 1 to 4 are payloads of envelopes; steps 5 and 6 are bodies of sealed plaintexts.
//!
//! Source: `docs/protocol/1.1.md#handshake-steps`.

use entity_crypto::agreement::AgreementKey;
use entity_crypto::encoding::{base64_decode_array, base64_encode, hex_decode_array, hex_encode};
use entity_crypto::signing::{PublicKey, Signature};

use super::texts;
use crate::id::SessionId;
use crate::json::{FieldError, Fields, Object, Problem};
use crate::limits::ADDRESS_LEN_MAX;

/// The name of the field that [`crate::v1_1::Draft::signed_bytes_without`] leaves out of steps 2 and 3.
pub const CHALLENGE_SIGNATURE: &str = "challenge_signature";

/// What both sides must list to open a session.
pub const REQUIRED_CAPABILITIES: [&str; 4] =
    ["e2e_encryption", "aes_256_gcm", "x25519", "6step_handshake"];

/// Step 1, `handshake_init`.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeInit {
    /// The initiator's ephemeral key.
    pub ephemeral_public_key: AgreementKey,
    /// The initiator's identity key.
    pub identity_key: PublicKey,
    /// The versions that the initiator has enabled.
    pub supported_versions: Vec<String>,
    /// What the initiator can do, in its order.
    pub capabilities: Capabilities,
    /// 32 random bytes.
    pub challenge: [u8; 32],
    /// The responder's key, where it is pinned.
    pub peer_identity_key: Option<PublicKey>,
    /// Where to send answers: an `http` URL of at most [`ADDRESS_LEN_MAX`] bytes. Here it is only known to begin with
    /// `http://` and to be ASCII without spaces and control characters.
    pub address: Option<String>,
}

/// Step 2, `handshake_init_ack`.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeInitAck {
    /// The responder's ephemeral key.
    pub ephemeral_public_key: AgreementKey,
    /// The responder's identity key.
    pub identity_key: PublicKey,
    /// 32 random bytes.
    pub challenge: [u8; 32],
    /// What both sides can do, in the order of step 1.
    pub capabilities: Capabilities,
    /// The signature over `T'_2`; `None` only in a draft that is not signed yet.
    pub challenge_signature: Option<Signature>,
}

/// Step 3, `challenge_response`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChallengeResponse {
    /// The signature over `T'_3`; `None` only in a draft that is not signed yet.
    pub challenge_signature: Option<Signature>,
    /// The session, once more.
    pub session_id_ack: SessionId,
}

/// Step 4, `session_established`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionEstablished {
    /// The session.
    pub session_id: SessionId,
}

/// Step 5, `session_confirm`, sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfirm {
    /// The session.
    pub session_id: SessionId,
    /// `T_4`.
    pub transcript: [u8; 32],
}

/// Step 6, `ready`, sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The session.
    pub session_id: SessionId,
    /// `T_5`.
    pub transcript: [u8; 32],
}

/// A list of capabilities, in the order of whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// These capabilities.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Whether `name` is listed.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|listed| listed == name)
    }

    /// What both lists have, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|name| other.contains(name)).cloned().collect())
    }

    /// Whether everything is listed that a session needs.
    pub fn suffice(&self) -> bool {
        REQUIRED_CAPABILITIES.iter().all(|name| self.contains(name))
    }

    /// The names.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl HandshakeInit {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be; a required capability is not listed; the address is no `http` URL.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        step(fields, 1)?;
        fields.exactly("handshake_version", "1.1")?;
        Ok(Self {
            ephemeral_public_key: ephemeral_key(fields)?,
            identity_key: identity_key(fields, "identity_key")?,
            supported_versions: fields.texts("supported_versions")?,
            capabilities: capabilities(fields)?,
            challenge: challenge(fields)?,
            peer_identity_key: present(object, "peer_identity_key")
                .then(|| identity_key(fields, "peer_identity_key"))
                .transpose()?,
            address: present(object, "address").then(|| address(fields)).transpose()?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new()
            .with("step", 1_u64)
            .with("handshake_version", "1.1")
            .with("ephemeral_public_key", self.ephemeral_public_key.to_base64())
            .with("identity_key", self.identity_key.to_hex())
            .with("supported_versions", texts(&self.supported_versions))
            .with("capabilities", texts(&self.capabilities.0))
            .with("challenge", base64_encode(&self.challenge));
        if let Some(key) = &self.peer_identity_key {
            object.insert("peer_identity_key", key.to_hex());
        }
        if let Some(address) = &self.address {
            object.insert("address", address.as_str());
        }
        object
    }
}

impl HandshakeInitAck {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be; `accepted_version` is not `"1.1"`, which is fatal to the handshake;
    /// a required capability is not listed.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        step(fields, 2)?;
        fields.exactly("handshake_version", "1.1")?;
        fields.exactly("accepted_version", "1.1")?;
        Ok(Self {
            ephemeral_public_key: ephemeral_key(fields)?,
            identity_key: identity_key(fields, "identity_key")?,
            challenge: challenge(fields)?,
            capabilities: capabilities(fields)?,
            challenge_signature: Some(challenge_signature(fields)?),
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let object = Object::new()
            .with("step", 2_u64)
            .with("handshake_version", "1.1")
            .with("ephemeral_public_key", self.ephemeral_public_key.to_base64())
            .with("identity_key", self.identity_key.to_hex())
            .with("challenge", base64_encode(&self.challenge))
            .with("accepted_version", "1.1")
            .with("capabilities", texts(&self.capabilities.0));
        with_signature(object, self.challenge_signature.as_ref())
    }
}

impl ChallengeResponse {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        step(fields, 3)?;
        Ok(Self {
            challenge_signature: Some(challenge_signature(fields)?),
            session_id_ack: session_id(fields, "session_id_ack")?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let object = Object::new()
            .with("step", 3_u64)
            .with("session_id_ack", self.session_id_ack.to_string());
        with_signature(object, self.challenge_signature.as_ref())
    }
}

impl SessionEstablished {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not exactly what the protocol says.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        step(fields, 4)?;
        fields.exactly_true("established")?;
        fields.exactly_true("encryption_ready")?;
        let params = Fields::new(fields.object("session_params")?);
        params.exactly("algorithm", "AES-256-GCM")?;
        params.exactly("key_exchange", "X25519")?;
        params.exactly_true("forward_secrecy")?;
        Ok(Self { session_id: session_id(fields, "session_id")? })
    }

    /// Writes the payload.
    pub fn to_object(self) -> Object {
        let params = Object::new()
            .with("algorithm", "AES-256-GCM")
            .with("key_exchange", "X25519")
            .with("forward_secrecy", true);
        Object::new()
            .with("step", 4_u64)
            .with("session_id", self.session_id.to_string())
            .with("established", true)
            .with("encryption_ready", true)
            .with("session_params", params)
    }
}

impl SessionConfirm {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// A field is absent or not exactly what the protocol says.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        step(fields, 5)?;
        fields.exactly_true("confirmed")?;
        fields.exactly_true("ready")?;
        Ok(Self { session_id: session_id(fields, "session_id")?, transcript: transcript(fields)? })
    }

    /// Writes the body.
    pub fn to_object(self) -> Object {
        Object::new()
            .with("step", 5_u64)
            .with("session_id", self.session_id.to_string())
            .with("confirmed", true)
            .with("ready", true)
            .with("transcript", hex_encode(&self.transcript))
    }
}

impl Ready {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// A field is absent or not exactly what the protocol says.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        step(fields, 6)?;
        fields.exactly("status", "ready")?;
        fields.exactly_true("encryption_active")?;
        Ok(Self { session_id: session_id(fields, "session_id")?, transcript: transcript(fields)? })
    }

    /// Writes the body.
    pub fn to_object(self) -> Object {
        Object::new()
            .with("step", 6_u64)
            .with("session_id", self.session_id.to_string())
            .with("status", "ready")
            .with("encryption_active", true)
            .with("transcript", hex_encode(&self.transcript))
    }
}

fn step(fields: Fields<'_>, number: u64) -> Result<(), FieldError> {
    let expected = "the step of this kind of message";
    if fields.unsigned("step")? == number {
        Ok(())
    } else {
        Err(Problem::Invalid { expected }.of("step"))
    }
}

/// Whether an optional field is there; null counts, and is then refused, because 1.1 knows no null for absent.
fn present(object: &Object, field: &str) -> bool {
    object.contains_key(field)
}

fn ephemeral_key(fields: Fields<'_>) -> Result<AgreementKey, FieldError> {
    let key = |text: &str| AgreementKey::from_base64(text).ok();
    fields.read("ephemeral_public_key", "base64 of 32 bytes", key)
}

fn identity_key(fields: Fields<'_>, field: &'static str) -> Result<PublicKey, FieldError> {
    fields.read(field, "64 lower-case hex digits of an Ed25519 public key", |text| {
        PublicKey::from_hex(text).ok()
    })
}

fn challenge(fields: Fields<'_>) -> Result<[u8; 32], FieldError> {
    fields.read("challenge", "base64 of 32 bytes", |text| base64_decode_array(text).ok())
}

fn challenge_signature(fields: Fields<'_>) -> Result<Signature, FieldError> {
    fields.read(CHALLENGE_SIGNATURE, "base64 of 64 bytes", |text| Signature::from_base64(text).ok())
}

fn session_id(fields: Fields<'_>, field: &'static str) -> Result<SessionId, FieldError> {
    fields.parsed(field, "a lower-case UUID of version 4")
}

fn transcript(fields: Fields<'_>) -> Result<[u8; 32], FieldError> {
    fields.read("transcript", "64 lower-case hex digits", |text| hex_decode_array(text).ok())
}

fn capabilities(fields: Fields<'_>) -> Result<Capabilities, FieldError> {
    let capabilities = Capabilities(fields.texts("capabilities")?);
    let expected = "a list with every required capability";
    if capabilities.suffice() {
        Ok(capabilities)
    } else {
        Err(Problem::Invalid { expected }.of("capabilities"))
    }
}

fn address(fields: Fields<'_>) -> Result<String, FieldError> {
    let address = fields.short_text("address", ADDRESS_LEN_MAX)?;
    let rest = address.strip_prefix("http://").unwrap_or_default();
    // What follows names a host, and nothing in it can end a line of a log or of a request.
    if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(address.to_owned())
    } else {
        Err(Problem::Invalid { expected: "an http URL" }.of("address"))
    }
}

fn with_signature(mut object: Object, signature: Option<&Signature>) -> Object {
    if let Some(signature) = signature {
        object.insert(CHALLENGE_SIGNATURE, signature.to_base64());
    }
    object
}
