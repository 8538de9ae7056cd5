//! `no-plaintext`: texts that were sent never appear on the wire, neither in clear nor in base64 nor in hexadecimal;
//! with `logs = true` in no line that a peer logged, with `stores = true` in no file that a peer keeps.

use handfast_scenario::event::{SearchPlace, WireBytes};

use crate::history::History;
use crate::params::Params;
use crate::spelling::{MARKER_LEN_MIN, Spellings};
use crate::{Finding, OracleError};

type Marker<'a> = (&'a str, Spellings);

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["markers", "logs", "stores"])?;
    let markers = params.texts("markers")?;
    let (logs, stores) = (params.flag("logs")?, params.flag("stores")?);
    if let Some(short) = markers.iter().find(|marker| marker.len() < MARKER_LEN_MIN) {
        let problem =
            format!("needs markers of at least {MARKER_LEN_MIN} bytes, {short:?} is met by chance");
        return Err(params.problem(problem));
    }
    let asked: Vec<String> = history.asked().map(decoded_text).collect();
    for marker in &markers {
        if !asked.iter().any(|asked| asked.contains(marker.as_str())) {
            return Ok(Err(format!(
                "{marker:?} was never sent, so that it was not seen shows nothing"
            )));
        }
    }
    let markers: Vec<Marker<'_>> =
        markers.iter().map(|marker| (marker.as_str(), Spellings::new(marker))).collect();
    let finding = on_the_wire(history, &markers)
        .and_then(|()| if logs { in_logs(history, &markers) } else { Ok(()) })
        .and_then(|()| {
            if stores {
                searched(history, &markers, SearchPlace::Files, "the folder")
            } else {
                Ok(())
            }
        });
    Ok(finding)
}

fn on_the_wire(history: &History<'_>, markers: &[Marker<'_>]) -> Finding {
    let wire = history.wire();
    if wire.is_empty() {
        return Err("no message was captured, so that nothing was seen shows nothing".to_owned());
    }
    for message in &wire {
        let halves = [
            ("request", Some(message.request)),
            ("request as delivered", message.delivered),
            ("response", message.response.map(|(_, body)| body)),
        ];
        for (half, bytes) in halves {
            let Some(bytes) = bytes else { continue };
            if let Some(reason) = found(bytes, markers) {
                return Err(format!("the {half} of {} {reason}", message.title()));
            }
        }
    }
    Ok(())
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

fn found(bytes: &WireBytes, markers: &[Marker<'_>]) -> Option<String> {
    let Ok(body) = bytes.bytes() else { return Some("is not readable in the record".to_owned()) };
    in_bytes(&body, markers).or_else(|| {
        bytes
            .is_truncated()
            .then(|| format!("is {} bytes long, of which only a part is captured", bytes.len))
    })
}

fn in_bytes(bytes: &[u8], markers: &[Marker<'_>]) -> Option<String> {
    markers.iter().find_map(|(marker, spellings)| {
        spellings.find(bytes).map(|form| format!("has {marker:?} in {form}"))
    })
}

/// No line of a log has a marker; not those that were told line by line, nor what is kept of each log.
fn in_logs(history: &History<'_>, markers: &[Marker<'_>]) -> Finding {
    for (role, line, is_cut) in history.logs() {
        if let Some(reason) = in_bytes(line.as_bytes(), markers) {
            return Err(format!("a line in the log of {role} {reason}"));
        }
        if is_cut {
            return Err(format!("a line in the log of {role} is captured only in part"));
        }
    }
    searched(history, markers, SearchPlace::Log, "the log")
}

/// Every role was searched for every marker; there was something to look at, and nothing was found.
fn searched(
    history: &History<'_>,
    markers: &[Marker<'_>],
    place: SearchPlace,
    what: &str,
) -> Finding {
    for role in history.roles() {
        for (marker, _) in markers {
            let mut searches = history.searches().filter(|search| {
                search.role == role && search.place == place && search.marker == *marker
            });
            let Some(search) = searches.next_back() else {
                return Err(format!("{what} of {role} was not searched for {marker:?}"));
            };
            if let Some(found) = search.found {
                return Err(format!("{marker:?} in {what} of {role}: {found}"));
            }
            if search.count == 0 {
                return Err(format!(
                    "{what} of {role} is empty, so that it has no marker shows nothing"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
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
    fn a_marker_in_a_log_fails_where_logs_are_looked_at() {
        let told = |line: &str| {
            let story = Story::new().started("a").sent("a", "b", "s", 3, json!(MARKER));
            story.wire_bytes("a", "b", b"..", 200, WireTaken::Passed).log("b", line)
        };
        let searched =
            |line, count, found| told(line).searched(SearchPlace::Log, MARKER, count, found);
        let params = || json!({ "markers": [MARKER], "logs": true });
        searched("got it", 2, None).passes("no-plaintext", params());
        told("got the-secret-word").passes("no-plaintext", json!({ "markers": [MARKER] }));
        told("got the-secret-word").fails("no-plaintext", params(), "the log of b has");
        told(&STANDARD.encode(MARKER)).fails("no-plaintext", params(), "in base64");
        told("got it").fails("no-plaintext", params(), "was not searched");
        searched("got it", 0, None).fails("no-plaintext", params(), "is empty");
        let found = searched("got it", 2, Some("line 2 has it in clear"));
        found.fails("no-plaintext", params(), "in the log of a: line 2");
    }

    #[test]
    fn a_marker_in_a_store_fails_where_stores_are_looked_at() {
        let told = || {
            let story = Story::new().started("a").sent("a", "b", "s", 3, json!(MARKER));
            story.wire_bytes("a", "b", b"..", 200, WireTaken::Passed)
        };
        let searched =
            |marker, count, found| told().searched(SearchPlace::Files, marker, count, found);
        let params = || json!({ "markers": [MARKER], "stores": true });
        searched(MARKER, 2, None).passes("no-plaintext", params());
        told().fails("no-plaintext", params(), "was not searched");
        searched("another", 2, None).fails("no-plaintext", params(), "was not searched");
        searched(MARKER, 0, None).fails("no-plaintext", params(), "is empty");
        let found = searched(MARKER, 2, Some("entity.db has it in clear"));
        found.fails("no-plaintext", params(), "the folder of a: entity.db");
    }

    #[test]
    fn a_marker_that_is_met_by_chance_is_refused() {
        let error = crate::judge("no-plaintext", &json!({ "markers": ["abc"] }), &[]).unwrap_err();
        assert!(error.to_string().contains("met by chance"), "{error}");
    }
}
