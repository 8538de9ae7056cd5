//! Tokens by which this peer shows who it is, and what it thinks of those of others.

use std::time::Duration;

use entity_wire::jwt::{Claims, Draft, Expected, JwtError, LIFETIME_MAX, Unverified};
use entity_wire::time::Timestamp;

use super::Peer;

impl Peer {
    /// Issues a token in our name, or for tests in that of `sub`; good for `lifetime`, else for five minutes.
    ///
    /// # Errors
    ///
    /// [`JwtError`] where such a token would be refused by everybody.
    pub fn issue_jwt(
        &self,
        sub: Option<&str>,
        aud: Option<&str>,
        lifetime: Option<Duration>,
        now: Timestamp,
    ) -> Result<String, JwtError> {
        let sub = sub.unwrap_or(self.core.config.id.as_str());
        let draft = Draft { sub, aud, lifetime: lifetime.unwrap_or(LIFETIME_MAX) };
        draft.issue(&self.core.key, self.core.wall(now))
    }

    /// Verifies a token with the key that its subject has here.
    ///
    /// It has to be for `aud`; where that is not given, for us or for nobody in particular. It has to speak for `sub`, where
    /// that is given.
    ///
    /// # Errors
    ///
    /// [`JwtError`].
    ///
    /// Source: `docs/protocol/1.0.md#peer-jwt`.
    pub fn verify_jwt(
        &self,
        token: &str,
        sub: Option<&str>,
        aud: Option<&str>,
        now: Timestamp,
    ) -> Result<Claims, JwtError> {
        let unverified = Unverified::parse(token)?;
        if sub.is_some_and(|sub| sub != unverified.sub()) {
            return Err(JwtError::Subject);
        }
        let own = self.core.config.id.as_str();
        let key = if unverified.sub() == own {
            self.core.public_key
        } else {
            let entry = self.core.roster.get(unverified.sub());
            entry.and_then(|entry| entry.key).ok_or(JwtError::UnknownKey)?
        };
        let expected = Expected { aud: aud.or(Some(own)), aud_required: aud.is_some() };
        unverified.verify(key, expected, self.core.wall(now))
    }
}
