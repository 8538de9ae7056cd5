//! `capability_response`: what a peer says it can do.
//!
//! Source: `docs/protocol/1.0.md#message-types`.

use entity_crypto::identity::PeerId;

use super::texts;
use crate::json::{FieldError, Fields, Object};
use crate::version::Version;

/// What a peer says about itself in a `capability_response`.
///
/// The claims are information for people and scenarios; no decision of the protocol rests on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityReport {
    /// The version in which the report is given: 1.0 has one documented shape, 1.1 adds two fields to it.
    pub form: Form,
    /// `supported_msg_types`.
    pub kinds: Vec<String>,
    /// `endpoints`: paths.
    pub endpoints: Vec<String>,
    /// `entity_id`.
    pub entity_id: String,
}

/// The two shapes of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Exactly the shape of the earlier peer, with `protocol_version` `"1.0"`.
    V1_0,
    /// The same with `protocol_version` `"1.1"` and two fields more, and a third where it does tasks.
    V1_1 {
        /// `protocol_versions`: the versions that the peer has enabled.
        versions: Vec<String>,
        /// `capabilities`: as in handshake step 1.
        capabilities: Vec<String>,
        /// `tasks`: what tasks it is able to do; absent where there are none.
        tasks: Vec<String>,
    },
}

impl CapabilityReport {
    /// The five paths that are listed: those of the table of endpoints, without `/`.
    ///
    /// Source: `docs/protocol/1.0.md#endpoints`.
    pub const ENDPOINTS: [&'static str; 5] =
        ["/message", "/health", "/peers", "/stats", "/public-key"];

    /// The report of `entity_id` in the shape of 1.0, with the usual paths.
    pub fn new(form: Form, entity_id: &PeerId, kinds: Vec<String>) -> Self {
        let endpoints = Self::ENDPOINTS.map(str::to_owned).to_vec();
        Self { form, kinds, endpoints, entity_id: entity_id.to_string() }
    }

    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `capabilities`, or a field in it that both shapes have, is absent or of another type.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(Fields::new(object).object("capabilities")?);
        let form = if fields.text("protocol_version")? == Version::V1_1.as_str() {
            Form::V1_1 {
                versions: fields.texts("protocol_versions")?,
                capabilities: fields.texts("capabilities")?,
                tasks: match fields.optional("tasks") {
                    Some(_) => fields.texts("tasks")?,
                    None => Vec::new(),
                },
            }
        } else {
            Form::V1_0
        };
        Ok(Self {
            form,
            kinds: fields.texts("supported_msg_types")?,
            endpoints: fields.texts("endpoints")?,
            entity_id: fields.short_text("entity_id", crate::limits::LEGACY_ID_LEN_MAX)?.to_owned(),
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let version = match self.form {
            Form::V1_0 => Version::V1_0,
            Form::V1_1 { .. } => Version::V1_1,
        };
        let features = Object::new()
            .with("ed25519_signing", true)
            .with("signature_verification", true)
            .with("replay_protection", true)
            .with("payload_encryption", true);
        let mut report = Object::new()
            .with("protocol_version", version.as_str())
            .with("supported_msg_types", texts(&self.kinds))
            .with("crypto_features", features)
            .with("endpoints", texts(&self.endpoints))
            .with("entity_id", self.entity_id.as_str());
        if let Form::V1_1 { versions, capabilities, tasks } = &self.form {
            report.insert("protocol_versions", texts(versions));
            report.insert("capabilities", texts(capabilities));
            if !tasks.is_empty() {
                report.insert("tasks", texts(tasks));
            }
        }
        Object::new().with("capabilities", report)
    }
}
