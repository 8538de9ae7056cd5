//! `no-nonce-reuse`: a peer never puts the same nonce, or the same place in a sealed generation, on two different
//! messages.
//!
//! The same bytes again are a retry and allowed: docs/protocol/1.0.md#client-rules. What the tap
//! sent itself is not the peer's doing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_scenario::event::WireTaken;
use serde_json::Value;

use crate::frames::{self, Frame};
use crate::history::{History, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

/// Where nonces stand: the envelope's own (docs/protocol/1.0.md#envelope), and those of sealed
/// payloads (docs/protocol/1.0.md#session-sealing, docs/protocol/1.0.md#static-key-sealing).
const NONCES: [&str; 3] = ["/nonce", "/payload/nonce", "/payload/_encrypted_payload/nonce"];

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let mut seen: BTreeMap<(&str, String), (String, String)> = BTreeMap::new();
    for message in history.wire() {
        if matches!(message.action, WireTaken::Replayed | WireTaken::Duplicated) {
            continue;
        }
        let whole = &message.request.base64;
        let all: Vec<(String, String)> = match message.sent_json() {
            Some(envelope) => {
                used(&envelope).into_iter().map(|used| (used, whole.clone())).collect()
            }
            None => sealed_frames(&message),
        };
        for (used, bytes) in all {
            let earlier = seen.entry((message.from, used.clone()));
            let (first, title) = earlier.or_insert_with(|| (bytes.clone(), message.title()));
            if *first != bytes {
                let now = message.title();
                return Ok(Err(format!(
                    "{now} uses {used} again, which {title} used for other bytes"
                )));
            }
        }
    }
    if seen.is_empty() {
        return Ok(Err(
            "no message with a nonce was captured, so that none came twice shows nothing"
                .to_owned(),
        ));
    }
    Ok(Ok(()))
}

/// What this message uses up.
fn used(envelope: &Value) -> Vec<String> {
    let nonces = NONCES.iter().filter_map(|pointer| {
        let text = envelope.pointer(pointer)?.as_str()?;
        Some(format!("{} {}", pointer.trim_start_matches('/').replace('/', "."), canonical(text)))
    });
    let mut used: Vec<String> = nonces.collect();
    if envelope.pointer("/payload/sealed").is_some() {
        // docs/protocol/1.1.md#encrypted-once: the place in the generation is the nonce.
        let session = &envelope["session_id"];
        let (generation, sequence) =
            (&envelope["payload"]["generation"], &envelope["sequence_num"]);
        used.push(format!("sealing place {session} {generation} {sequence}"));
    }
    used
}

/// The places that compact frames use up, each with the frame. Their counter is that of sealed envelopes.
fn sealed_frames(message: &Wire<'_>) -> Vec<(String, String)> {
    let place = |frame: Frame| {
        let Frame { session, generation, sequence, base64, .. } = frame;
        (format!("sealing place \"{session}\" {generation} {sequence}"), base64)
    };
    frames::of(message).frames.into_iter().map(place).collect()
}

/// Two texts of the same 16 bytes are the same nonce.
fn canonical(text: &str) -> String {
    let from_hex = hex::decode(text).ok().filter(|bytes| bytes.len() == 16);
    let bytes = from_hex.or_else(|| STANDARD.decode(text).ok());
    bytes.map_or_else(|| text.to_owned(), hex::encode)
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::WireTaken;
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    #[test]
    fn fresh_nonces_pass() {
        let story = Story::new().wire("a", "b", &json!({ "nonce": "n1" }), 200);
        story.wire("a", "b", &json!({ "nonce": "n2" }), 200).passes("no-nonce-reuse", NONE);
    }

    #[test]
    fn a_nonce_on_two_messages_fails() {
        let story = Story::new().wire("a", "b", &json!({ "nonce": "n", "x": 1 }), 200);
        let story = story.wire("a", "b", &json!({ "nonce": "n", "x": 2 }), 200);
        story.fails("no-nonce-reuse", NONE, "message #2 of a -> b uses nonce");
    }

    #[test]
    fn two_texts_of_one_nonce_are_one_nonce() {
        let story = Story::new().wire("a", "b", &json!({ "nonce": "00".repeat(16) }), 200);
        let story = story.wire("a", "b", &json!({ "nonce": "AAAAAAAAAAAAAAAAAAAAAA==" }), 200);
        story.fails("no-nonce-reuse", NONE, "again");
    }

    #[test]
    fn the_same_bytes_again_are_a_retry() {
        let message = json!({ "nonce": "n" });
        Story::new()
            .wire("a", "b", &message, 500)
            .wire("a", "b", &message, 200)
            .passes("no-nonce-reuse", NONE);
    }

    #[test]
    fn what_the_tap_replays_is_not_the_peers_doing() {
        let story = Story::new().wire("a", "b", &json!({ "nonce": "n", "x": 1 }), 200);
        let replay = json!({ "nonce": "n", "x": 2 }).to_string();
        let story = story.wire_bytes("a", "b", replay.as_bytes(), 409, WireTaken::Replayed);
        story.passes("no-nonce-reuse", NONE);
    }

    #[test]
    fn a_sealing_nonce_used_twice_fails() {
        let seal = |data: &str, nonce: &str| json!({ "nonce": nonce, "payload": { "data": data, "nonce": "i" } });
        let story = Story::new().wire("a", "b", &seal("1", "n1"), 200).wire(
            "a",
            "b",
            &seal("2", "n2"),
            200,
        );
        story.fails("no-nonce-reuse", NONE, "payload.nonce");
    }

    #[test]
    fn a_place_in_a_generation_sealed_twice_fails() {
        let seal = |sealed: &str, nonce: &str| {
            json!({ "session_id": "s", "sequence_num": 4, "nonce": nonce,
                    "payload": { "generation": 0, "sealed": sealed } })
        };
        let story = Story::new().wire("a", "b", &seal("x", "n1"), 200).wire(
            "a",
            "b",
            &seal("y", "n2"),
            200,
        );
        story.fails("no-nonce-reuse", NONE, "sealing place");
        let other_way = Story::new().wire("a", "b", &seal("x", "n1"), 200).wire(
            "b",
            "a",
            &seal("y", "n2"),
            200,
        );
        other_way.passes("no-nonce-reuse", NONE);
    }

    /// A frame of session 07070707-... in generation 0.
    fn frame(sequence: u8, sealed: u8) -> Vec<u8> {
        let mut frame = vec![0x11];
        frame.extend_from_slice(&[7; 16]);
        frame.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, sequence]);
        frame.extend_from_slice(&[sealed; 20]);
        frame
    }

    /// Sends these bodies from a to b.
    fn told(bodies: &[&[u8]]) -> Story {
        bodies.iter().fold(Story::new(), |story, body| {
            story.wire_bytes("a", "b", body, 200, WireTaken::Passed)
        })
    }

    fn batch(frames: &[Vec<u8>]) -> Vec<u8> {
        let with_len = |frame: &Vec<u8>| {
            [&u32::try_from(frame.len()).unwrap_or(0).to_be_bytes(), &frame[..]].concat()
        };
        frames.iter().flat_map(with_len).collect()
    }

    #[test]
    fn frames_at_places_of_their_own_pass_and_the_same_frame_again_is_a_retry() {
        told(&[&frame(3, 1), &frame(4, 1), &frame(3, 1)]).passes("no-nonce-reuse", NONE);
        let (one, both) = (batch(&[frame(3, 1)]), batch(&[frame(4, 1), frame(3, 1)]));
        told(&[&one, &both]).passes("no-nonce-reuse", NONE);
    }

    #[test]
    fn two_frames_at_one_place_fail_alone_or_in_a_list() {
        told(&[&frame(3, 1), &frame(3, 2)]).fails("no-nonce-reuse", NONE, "sealing place");
        let list = batch(&[frame(4, 1), frame(3, 2)]);
        told(&[&frame(3, 1), &list]).fails("no-nonce-reuse", NONE, "sealing place");
    }

    #[test]
    fn a_frame_and_an_envelope_at_one_place_fail() {
        let session = "07070707-0707-0707-0707-070707070707";
        let envelope = json!({ "session_id": session, "sequence_num": 3, "nonce": "n",
                               "payload": { "generation": 0, "sealed": "x" } });
        let story = Story::new().wire("a", "b", &envelope, 200);
        let story = story.wire_bytes("a", "b", &frame(3, 1), 200, WireTaken::Passed);
        story.fails("no-nonce-reuse", NONE, "sealing place");
    }
}
