//! `no-plaintext`: texts that were sent never appear on the wire, neither in clear nor in base64 nor in hexadecimal.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use handfast_scenario::event::WireBytes;

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

/// Shortest marker, in bytes: a shorter one is met by chance in base64 of ciphertext.
const MARKER_LEN_MIN: usize = 8;

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["markers"])?;
    let markers = params.texts("markers")?;
    if let Some(short) = markers.iter().find(|marker| marker.len() < MARKER_LEN_MIN) {
        let problem =
            format!("needs markers of at least {MARKER_LEN_MIN} bytes, {short:?} is met by chance");
        return Err(params.problem(problem));
    }
    let sends = history.sends();
    for marker in &markers {
        let sent = sends.iter().any(|send| decoded_text(send.body).contains(marker.as_str()));
        if !sent {
            return Ok(Err(format!(
                "{marker:?} was never sent, so that it was not seen shows nothing"
            )));
        }
    }
    let wire = history.wire();
    if wire.is_empty() {
        return Ok(Err(
            "no message was captured, so that nothing was seen shows nothing".to_owned()
        ));
    }
    let forms: Vec<(&str, &'static str, Vec<u8>)> = markers
        .iter()
        .flat_map(|marker| forms(marker).map(move |(form, bytes)| (marker.as_str(), form, bytes)))
        .collect();
    for message in &wire {
        let halves = [
            ("request", Some(message.request)),
            ("request as delivered", message.delivered),
            ("response", message.response.map(|(_, body)| body)),
        ];
        for (half, bytes) in halves {
            let Some(bytes) = bytes else { continue };
            if let Some(reason) = found(bytes, &forms) {
                return Ok(Err(format!("the {half} of {} {reason}", message.title())));
            }
        }
    }
    Ok(Ok(()))
}

/// All texts of a body, one after the other, as a person wrote them: without the escapes of JSON.
fn decoded_text(body: &serde_json::Value) -> String {
    match body {
        serde_json::Value::String(text) => format!("{text}\n"),
        serde_json::Value::Array(items) => items.iter().map(decoded_text).collect(),
        serde_json::Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| [key.clone(), "\n".to_owned(), decoded_text(value)])
            .collect(),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            body.to_string()
        }
    }
}

fn found(bytes: &WireBytes, forms: &[(&str, &'static str, Vec<u8>)]) -> Option<String> {
    let Ok(body) = bytes.bytes() else { return Some("is not readable in the record".to_owned()) };
    let lower = body.to_ascii_lowercase();
    for (marker, form, needle) in forms {
        // Hexadecimal is one form in either case; everything else is compared as it is.
        let hay = if *form == "hexadecimal" { &lower } else { &body };
        if contains(hay, needle) {
            return Some(format!("has {marker:?} in {form}"));
        }
    }
    bytes
        .is_truncated()
        .then(|| format!("is {} bytes long, of which only a part is captured", bytes.len))
}

/// How a marker may stand in a body.
fn forms(marker: &str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("clear", marker.as_bytes().to_vec()),
        ("hexadecimal", hex::encode(marker).into_bytes()),
    ];
    let escaped = serde_json::Value::from(marker).to_string();
    forms.push(("clear", escaped.trim_matches('"').as_bytes().to_vec()));
    forms.push(("clear", ascii_json(marker).into_bytes()));
    for shift in 0..3 {
        forms.push(("base64", base64_inside(marker.as_bytes(), shift, &STANDARD_NO_PAD)));
        forms.push(("base64", base64_inside(marker.as_bytes(), shift, &URL_SAFE_NO_PAD)));
    }
    forms.into_iter()
}

/// The letters that `marker` has in base64 wherever it begins `shift` bytes after a multiple of three: those
/// made of its own bits alone.
fn base64_inside(
    marker: &[u8],
    shift: usize,
    engine: &base64::engine::general_purpose::GeneralPurpose,
) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(marker);
    let text = engine.encode(&padded).into_bytes();
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text[first..last].to_vec()
}

/// The marker as JSON writers spell it that keep to ASCII.
fn ascii_json(marker: &str) -> String {
    let mut text = String::new();
    let mut units = [0; 2];
    for letter in marker.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut units) {
                // Writing to a text cannot fail.
                write!(text, "\\u{unit:04x}").unwrap_or_default();
            }
        }
    }
    text
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use handfast_scenario::event::{WIRE_BYTES_MAX, WireTaken};
    use serde_json::json;

    use super::*;
    use crate::story::Story;

    const MARKER: &str = "the-secret-word";

    fn check_wire(body: &[u8], marker: &str, expected: Option<&str>) {
        let story = Story::new().sent("a", "b", "s", 3, json!({ "text": format!("xx {marker}") }));
        let story = story.wire_bytes("a", "b", body, 200, WireTaken::Passed);
        let params = json!({ "markers": [marker] });
        match expected {
            None => story.passes("no-plaintext", params),
            Some(part) => story.fails("no-plaintext", params, part),
        }
    }

    #[test]
    fn sealed_traffic_passes() {
        check_wire(b"{\"sealed\":\"q83vEjRWeJA=\"}", MARKER, None);
    }

    #[test]
    fn a_marker_in_clear_fails() {
        check_wire(b"..the-secret-word..", MARKER, Some("the request of message #1 of a -> b has"));
    }

    #[test]
    fn a_marker_in_base64_fails_wherever_it_begins() {
        for before in ["", "1", "12", "123", "1234"] {
            let text = STANDARD.encode(format!("{before}{MARKER} and more"));
            check_wire(text.as_bytes(), MARKER, Some("in base64"));
        }
    }

    #[test]
    fn a_marker_in_hexadecimal_fails_in_either_case() {
        check_wire(hex::encode(MARKER).as_bytes(), MARKER, Some("in hexadecimal"));
        check_wire(hex::encode_upper(MARKER).as_bytes(), MARKER, Some("in hexadecimal"));
    }

    #[test]
    fn a_marker_with_escapes_of_json_fails() {
        check_wire(b"\"geheimnis\\u00fcbung\"", "geheimnis\u{fc}bung", Some("in clear"));
        check_wire(b"\"quoted \\\"secret\\\"\"", "quoted \"secret\"", Some("in clear"));
    }

    #[test]
    fn a_marker_that_was_never_sent_proves_nothing() {
        let story = Story::new().wire("a", "b", &json!({}), 200);
        story.fails("no-plaintext", json!({ "markers": [MARKER] }), "was never sent");
    }

    #[test]
    fn a_wire_that_was_not_captured_whole_proves_nothing() {
        check_wire(&vec![b'x'; WIRE_BYTES_MAX + 1], MARKER, Some("only a part is captured"));
    }

    #[test]
    fn a_marker_that_is_met_by_chance_is_refused() {
        let error = crate::judge("no-plaintext", &json!({ "markers": ["abc"] }), &[]).unwrap_err();
        assert!(error.to_string().contains("met by chance"), "{error}");
    }
}
