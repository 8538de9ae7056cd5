//! The file of a conversation.

use serde::Deserialize;
use serde_json::Value as Json;
use thiserror::Error;

/// A recorded conversation, seen from the peer that is played.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversation {
    /// A sentence.
    pub name: String,
    /// The protocol version it belongs to.
    pub version: String,
    /// Which recording it is made from and tested against, for people.
    pub recorded: String,
    /// The seed of the peer's Ed25519 key, 64 hex digits. It is no secret: whoever can read the file can be this peer.
    pub seed: String,
    /// The exchanges, in order.
    pub exchange: Vec<Exchange>,
}

/// One message that comes in, and what follows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What the message includes, field by field.
    pub when: Json,
    /// Under which name later expressions know it.
    pub keep: String,
    /// What must hold, and how the message is refused if it does not.
    #[serde(default)]
    pub require: Vec<Requirement>,
    /// What follows, in order.
    #[serde(default)]
    pub then: Vec<Act>,
}

/// A condition of an exchange.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// An expression that has to give `true`.
    pub holds: Json,
    /// The HTTP status of the refusal.
    pub status: u16,
    /// Its code.
    pub code: String,
}

/// Something that follows a message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Act {
    /// A name for a value.
    Let {
        /// The name.
        #[serde(rename = "let")]
        name: String,
        /// The value.
        be: Json,
    },
    /// A message to the sender.
    Send {
        /// The message.
        send: Json,
    },
    /// A session is ready on this side.
    Ready {
        /// Its id.
        ready: Json,
    },
}

/// Why a file is no conversation.
#[derive(Debug, Error)]
pub enum ConversationError {
    /// It is no TOML, or has other fields.
    #[error("{file}: {error}")]
    Shape {
        /// The file.
        file: String,
        /// What the reader says, with line and column.
        error: Box<toml::de::Error>,
    },
    /// The seed is not 64 hex digits.
    #[error("{file}: `seed` is not 64 lower-case hex digits")]
    Seed {
        /// The file.
        file: String,
    },
    /// There is nothing to play.
    #[error("{file}: no [[exchange]]: there is nothing to play")]
    Empty {
        /// The file.
        file: String,
    },
}

impl Conversation {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The text is no conversation; the error names the file, and line and column where there are some.
    pub fn read(file: &str, text: &str) -> Result<Self, ConversationError> {
        let file = file.to_owned();
        let conversation: Self = match toml::from_str(text) {
            Ok(conversation) => conversation,
            Err(error) => return Err(ConversationError::Shape { file, error: Box::new(error) }),
        };
        if hex::decode(&conversation.seed).map_or(true, |seed| seed.len() != 32) {
            return Err(ConversationError::Seed { file });
        }
        if conversation.exchange.is_empty() {
            return Err(ConversationError::Empty { file });
        }
        Ok(conversation)
    }

    /// The 32 bytes of the seed.
    pub fn seed_bytes(&self) -> Vec<u8> {
        hex::decode(&self.seed).unwrap_or_default()
    }
}
