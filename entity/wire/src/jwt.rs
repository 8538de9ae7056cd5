//! The JSON Web Token of a peer: by it a peer shows whom it wants, for five minutes, who it is.
//!
//! One algorithm, Ed25519, and nothing that a token says chooses another. Everything of a token but its subject is looked at
//! only after its signature has been verified.
//!
//! *Source*: `docs/protocol/1.0.md#peer-jwt`; RFC 7519, RFC 8037, RFC 8725.

use std::time::Duration;

use entity_crypto::encoding::{base64url_decode_strict, base64url_encode};
use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use thiserror::Error;

use crate::json::{Fields, Integer, Layout, Object, RULES_1_1, Value, parse, to_vec};
use crate::time::Timestamp;
use entity_flaw::{Flaw, planted};

/// What a token says, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who it speaks for.
    pub sub: String,
    /// Whom it is for; anybody if there is nobody.
    pub aud: Option<String>,
    /// When it was issued, in Unix seconds.
    pub iat: i64,
    /// When it ends, in Unix seconds.
    pub exp: i64,
}

/// What is to be issued.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Who it speaks for: the id of the issuer.
    pub sub: &'a str,
    /// Whom it is for.
    pub aud: Option<&'a str>,
    /// How long it is good, in whole seconds up to [`LIFETIME_MAX`].
    pub lifetime: Duration,
}

impl Draft<'_> {
    /// Signs a token.
    ///
    /// # Errors
    ///
    /// [`JwtError::Lifetime`] for less than a second or more than [`LIFETIME_MAX`]; [`JwtError::Malformed`] for a subject or
    /// an audience that is empty or longer than [`NAME_LEN_MAX`].
    pub fn issue(&self, key: &SigningKey, now: Timestamp) -> Result<String, JwtError> {
        let seconds = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        if !(1..=lifetime_max()).contains(&seconds) {
            return Err(JwtError::Lifetime);
        }
        for name in [Some(self.sub), self.aud].into_iter().flatten() {
            check_name(name)?;
        }
        let iat = seconds_of(now);
        let mut claims = Object::new()
            .with("sub", self.sub)
            .with("iat", iat)
            .with("exp", iat + seconds)
            .with("iss", ISSUER);
        if let Some(aud) = self.aud {
            claims.insert("aud", aud);
        }
        let claims = to_vec(&Value::Object(claims), Layout::Compact);
        let signed = format!("{}.{}", base64url_encode(HEADER), base64url_encode(&claims));
        let signature = base64url_encode(&key.sign(signed.as_bytes()).to_bytes());
        Ok(format!("{signed}.{signature}"))
    }
}

/// What a verifier expects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// Whom the token has to be for. A token for nobody in particular is for everybody.
    pub aud: Option<&'a str>,
    /// Whether a token has to name its audience.
    pub aud_required: bool,
}

/// A token whose signature has not been verified: all it is good for is to look up the key.
#[derive(Debug, Clone)]
pub struct Unverified {
    signed: String,
    signature: Signature,
    sub: String,
    claims: Object,
}

impl Unverified {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// [`JwtError::Malformed`], [`JwtError::Algorithm`].
    pub fn parse(token: &str) -> Result<Self, JwtError> {
        if token.len() > TOKEN_LEN_MAX {
            return Err(JwtError::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwtError::Malformed);
        };
        check_header(&object_of(header)?)?;
        let signature = base64url_decode_strict(signature).map_err(|_| JwtError::Malformed)?;
        let signature = signature.as_slice().try_into().map_err(|_| JwtError::Malformed)?;
        let signed = format!("{header}.{claims}");
        let claims = object_of(claims)?;
        let sub = Fields::new(&claims).text("sub").map_err(|_| JwtError::Malformed)?.to_owned();
        check_name(&sub)?;
        Ok(Self { signed, signature: Signature::from_bytes(signature), sub, claims })
    }

    /// Whom the token says it speaks for: the key of this peer has to verify it.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// Verifies the token with the key of its subject, and then what it says.
    ///
    /// Times may be off by [`SKEW`]: a token from a clock that is ahead, or one that has just ended, is accepted.
    ///
    /// # Errors
    ///
    /// [`JwtError`]; where several things are wrong, the first of them in the order of its variants.
    pub fn verify(
        &self,
        key: PublicKey,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<Claims, JwtError> {
        key.verify(self.signed.as_bytes(), &self.signature).map_err(|_| JwtError::Signature)?;
        let fields = Fields::new(&self.claims);
        let time = |name| {
            let value = fields.required(name).map_err(|_| JwtError::Malformed)?;
            value.as_integer().and_then(Integer::as_i64).ok_or(JwtError::Malformed)
        };
        let (iat, exp) = (time("iat")?, time("exp")?);
        let aud = fields.optional_text("aud").map_err(|_| JwtError::Malformed)?;
        if fields.text("iss").map_err(|_| JwtError::Malformed)? != ISSUER {
            return Err(JwtError::Issuer);
        }
        if !exp.checked_sub(iat).is_some_and(|lifetime| (1..=lifetime_max()).contains(&lifetime)) {
            return Err(JwtError::Lifetime);
        }
        let skew = i64::try_from(SKEW.as_secs()).unwrap_or(i64::MAX);
        let now = seconds_of(now);
        if iat > now.saturating_add(skew) {
            return Err(JwtError::NotYetValid);
        }
        // At `exp` itself the token has ended, as RFC 7519 section 4.1.4 says.
        if now.saturating_sub(skew) >= exp && !planted(Flaw::AcceptsExpiredJwt) {
            return Err(JwtError::Expired);
        }
        match (expected.aud, aud) {
            _ if planted(Flaw::IgnoresJwtAudience) => {}
            (Some(expected), Some(aud)) if aud != expected => return Err(JwtError::Audience),
            (_, None) if expected.aud_required => return Err(JwtError::Audience),
            (Some(_) | None, Some(_) | None) => {}
        }
        Ok(Claims { sub: self.sub.clone(), aud: aud.map(str::to_owned), iat, exp })
    }
}

/// A header says what is so anyway: one that says more could want something that is not understood (`crit`), or lead to a
/// key of the sender's choice (`jwk`, `jku`, `kid`).
fn check_header(header: &Object) -> Result<(), JwtError> {
    let fields = Fields::new(header);
    if fields.text("alg").map_err(|_| JwtError::Malformed)? != "EdDSA" {
        return Err(JwtError::Algorithm);
    }
    match fields.optional_text("typ").map_err(|_| JwtError::Malformed)? {
        None | Some("JWT") => {}
        Some(_) => return Err(JwtError::Malformed),
    }
    let known = 1 + usize::from(header.contains_key("typ"));
    if header.len() == known { Ok(()) } else { Err(JwtError::Malformed) }
}

fn object_of(part: &str) -> Result<Object, JwtError> {
    let bytes = base64url_decode_strict(part).map_err(|_| JwtError::Malformed)?;
    let value = parse(&bytes, &RULES_1_1).map_err(|_| JwtError::Malformed)?;
    value.into_object().map_err(|_| JwtError::Malformed)
}

fn check_name(name: &str) -> Result<(), JwtError> {
    if name.is_empty() || name.len() > NAME_LEN_MAX { Err(JwtError::Malformed) } else { Ok(()) }
}

fn seconds_of(time: Timestamp) -> i64 {
    time.micros().div_euclid(1_000_000)
}

fn lifetime_max() -> i64 {
    i64::try_from(LIFETIME_MAX.as_secs()).unwrap_or(i64::MAX)
}

/// Why a token is refused, in the order in which it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JwtError {
    /// It is no token, or a claim is missing or of another type.
    #[error("read a token")]
    Malformed,
    /// It is signed in another way than by Ed25519, or not at all.
    #[error("accept a token whose algorithm is not EdDSA")]
    Algorithm,
    /// It speaks for somebody else than expected.
    #[error("accept a token of another subject")]
    Subject,
    /// The key of its subject is not known here.
    #[error("accept a token of a subject whose key is not known")]
    UnknownKey,
    /// The signature is not that of its subject's key.
    #[error("verify the signature of a token")]
    Signature,
    /// It does not come from a peer.
    #[error("accept a token of another issuer")]
    Issuer,
    /// It is good for longer than [`LIFETIME_MAX`], or for no time.
    #[error("accept a token that is good for other than 1 to 300 seconds")]
    Lifetime,
    /// It was issued more than [`SKEW`] in the future.
    #[error("accept a token from the future")]
    NotYetValid,
    /// It ended more than [`SKEW`] ago.
    #[error("accept a token that has expired")]
    Expired,
    /// It is for somebody else.
    #[error("accept a token for another audience")]
    Audience,
}

impl JwtError {
    /// The code in the peer contract.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "JWT_MALFORMED",
            Self::Algorithm => "JWT_ALGORITHM",
            Self::Subject => "JWT_SUBJECT",
            Self::UnknownKey => "JWT_UNKNOWN_KEY",
            Self::Signature => "JWT_SIGNATURE",
            Self::Issuer => "JWT_ISSUER",
            Self::Lifetime => "JWT_LIFETIME",
            Self::NotYetValid => "JWT_NOT_YET_VALID",
            Self::Expired => "JWT_EXPIRED",
            Self::Audience => "JWT_AUDIENCE",
        }
    }
}

/// The issuer of every token of a peer.
pub const ISSUER: &str = "peer-service";
/// How long a token is good at most, and unless said otherwise.
pub const LIFETIME_MAX: Duration = Duration::from_mins(5);
/// How far clocks may be apart: as for messages.
pub const SKEW: Duration = Duration::from_mins(1);
/// Bytes of the longest token.
pub const TOKEN_LEN_MAX: usize = 4096;
/// Bytes of the longest subject and audience.
pub const NAME_LEN_MAX: usize = 256;

/// The header of every token, byte for byte.
const HEADER: &[u8] = br#"{"alg":"EdDSA","typ":"JWT"}"#;

#[cfg(test)]
mod tests;
