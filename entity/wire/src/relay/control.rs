//! How a member of a relay and the relay show each other who they are, and how mail is acknowledged.

use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, Signature, SigningKey, labelled};

use super::ForwardId;
use crate::canonical;
use crate::code::ErrorCode;
use crate::json::{self, FieldError, Fields, Object, ParseError, Problem, RULES_1_1, Rules};
use crate::payload::{key, signature};
use crate::time::Timestamp;

/// Longest control object, in bytes.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
pub const CONTROL_LEN_MAX: usize = 4_096;

const REGISTER_LABEL: &str = "peer-v1.1-relay-register";
const REGISTERED_LABEL: &str = "peer-v1.1-relay-registered";

/// `relay_challenge`: what a relay says first on every connection.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// 32 random bytes, new on every connection.
    pub nonce: [u8; 32],
    /// Who the relay says it is.
    pub relay_key: PublicKey,
}

/// `relay_register`: the answer of a member.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The name it wants to be known by.
    pub entity_id: PeerId,
    /// Its key: its mailbox.
    pub public_key: PublicKey,
    /// Until when mail is kept for it.
    pub expires_at: Timestamp,
    /// 32 random bytes for the relay to sign.
    pub client_nonce: [u8; 32],
    /// Over what [`Registration::sign`] says.
    pub signature: Signature,
}

/// `relay_registered`: the proof of the relay.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Until when the registration holds.
    pub expires_at: Timestamp,
    /// Over what [`Registered::sign`] says.
    pub signature: Signature,
}

/// A control object.
///
/// Source: `docs/protocol/1.1.md#relay-registration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// From a relay, first.
    Challenge(Challenge),
    /// From a member.
    Register(Box<Registration>),
    /// From the relay: from here on it hands on.
    Registered(Registered),
    /// From the relay: it does not.
    Refused {
        /// Why.
        code: ErrorCode,
    },
    /// From a member: this mail may be deleted.
    Ack {
        /// Which.
        id: ForwardId,
    },
}

/// Why bytes are no control object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownControl {
    /// Longer than [`CONTROL_LEN_MAX`], or no JSON object.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// Of no known type; whoever gets one ignores it.
    #[error("a control object of an unknown type")]
    Type,
    /// A field is absent or not what it should be.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl Registration {
    /// Signs a registration as an answer to `challenge`.
    pub fn sign(
        challenge: &Challenge,
        entity_id: PeerId,
        (expires_at, client_nonce): (Timestamp, [u8; 32]),
        key: &SigningKey,
    ) -> Self {
        let signed =
            Signed { challenge, entity_id: &entity_id, public_key: key.public_key(), expires_at };
        let signature = key.sign(&labelled(REGISTER_LABEL, &signed.canonical(None)));
        Self { entity_id, public_key: key.public_key(), expires_at, client_nonce, signature }
    }

    /// Whether its key has signed it as the answer to `challenge`.
    pub fn is_genuine(&self, challenge: &Challenge) -> bool {
        let signed = self.signed(challenge).canonical(None);
        self.public_key.verify(&labelled(REGISTER_LABEL, &signed), &self.signature).is_ok()
    }

    fn signed<'a>(&'a self, challenge: &'a Challenge) -> Signed<'a> {
        Signed {
            challenge,
            entity_id: &self.entity_id,
            public_key: self.public_key,
            expires_at: self.expires_at,
        }
    }
}

impl Registered {
    /// Signs, as the relay, that `registration` holds.
    pub fn sign(challenge: &Challenge, registration: &Registration, relay: &SigningKey) -> Self {
        let signed = registration.signed(challenge).canonical(Some(&registration.client_nonce));
        let signature = relay.sign(&labelled(REGISTERED_LABEL, &signed));
        Self { expires_at: registration.expires_at, signature }
    }

    /// Whether the key of `challenge` has signed it for `registration`.
    pub fn is_genuine(&self, challenge: &Challenge, registration: &Registration) -> bool {
        let signed = registration.signed(challenge).canonical(Some(&registration.client_nonce));
        let message = labelled(REGISTERED_LABEL, &signed);
        self.expires_at == registration.expires_at
            && challenge.relay_key.verify(&message, &self.signature).is_ok()
    }
}

/// What both sides sign.
struct Signed<'a> {
    challenge: &'a Challenge,
    entity_id: &'a PeerId,
    public_key: PublicKey,
    expires_at: Timestamp,
}

impl Signed<'_> {
    fn canonical(&self, client_nonce: Option<&[u8; 32]>) -> Vec<u8> {
        let mut object = Object::new()
            .with("entity_id", self.entity_id.as_str())
            .with("expires_at", self.expires_at.to_string())
            .with("nonce", hex_encode(&self.challenge.nonce))
            .with("public_key", self.public_key.to_hex())
            .with("relay_key", self.challenge.relay_key.to_hex());
        if let Some(nonce) = client_nonce {
            object.insert("client_nonce", hex_encode(nonce));
        }
        canonical::object_to_vec(&object)
    }
}

impl Control {
    /// Reads the JSON of a control object: what comes after the first byte of its WebSocket message.
    ///
    /// # Errors
    ///
    /// [`UnknownControl`].
    pub fn read(text: &[u8]) -> Result<Self, UnknownControl> {
        let rules = Rules { len_max: CONTROL_LEN_MAX, ..RULES_1_1 };
        let value = json::parse(text, &rules)?;
        let object = value.as_object().ok_or(UnknownControl::Type)?;
        Self::of(object)
    }

    fn of(object: &Object) -> Result<Self, UnknownControl> {
        let fields = Fields::new(object);
        Ok(match fields.text("type")? {
            "relay_challenge" => Self::Challenge(Challenge {
                nonce: nonce(fields, "nonce")?,
                relay_key: key(fields, "relay_key")?,
            }),
            "relay_register" => Self::Register(Box::new(Registration {
                entity_id: fields.parsed("entity_id", "an id of 1 to 128 of A-Z a-z 0-9 . _ -")?,
                public_key: key(fields, "public_key")?,
                expires_at: time(fields)?,
                client_nonce: nonce(fields, "client_nonce")?,
                signature: signature(fields)?,
            })),
            "relay_registered" => Self::Registered(Registered {
                expires_at: time(fields)?,
                signature: signature(fields)?,
            }),
            "relay_refused" => {
                Self::Refused { code: fields.read("code", "an error code", ErrorCode::from_text)? }
            }
            "relay_ack" => Self::Ack {
                id: fields.read("id", "32 lower-case hex digits", ForwardId::from_hex)?,
            },
            _ => return Err(UnknownControl::Type),
        })
    }

    /// Writes the JSON.
    pub fn to_json(&self) -> Vec<u8> {
        canonical::object_to_vec(&self.to_object())
    }

    fn to_object(&self) -> Object {
        match self {
            Self::Challenge(challenge) => Object::new()
                .with("type", "relay_challenge")
                .with("nonce", hex_encode(&challenge.nonce))
                .with("relay_key", challenge.relay_key.to_hex()),
            Self::Register(registration) => Object::new()
                .with("type", "relay_register")
                .with("entity_id", registration.entity_id.as_str())
                .with("public_key", registration.public_key.to_hex())
                .with("expires_at", registration.expires_at.to_string())
                .with("client_nonce", hex_encode(&registration.client_nonce))
                .with("signature", registration.signature.to_base64()),
            Self::Registered(registered) => Object::new()
                .with("type", "relay_registered")
                .with("expires_at", registered.expires_at.to_string())
                .with("signature", registered.signature.to_base64()),
            Self::Refused { code } => {
                Object::new().with("type", "relay_refused").with("code", code.as_str())
            }
            Self::Ack { id } => Object::new().with("type", "relay_ack").with("id", id.to_string()),
        }
    }
}

fn nonce(fields: Fields<'_>, field: &'static str) -> Result<[u8; 32], FieldError> {
    fields.read(field, "64 lower-case hex digits", |text| hex_decode_array(text).ok())
}

fn time(fields: Fields<'_>) -> Result<Timestamp, FieldError> {
    let text = fields.text("expires_at")?;
    let expected = "a time as in an envelope";
    Timestamp::from_iso_strict(text).map_err(|_| Problem::Invalid { expected }.of("expires_at"))
}
