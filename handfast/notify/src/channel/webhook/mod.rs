//! Any service that takes JSON.
//!
//! 1. [`template`]: from a letter to JSON, and what is wrong with a template, with its line.
//! 2. [`facts`]: what a template can speak of.
//!
//! A webhook cannot be asked what it has, so that a letter whose answer was lost is sent again and may come twice. Each request says
//! its letter's key in `Idempotency-Key`, by which a service of one's own can tell. A template that gives nothing sends nothing.

mod facts;
mod template;

use std::collections::BTreeMap;

use self::template::Template;
use super::http::{Answer, Budget, Call, Client, Request, check_address};
use super::message::text;
use super::open::{Place, Refused};
use super::secret::{self, Secret};
use super::settings::HeaderFrom;
use super::{CALL_MAX, Channel};
use crate::letter::Letter;
use crate::outcome::Outcome;

/// A service behind an address.
#[derive(Debug)]
pub(in crate::channel) struct Webhook {
    client: Client,
    address: Secret,
    method: String,
    headers: Vec<Header>,
    template: Template,
}

/// A header; any value may be a secret, so that each is treated as one.
#[derive(Debug)]
struct Header {
    name: String,
    value: Secret,
}

/// What the project file says of a webhook, beside its secret.
pub(in crate::channel) struct Wanted<'a> {
    pub(in crate::channel) template: &'a str,
    pub(in crate::channel) method: &'a str,
    pub(in crate::channel) headers: &'a BTreeMap<String, HeaderFrom>,
}

impl Webhook {
    /// Makes the channel; the sentences are warnings.
    pub(in crate::channel) fn new(
        client: Client,
        address: Secret,
        wanted: &Wanted<'_>,
        place: Place<'_>,
    ) -> Result<(Self, Vec<String>), Refused> {
        check_address(address.expose()).map_err(|why| {
            let fix = "the secret has to hold the whole address, https://…";
            Refused::new(format!("its secret is no address of a webhook: {why}"), fix)
        })?;
        if !METHODS.contains(&wanted.method) {
            let why = format!("its `method` {:?} is none that sends", wanted.method);
            return Err(Refused::new(why, "write POST, PUT or PATCH"));
        }
        let mut warnings = Vec::new();
        let headers = headers(wanted.headers, place, &mut warnings)?;
        let template = Template::load(wanted.template, place.folder)?;
        Ok((
            Self { client, address, method: wanted.method.to_owned(), headers, template },
            warnings,
        ))
    }

    fn redacted(&self, outcome: Outcome) -> Outcome {
        self.secrets().fold(outcome, Outcome::redacted)
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.headers.iter().map(|header| &header.value).chain([&self.address])
    }

    fn redact(&self, text: &str) -> String {
        self.secrets().fold(text.to_owned(), |text, secret| secret.redact(&text))
    }
}

impl Channel for Webhook {
    fn deliver(&self, letter: &Letter) -> Outcome {
        let body = match self.template.render(letter) {
            Ok(Some(body)) => body,
            Ok(None) => return Outcome::Told { reference: None },
            Err(refused) => return Outcome::Never { why: refused.why, fix: refused.fix },
        };
        let mut headers = vec![("idempotency-key", letter.key.as_str())];
        if !self.headers.iter().any(|header| header.name == "content-type") {
            headers.push(("content-type", "application/json"));
        }
        headers.extend(
            self.headers.iter().map(|header| (header.name.as_str(), header.value.expose())),
        );
        let request = Request {
            method: &self.method,
            address: self.address.expose(),
            headers: &headers,
            body: body.into_bytes(),
        };
        let outcome = match self.client.call(request, Budget::start(CALL_MAX)) {
            Call::Answered(answer) => outcome(&answer, |text| self.redact(text)),
            Call::NotSent { why } => Outcome::Later { after: None, why },
            Call::Lost { why } => Outcome::Unsure { why },
            Call::Impossible { why, fix } => Outcome::Never { why, fix },
        };
        self.redacted(outcome)
    }

    fn check(&self) -> Result<String, Outcome> {
        Ok("a webhook can only be tried by a message; its template renders".to_owned())
    }
}

fn headers(
    wanted: &BTreeMap<String, HeaderFrom>,
    place: Place<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Header>, Refused> {
    if wanted.len() > HEADERS_MAX {
        let why = format!("it has more than {HEADERS_MAX} headers");
        return Err(Refused::new(why, "leave some out"));
    }
    let mut headers = Vec::new();
    for (name, from) in wanted {
        let name = name.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(plain) || OURS.contains(&name.as_str()) {
            let why = format!("its header {name:?} cannot be set");
            return Err(Refused::new(
                why,
                "leave it out: it is no name of a header, or the connection's own",
            ));
        }
        let found = match from {
            HeaderFrom::Plain(text) => Secret::new(text.clone().into())
                .map(|secret| secret::Found { secret, warning: None }),
            HeaderFrom::Secret(from) => secret::find(from, place.environment, place.folder),
        };
        let found = found.map_err(|error| {
            Refused::new(format!("its header {name}: {error}"), "see the guide about notifications")
        })?;
        warnings.extend(found.warning);
        headers.push(Header { name, value: found.secret });
    }
    Ok(headers)
}

fn outcome(answer: &Answer, redact: impl Fn(&str) -> String) -> Outcome {
    let body = answer.body.as_deref().unwrap_or_default();
    let said = text::said(&String::from_utf8_lossy(body), SAID_MAX, redact);
    let why = format!("the service answered with status {}: {said}", answer.status);
    let fix = match answer.status {
        200..=299 => return Outcome::Told { reference: None },
        408 | 425 | 429 | 503 => return Outcome::Later { after: answer.retry_after, why },
        // A gateway in between may say so although the service behind it has taken the message.
        500..=599 => return Outcome::Unsure { why },
        300..=399 => {
            "the address leads elsewhere, and a secret is not sent after it: put the final address into the secret"
        }
        401 | 403 => {
            "the service does not know the secret: copy it again, and look at the channel's headers"
        }
        404 | 410 => {
            "there is nothing at this address (any more): make a new webhook, and copy its address into the secret"
        }
        413 => {
            "the message is too large for the service: let the template say less, for example `{{ text | cut(2000) }}`"
        }
        _ => {
            "the service does not take what the template makes: compare it with the service's documentation"
        }
    };
    Outcome::Never { why, fix: fix.to_owned() }
}

/// What sends a body.
const METHODS: [&str; 3] = ["POST", "PUT", "PATCH"];

/// Headers of the connection, or our own.
const OURS: [&str; 7] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "idempotency-key",
];

/// Most headers of a channel.
const HEADERS_MAX: usize = 20;

/// Longest answer that is repeated to people, characters.
const SAID_MAX: usize = 200;

#[cfg(test)]
mod tests;
