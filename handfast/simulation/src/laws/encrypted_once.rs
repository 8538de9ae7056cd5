//! A pair of generation and sequence is encrypted once (`docs/protocol/1.1.md#encrypted-once`).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use entity_wire::frame::Frame;
use entity_wire::json::{Object, RULES_1_1, Value, parse};

use crate::world::Broken;

/// What was sealed, by who sealed it and under which nonce.
#[derive(Debug, Default)]
pub(super) struct EncryptedOnce {
    sealed: BTreeMap<(usize, String, u64, u64), u64>,
}

impl EncryptedOnce {
    pub(super) fn travels(&mut self, at: usize, body: &[u8]) -> Result<(), Broken> {
        // Both forms share one counter, so both are held against the same nonces.
        if let Ok(Frame { header, sealed }) = Frame::read(body) {
            let (session, generation) = (header.session.to_string(), header.generation.get());
            let place = (session.as_str(), u64::from(generation), header.sequence.get());
            return self.sealed(at, place, &sealed);
        }
        let Ok(Value::Object(message)) = parse(body, &RULES_1_1) else {
            return Err("what leaves a peer is neither a JSON object nor a frame".to_owned());
        };
        let Some((session, generation, sequence, sealed)) = nonce_of(&message) else {
            return Ok(());
        };
        self.sealed(at, (session, generation, sequence), sealed.as_bytes())
    }

    fn sealed(
        &mut self,
        at: usize,
        (session, generation, sequence): (&str, u64, u64),
        sealed: &[u8],
    ) -> Result<(), Broken> {
        let mut hasher = DefaultHasher::new();
        sealed.hash(&mut hasher);
        let bytes = hasher.finish();
        let nonce = (at, session.to_owned(), generation, sequence);
        match self.sealed.insert(nonce, bytes) {
            Some(earlier) if earlier != bytes => Err(format!(
                "machine {at} sealed two texts under generation {generation}, sequence {sequence} of session {session}"
            )),
            Some(_) | None => Ok(()),
        }
    }
}

fn nonce_of(message: &Object) -> Option<(&str, u64, u64, &str)> {
    let payload = message.get("payload")?.as_object()?;
    let unsigned = |object: &Object, field| object.get(field)?.as_integer()?.as_u64();
    Some((
        message.get("session_id")?.as_str()?,
        unsigned(payload, "generation")?,
        unsigned(message, "sequence_num")?,
        payload.get("sealed")?.as_str()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(generation: u64, sequence: u64, sealed: &str) -> String {
        format!(
            r#"{{"session_id":"s","sequence_num":{sequence},"payload":{{"generation":{generation},"sealed":"{sealed}"}}}}"#
        )
    }

    #[test]
    fn a_second_text_under_the_same_nonce_is_seen() {
        let mut law = EncryptedOnce::default();
        let mut travels = |at, text: String| law.travels(at, text.as_bytes());
        assert_eq!(travels(0, message(1, 7, "aaaa")), Ok(()));
        assert_eq!(travels(0, message(1, 7, "aaaa")), Ok(()), "a repeat");
        assert_eq!(travels(1, message(1, 7, "bbbb")), Ok(()), "the other direction");
        assert_eq!(travels(0, message(2, 7, "bbbb")), Ok(()), "another generation");
        assert!(travels(0, message(1, 7, "bbbb")).is_err());
    }
}
