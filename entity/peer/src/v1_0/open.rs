//! Opening the payload of a 1.0 message (step 8 of `docs/protocol/1.0.md#order-of-checks`).

use entity_crypto::legacy;
use entity_wire::decode::Profile;
use entity_wire::json::{self, Object, Value};
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::payload::static_sealing_1_0::StaticSealed;
use entity_wire::time::Timestamp;

use super::State;
use super::fault::Fault;
use super::receive::Message;
use crate::core::Core;

/// A payload that a handler may see.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The payload in the clear; `None` where there is nothing for a handler.
    pub(crate) payload: Option<Object>,
    /// Whether it came sealed.
    pub(crate) is_sealed: bool,
    /// The sealed session it came in.
    pub(crate) sealed_id: Option<String>,
}

impl State {
    /// Opens the payload; remembers nothing.
    ///
    /// # Errors
    ///
    /// The payload is no object, or cannot be opened.
    pub(super) fn open_payload(
        &mut self,
        core: &Core,
        message: &Message,
        payload: Value,
        now: Timestamp,
    ) -> Result<Opened, Fault> {
        let payload = payload.into_object().map_err(|_| Fault::Handler)?;
        if SessionSealed::is_form_of(&payload) {
            let sealed = SessionSealed::from_object(&payload).map_err(|_| Fault::Unsealable)?;
            return self.open_sealed(message, sealed, now);
        }
        if StaticSealed::is_form_of(&payload) {
            let sealed = StaticSealed::from_object(&payload);
            let sealed = sealed.map_err(|_| Fault::StaticUnsealable)?;
            let payload = self.open_static(core, message, &sealed)?;
            return Ok(Opened { payload: Some(payload), is_sealed: true, sealed_id: None });
        }
        Ok(Opened { payload: Some(payload), is_sealed: false, sealed_id: None })
    }

    fn open_static(
        &self,
        core: &Core,
        message: &Message,
        sealed: &StaticSealed,
    ) -> Result<Object, Fault> {
        let key = legacy::static_key(&core.key, &message.signer);
        let key = key.map_err(|_| Fault::StaticUnsealable)?;
        let plaintext = key.open(&sealed.nonce, &sealed.ciphertext);
        self.parse(&plaintext.map_err(|_| Fault::StaticUnsealable)?, Fault::StaticUnsealable)
    }

    fn open_sealed(
        &mut self,
        message: &Message,
        sealed: SessionSealed,
        now: Timestamp,
    ) -> Result<Opened, Fault> {
        let profile = self.profile;
        let SessionSealed { session_id, data, nonce } = sealed;
        let session = match (self.with(&message.sender).sealed(&session_id), profile) {
            (Some(session), _) => session,
            (None, Profile::Hardened) => return Err(Fault::Unsealable),
            // The earlier peer answers 200; but nobody is given the ciphertext.
            (None, Profile::Compat) => {
                return Ok(Opened { payload: None, is_sealed: true, sealed_id: None });
            }
        };
        let plaintext =
            session.open(message.sequence, &nonce, &data, now).map_err(|_| Fault::Unsealable)?;
        let payload = self.parse(&plaintext, Fault::Unsealable)?;
        Ok(Opened { payload: Some(payload), is_sealed: true, sealed_id: Some(session_id) })
    }

    fn parse(&self, plaintext: &[u8], fault: Fault) -> Result<Object, Fault> {
        match json::parse(plaintext, &self.profile.json_rules()) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_),
            ) => Err(Fault::Handler),
            Err(_) => Err(fault),
        }
    }
}
