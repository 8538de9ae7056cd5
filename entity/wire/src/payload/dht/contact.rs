//! Where somebody claims a key can be reached.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;

use super::NodeId;
use crate::json::{FieldError, Fields, Object};
use crate::limits::ADDRESS_LEN_MAX;
use crate::payload::key;

/// An `http` URL of at most [`ADDRESS_LEN_MAX`] bytes of visible ASCII without `@`.
///
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

/// A text that is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an http URL of at most {ADDRESS_LEN_MAX} bytes")]
pub struct InvalidAddress;

impl Address {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port: what stands between `http://` and the path.
    pub fn authority(&self) -> &str {
        let rest = self.0.strip_prefix("http://").unwrap_or(&self.0);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let address = Self(Arc::from(text));
        // Nothing in it can end a line of a log or of a request, or hide a host behind a name.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
        let is_url = text.starts_with("http://") && !address.authority().is_empty();
        let is_address = is_url && is_plain && text.len() <= ADDRESS_LEN_MAX;
        if is_address { Ok(address) } else { Err(InvalidAddress) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({})", self.0)
    }
}

/// Who can be asked, and where. A claim, until a session under the key proves it.
///
/// Source: `docs/protocol/1.1.md#dht-contact`.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    entity_id: PeerId,
    public_key: PublicKey,
    address: Address,
    node_id: NodeId,
}

impl Contact {
    /// A contact; its node id follows from its key.
    pub fn new(entity_id: PeerId, public_key: PublicKey, address: Address) -> Self {
        Self { entity_id, public_key, address, node_id: NodeId::of(&public_key) }
    }

    /// The id under which it speaks.
    pub fn entity_id(&self) -> &PeerId {
        &self.entity_id
    }

    /// Its key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Where it is said to be.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where it lies.
    pub fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// Reads a contact.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let entity_id = fields.parsed("entity_id", "an id of 1 to 128 of A-Z a-z 0-9 . _ -")?;
        let address = fields.parsed("address", "an http URL of at most 512 bytes")?;
        Ok(Self::new(entity_id, key(fields, "public_key")?, address))
    }

    /// Writes the contact.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("address", self.address.as_str())
            .with("entity_id", self.entity_id.as_str())
            .with("public_key", self.public_key.to_hex())
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Contact({} at {})", self.entity_id, self.address)
    }
}
