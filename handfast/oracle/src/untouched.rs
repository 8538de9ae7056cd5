//! `untouched`: what a relay hands on has the bytes that were given to it, and what it took came out.
//!
//! It takes `from`, `via` and `to`: two taps, one on each side of the relay. A message is what was posted to the mailbox of
//! `to` (docs/protocol/1.1.md#relay) or to `to` itself, or stood behind the header of a forward with its key
//! (docs/protocol/1.1.md#relay-forward); of a list of frames each is one. `times` is how many different ones cross at least,
//! counted are those of this `form` and, of envelopes, `version` and `type` (its `msg_type`). A message that its sender seals anew to send it again
//! counts as another: what it is about cannot be read here. With `onward` messages leave for a further relay `to`, whoever they
//! are for, and every mailbox of the first relay counts.
//!
//! That something is lost is seen only of what was posted, and only where the relay said that it took it: a connection answers
//! many messages at once, and its answers are not captured.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_scenario::RunEvent;
use handfast_scenario::event::WireBytes;
use serde_json::Value;

use crate::history::{History, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

/// The first byte of a forward, and the length of its header: hops, id, key and form.
const FORWARD: u8 = 0x20;
const HEADER_LEN: usize = 51;

/// What passed one tap so shortly before the end may not have passed the other. Such a message neither fails nor counts.
/// Guessed: a busy machine.
const YOUNG_US: u64 = 1_000_000;

/// The same of what left the relay, where it may have been posted to it: a request is recorded when it has its answer, and a
/// relay may wait 5 s for that of the recipient (docs/protocol/1.1.md#relay).
const YOUNG_POSTED_US: u64 = 5_000_000 + YOUNG_US;

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["from", "via", "to", "times", "form", "version", "type", "onward"])?;
    let role = |key: &str| {
        params.text(key)?.ok_or_else(|| params.problem(format!("needs {key} = \"..\", a role")))
    };
    let (from, via, to) = (role("from")?, role("via")?, role("to")?);
    let asked = Asked {
        form: params.text("form")?,
        version: params.text("version")?,
        kind: params.text("type")?,
        times: params.count("times")?.unwrap_or(1),
    };
    if asked.form.is_some_and(|form| !["envelope", "frame"].contains(&form)) {
        return Err(params.problem("needs form = \"envelope\" or \"frame\""));
    }
    let key = if params.flag("onward")? { None } else { Some(key_of(history, to)) };
    let key = match key {
        Some(None) => return Ok(Err(format!("{to} has not said which key it has"))),
        Some(key) => key,
        None => None,
    };
    let taken = match crossings(history, (from, via), key, Side::In) {
        Ok(taken) => taken,
        Err(reason) => return Ok(Err(reason)),
    };
    let handed = match crossings(history, (via, to), key, Side::Out) {
        Ok(handed) => handed,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(asked.compare(&taken, &handed, history.ended_us()))
}

/// What is asked of all that crosses.
struct Asked<'a> {
    form: Option<&'a str>,
    version: Option<&'a str>,
    kind: Option<&'a str>,
    times: usize,
}

/// Which tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Before the relay.
    In,
    /// Behind it.
    Out,
}

/// One message as it passed a tap.
#[derive(Debug)]
struct Crossing {
    title: String,
    at_us: u64,
    bytes: Vec<u8>,
    /// Whether the relay said that it took it, where the tap can tell.
    is_taken: bool,
    /// Of a forward.
    header: Option<Header>,
}

/// Hops and id of a forward.
type Header = (u8, Vec<u8>);

impl Asked<'_> {
    fn compare(&self, taken: &[Crossing], handed: &[Crossing], ended_us: u64) -> Finding {
        let is_posted = |one: &Crossing| one.header.is_none();
        let young_us = match taken {
            [_, ..] if !taken.iter().any(is_posted) => YOUNG_US,
            _ => YOUNG_POSTED_US,
        };
        let mut given: BTreeMap<&[u8], Vec<&Crossing>> = BTreeMap::new();
        for one in taken {
            given.entry(&one.bytes).or_default().push(one);
        }
        let mut different: BTreeSet<&[u8]> = BTreeSet::new();
        for one in handed {
            let Some(before) = given.get(one.bytes.as_slice()) else {
                if one.at_us > ended_us.saturating_sub(young_us) {
                    continue;
                }
                return Err(format!("{} has bytes that nobody gave to the relay", one.title));
            };
            if let Some((hops, id)) = &one.header
                && before.iter().all(|before| before.header.is_some())
            {
                let follows = |before: &&Crossing| {
                    before.header.as_ref().is_some_and(|(was, its)| its == id && was + 1 == *hops)
                };
                if !before.iter().any(follows) {
                    return Err(format!("{} has another id, or not one hop more", one.title));
                }
            }
            different.insert(&one.bytes);
        }
        let is_lost = |one: &&Crossing| {
            let is_young = one.at_us > ended_us.saturating_sub(YOUNG_US);
            one.is_taken && !is_young && !different.contains(one.bytes.as_slice())
        };
        if let Some(lost) = taken.iter().find(is_lost) {
            return Err(format!("{} was answered 200, and never came out", lost.title));
        }
        let count = different.iter().filter(|bytes| self.counts(bytes)).count();
        let (times, form) = (self.times, self.form.unwrap_or("message"));
        let version = self.version.map(|version| format!(" of {version}")).unwrap_or_default();
        let kind = self.kind.map(|kind| format!(" of type {kind}")).unwrap_or_default();
        if count < times {
            return Err(format!(
                "expected {times} {form}s{version}{kind} to cross, {count} were captured"
            ));
        }
        Ok(())
    }

    fn counts(&self, bytes: &[u8]) -> bool {
        match serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object) {
            Some(envelope) => {
                self.form != Some("frame")
                    && self.version.is_none_or(|version| envelope["version"] == version)
                    && self.kind.is_none_or(|kind| envelope["msg_type"] == kind)
            }
            // The type of a frame is sealed.
            None => self.form != Some("envelope"),
        }
    }
}

/// The key that a role said at its start.
fn key_of<'a>(history: &History<'a>, name: &str) -> Option<&'a str> {
    history.events().find_map(|event| {
        let RunEvent::PeerStarted { role, key, .. } = event else { return None };
        key.as_deref().filter(|_| role.as_str() == name)
    })
}

/// The messages that passed the tap between two roles, for whoever has the key.
fn crossings(
    history: &History<'_>,
    (from, to): (&str, &str),
    key: Option<&str>,
    side: Side,
) -> Result<Vec<Crossing>, String> {
    let mut found = Vec::new();
    for message in history.wire().iter().filter(|one| one.from == from && one.to == to) {
        // What the relay got is what the tap delivered; what it sent, what the tap was given.
        let body = match side {
            Side::In => message.delivered.unwrap_or(message.request),
            Side::Out => message.request,
        };
        found.extend(taken_apart(message, body, (key, side))?);
    }
    Ok(found)
}

fn taken_apart(
    message: &Wire<'_>,
    body: &WireBytes,
    (key, side): (Option<&str>, Side),
) -> Result<Vec<Crossing>, String> {
    let title = message.title();
    let bytes = || {
        let whole = (!body.is_truncated()).then(|| STANDARD.decode(&body.base64).ok()).flatten();
        whole.ok_or_else(|| format!("{title} is longer than what is captured"))
    };
    if message.is_binary_of_socket() {
        return Ok(forward(&bytes()?, key)
            .map(|(header, inner)| Crossing {
                title: title.clone(),
                at_us: message.at_us,
                bytes: inner,
                is_taken: false,
                header: Some(header),
            })
            .into_iter()
            .collect());
    }
    let path = message.target.strip_prefix("POST ").unwrap_or_default();
    let base = path.rsplit_once('/').map_or("", |(base, _)| base);
    let is_for_key = match side {
        Side::In => base.strip_prefix("/relay/").is_some_and(|to| is_meant(to, key)),
        Side::Out => base.is_empty(),
    };
    if !is_for_key || path.is_empty() {
        return Ok(Vec::new());
    }
    let is_taken = message.response.is_some_and(|(status, _)| status == 200);
    let one = |title: String, bytes: Vec<u8>, is_taken: bool| Crossing {
        title,
        at_us: message.at_us,
        bytes,
        is_taken,
        header: None,
    };
    if !path.ends_with("/frame") {
        return Ok(vec![one(title.clone(), bytes()?, is_taken)]);
    }
    let results = message.response.map(|(_, answer)| results(answer)).unwrap_or_default();
    let frames = frames(&bytes()?).into_iter().enumerate().map(|(at, frame)| {
        let is_ok = results.get(at).is_some_and(|result| result == "ok");
        one(format!("frame {} of {title}", at + 1), frame, is_taken && is_ok)
    });
    Ok(frames.collect())
}

/// Whether a recipient is the one with the key; each one, where there is none.
fn is_meant(recipient: &str, key: Option<&str>) -> bool {
    let is_key =
        || recipient.len() == 64 && recipient.bytes().all(|digit| digit.is_ascii_hexdigit());
    key.map_or_else(is_key, |key| key == recipient)
}

/// Hops and id of a forward, and what stands behind its header; `None` for what is none, or for somebody else.
fn forward(bytes: &[u8], key: Option<&str>) -> Option<(Header, Vec<u8>)> {
    let (header, inner) = bytes.split_at_checked(HEADER_LEN)?;
    let is_meant = header[0] == FORWARD && is_meant(&hex::encode(&header[18..50]), key);
    is_meant.then(|| ((header[1], header[2..18].to_vec()), inner.to_vec()))
}

/// The frames of a request, each after its length.
fn frames(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let Some((frame, after)) = after.split_at_checked(len) else { break };
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

fn results(answer: &WireBytes) -> Vec<Value> {
    let body = STANDARD.decode(&answer.base64).unwrap_or_default();
    let answer = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    answer["results"].as_array().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
