//! What a ledger is made of.

use entity_crypto::derivation::sha256;
use entity_crypto::signing::{PublicKey, labelled};

use super::{Amount, LedgerId, MEMBERS_MAX, TOKENS_MAX, TokenName, exact, key, list};
use crate::canonical;
use crate::json::{FieldError, Fields, Object, Problem, Value};

/// The committee and the tokens of a ledger.
///
/// Shape: 1 to [`MEMBERS_MAX`] distinct members, ascending as 32 unsigned bytes; 1 to [`TOKENS_MAX`] tokens with distinct
/// names, ascending. A value of this type is valid, and there is one for each ledger.
///
/// Source: `docs/protocol/1.1.md#genesis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    committee: Vec<PublicKey>,
    tokens: Vec<TokenGenesis>,
}

/// One token of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenGenesis {
    /// Its name.
    pub token: TokenName,
    /// The key whose account starts with the cap.
    pub issuer: PublicKey,
    /// How much there can be of it.
    pub cap: Amount,
}

/// Why there is no such ledger. It is the fault of whoever wrote the genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The committee is empty or has more than [`MEMBERS_MAX`] members.
    #[error("a committee of {count} members, where 1 to {MEMBERS_MAX} are possible")]
    CommitteeSize {
        /// How many there are.
        count: usize,
    },
    /// A member is listed twice.
    #[error("a committee that lists a member twice")]
    DuplicateMember,
    /// There is no token, or there are more than [`TOKENS_MAX`].
    #[error("a ledger of {count} tokens, where 1 to {TOKENS_MAX} are possible")]
    TokenCount {
        /// How many there are.
        count: usize,
    },
    /// A token is listed twice.
    #[error("a ledger that lists a token twice")]
    DuplicateToken,
}

impl Genesis {
    /// The genesis of these members and tokens, in whatever order they come.
    ///
    /// # Errors
    ///
    /// [`GenesisError`].
    pub fn new(
        mut committee: Vec<PublicKey>,
        mut tokens: Vec<TokenGenesis>,
    ) -> Result<Self, GenesisError> {
        if !(1..=MEMBERS_MAX).contains(&committee.len()) {
            return Err(GenesisError::CommitteeSize { count: committee.len() });
        }
        if !(1..=TOKENS_MAX).contains(&tokens.len()) {
            return Err(GenesisError::TokenCount { count: tokens.len() });
        }
        committee.sort_unstable();
        tokens.sort_unstable_by(|a, b| a.token.cmp(&b.token));
        if committee.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(GenesisError::DuplicateMember);
        }
        if tokens.windows(2).any(|pair| pair[0].token == pair[1].token) {
            return Err(GenesisError::DuplicateToken);
        }
        Ok(Self { committee, tokens })
    }

    /// The members, ascending.
    pub fn committee(&self) -> &[PublicKey] {
        &self.committee
    }

    /// The tokens, ascending by name.
    pub fn tokens(&self) -> &[TokenGenesis] {
        &self.tokens
    }

    /// The name of the ledger.
    pub fn ledger(&self) -> LedgerId {
        let canonical = canonical::object_to_vec(&self.to_object());
        LedgerId::from_bytes(sha256(&labelled("peer-v1.1-genesis", &canonical)))
    }

    /// Reads a genesis.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be; or [`Genesis::new`] refuses it.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["committee", "tokens"])?;
        let fields = Fields::new(object);
        let members = fields.array("committee")?;
        if members.len() > MEMBERS_MAX {
            return Err(Problem::TooLong { max: MEMBERS_MAX }.of("committee"));
        }
        let expected = "a list of Ed25519 public keys as 64 lower-case hex digits";
        let member =
            |member: &Value| member.as_str().and_then(|text| PublicKey::from_hex(text).ok());
        let committee: Option<Vec<_>> = members.iter().map(member).collect();
        let committee = committee.ok_or(Problem::Invalid { expected }.of("committee"))?;
        let tokens = list(fields, "tokens", TOKENS_MAX, TokenGenesis::from_object)?;
        Self::new(committee, tokens).map_err(|error| match error {
            GenesisError::CommitteeSize { .. } | GenesisError::DuplicateMember => {
                Problem::Invalid { expected: "1 to 64 distinct members" }.of("committee")
            }
            GenesisError::TokenCount { .. } | GenesisError::DuplicateToken => {
                Problem::Invalid { expected: "1 to 64 distinct tokens" }.of("tokens")
            }
        })
    }

    /// Writes the genesis.
    pub fn to_object(&self) -> Object {
        let members = self.committee.iter().map(|member| Value::from(member.to_hex()));
        let tokens = self.tokens.iter().map(|token| Value::from(token.to_object()));
        Object::new()
            .with("committee", members.collect::<Vec<_>>())
            .with("tokens", tokens.collect::<Vec<_>>())
    }
}

impl TokenGenesis {
    fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["token", "issuer", "cap"])?;
        let fields = Fields::new(object);
        Ok(Self {
            token: fields.parsed("token", "1 to 32 of A-Z a-z 0-9 . _ -")?,
            issuer: key(fields, "issuer")?,
            cap: fields.parsed("cap", "a decimal integer from 1 to 2^127 - 1")?,
        })
    }

    fn to_object(&self) -> Object {
        Object::new()
            .with("token", self.token.as_str())
            .with("issuer", self.issuer.to_hex())
            .with("cap", self.cap.to_string())
    }
}
