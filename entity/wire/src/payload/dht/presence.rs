//! What the registry writes into a record: who it is, where, and what it is able to do.

use entity_crypto::identity::PeerId;

use super::Address;
use crate::json::{FieldError, Fields, Object, Problem, Value};
use crate::payload::texts;

/// Where an entity says it is, and what it says it is able to do.
///
/// Source: `docs/protocol/1.1.md#registry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The id of the owner of the record.
    pub entity_id: PeerId,
    /// 1 to [`Presence::ADDRESSES_MAX`] addresses, the preferred one first.
    pub addresses: Vec<Address>,
    /// Capabilities; `None` in a record that is found by one of them.
    pub capabilities: Option<Vec<String>>,
}

impl Presence {
    /// Most addresses.
    pub const ADDRESSES_MAX: usize = 8;

    /// Reads the value of a record.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its bounds.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let items = fields.array("addresses")?;
        let max = Self::ADDRESSES_MAX;
        if items.len() > max {
            return Err(Problem::TooLong { max }.of("addresses"));
        }
        let expected = "1 to 8 http URLs";
        let address = |item: &Value| item.as_str().and_then(|text| text.parse().ok());
        let addresses: Option<Vec<Address>> = items.iter().map(address).collect();
        let addresses = addresses.filter(|addresses| !addresses.is_empty());
        let capabilities = fields.optional("capabilities").is_some();
        Ok(Self {
            entity_id: fields.parsed("entity_id", "an id")?,
            addresses: addresses.ok_or(Problem::Invalid { expected }.of("addresses"))?,
            capabilities: capabilities.then(|| fields.texts("capabilities")).transpose()?,
        })
    }

    /// Writes the value of a record.
    pub fn to_object(&self) -> Object {
        let addresses = self.addresses.iter().map(|address| Value::from(address.as_str()));
        let mut object = Object::new().with("addresses", Value::Array(addresses.collect()));
        if let Some(capabilities) = &self.capabilities {
            object.insert("capabilities", texts(capabilities));
        }
        object.with("entity_id", self.entity_id.as_str())
    }
}
