//! From status and body to an answer or a failure.

use std::time::Duration;

use serde_json::Value;

use super::{Reply, SAID_MAX};
use crate::budget::Kind;
use crate::call::{Call, Cost};
use crate::inbound::Untrusted;

/// How long to wait after a 429 that names no time.
const PAUSE_DEFAULT: Duration = Duration::from_mins(1);
/// How long to leave comments alone when the service says that none are left today, at least.
const DAY_USED_UP: Duration = Duration::from_hours(1);

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Its status, 200 to 299.
    pub status: u16,
    /// Its body.
    pub body: Value,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// Done.
    Fine(Answered),
    /// Not done: the service asks for a pause.
    Pause {
        /// Of what.
        kind: Kind,
        /// How long.
        length: Duration,
    },
    /// The service is in trouble; a write may have been done.
    Trouble {
        /// Its status.
        status: u16,
        /// How long to wait before trying again, if it says so.
        wait: Option<Duration>,
    },
    /// Not done, and asking again the same way is no use.
    Refused(Refusal),
    /// The service sends us elsewhere. Nobody goes there.
    Elsewhere(Untrusted),
    /// A good status with a body that is no JSON object.
    NoJson,
    /// A status that the service is not known to give.
    Unknown(u16),
}

/// Why the service says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In one word.
    pub why: Why,
    /// Its status.
    pub status: u16,
    /// What the service says of it.
    pub said: Option<Untrusted>,
    /// What the service advises.
    pub hint: Option<Untrusted>,
}

/// The reasons that the service documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The key is wrong, revoked, or was lost on the way (401).
    Authentication,
    /// The account may not do this: not claimed, suspended, too new (403).
    Forbidden,
    /// There is no such thing (404).
    NotFound,
    /// It was done before (409).
    Conflict,
    /// It is too late (410).
    Gone,
    /// What was sent is not right (400, 413, 422, or a good status that says it failed).
    Invalid,
}

/// Says what `reply` means for `call`.
pub fn judge(call: &Call, reply: &Reply) -> Judged {
    let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let refusal = |why| Judged::Refused(refusal(why, reply.status, body.as_ref()));
    match reply.status {
        200..=299 => match body {
            Some(body) if body.is_object() => good(reply.status, body),
            _ => Judged::NoJson,
        },
        300..=399 => Judged::Elsewhere(Untrusted::new(
            reply.location.as_deref().unwrap_or("nowhere"),
            SAID_MAX,
        )),
        400 | 413 | 422 => refusal(Why::Invalid),
        401 => refusal(Why::Authentication),
        403 => refusal(Why::Forbidden),
        404 => refusal(Why::NotFound),
        409 => refusal(Why::Conflict),
        410 => refusal(Why::Gone),
        429 => Judged::Pause { kind: kind_of(call), length: pause(reply, body.as_ref()) },
        500..=599 => Judged::Trouble { status: reply.status, wait: after(reply) },
        other => Judged::Unknown(other),
    }
}

fn good(status: u16, body: Value) -> Judged {
    match body.get("success") {
        Some(Value::Bool(false)) => Judged::Refused(refusal(Why::Invalid, status, Some(&body))),
        _ => Judged::Fine(Answered { status, body }),
    }
}

fn refusal(why: Why, status: u16, body: Option<&Value>) -> Refusal {
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| body?.get(name)?.as_str());
        found.map(|text| Untrusted::new(text, SAID_MAX))
    };
    Refusal { why, status, said: text(&["error", "message"]), hint: text(&["hint"]) }
}

fn kind_of(call: &Call) -> Kind {
    match call.cost() {
        Cost::Read => Kind::Request,
        Cost::Post => Kind::Post,
        Cost::Comment => Kind::Comment,
        Cost::Answer => Kind::Answer,
    }
}

/// The longest of all times that a 429 names; a minute if it names none.
fn pause(reply: &Reply, body: Option<&Value>) -> Duration {
    let number = |name: &str| {
        let value = body.and_then(|body| body.get(name).or_else(|| body.get("data")?.get(name)))?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
    };
    let span = |name: &str, unit: f64| {
        let seconds = (number(name)?.max(0.0) * unit).min(1e9);
        Some(Duration::from_secs_f64(seconds))
    };
    let used_up = number("daily_remaining").is_some_and(|left| left <= 0.0);
    let named = [
        after(reply),
        span("retry_after_seconds", 1.0),
        span("retry_after_minutes", 60.0),
        used_up.then_some(DAY_USED_UP),
    ];
    let longest = named.into_iter().flatten().max().unwrap_or(PAUSE_DEFAULT);
    longest.max(Duration::from_secs(1))
}

/// `Retry-After`: seconds, or a date, of which the answer's own date is taken away, so that no local clock has a say.
fn after(reply: &Reply) -> Option<Duration> {
    let text = reply.retry_after.as_deref()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let until = http_date(text)?;
    let now = http_date(reply.date.as_deref()?)?;
    Some(Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}

/// A date of HTTP in seconds since 1970.
pub fn http_date(text: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

impl Refusal {
    /// Whether the service may count this answer to a challenge as a failed one: all but a key or an account that it does not accept.
    pub fn counts_as_failure(&self) -> bool {
        !matches!(self.why, Why::Authentication | Why::Forbidden)
    }
}
