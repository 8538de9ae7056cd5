//! Slack with a bot's token: each letter exactly once.
//!
//! Every message carries its letter's key as metadata (docs.slack.dev/messaging/message-metadata), which people do not see. If the answer to
//! a post was lost, the next attempt looks for the key before it posts again. An edit says the same however often it is
//! made, so that it is simply made again; it sends no metadata, by which Slack keeps that of the post.

use std::time::Duration;

use serde_json::{Value, json};

use super::lookup::{self, Sought};
use super::refusal::Refusal;
use crate::channel::http::{Answer, Budget, Call, Client, Request, check_address};
use crate::channel::message::slack::{Laid, lay_out};
use crate::channel::message::text::said;
use crate::channel::secret::Secret;
use crate::channel::{CALL_MAX, Channel, Refused};
use crate::letter::{Kind, Letter, Reference};
use crate::outcome::Outcome;

/// A channel of Slack into which a bot writes.
#[derive(Debug)]
pub(in crate::channel) struct Bot {
    client: Client,
    api: String,
    channel: String,
    token: Secret,
}

/// Where a message is: what [`Reference`] holds for Slack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) channel: String,
    pub(super) ts: String,
}

impl Bot {
    pub(in crate::channel) fn new(
        client: Client,
        api: &str,
        channel: &str,
        token: Secret,
    ) -> Result<Self, Refused> {
        check_address(api).map_err(|why| {
            Refused::new(
                format!("its `api` is refused: {why}"),
                "write `api = \"https://slack.com/api\"`, or leave it out",
            )
        })?;
        let is_id = channel.len() <= 20
            && matches!(channel.bytes().next(), Some(b'C' | b'G' | b'D'))
            && channel.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !is_id {
            return Err(Refused::new(
                format!("its `channel` {channel:?} is no id of a Slack channel"),
                "open the channel's details in Slack and copy the id at their end, such as C0123ABCD; a name cannot be looked up",
            ));
        }
        let api = api.trim_end_matches('/').to_owned();
        Ok(Self { client, api, channel: channel.to_owned(), token })
    }

    fn post(&self, letter: &Letter, thread: Option<&Place>, budget: Budget) -> Outcome {
        let mut body = self.message(letter);
        if let Some(thread) = thread {
            body["thread_ts"] = thread.ts.as_str().into();
        }
        match self.method("chat.postMessage", &body, budget) {
            Ok(answer) => told(&answer),
            // The message that was to be answered is gone; the note is worth a place of its own.
            Err(Failed::Refused(refusal, _)) if thread.is_some() && is_gone(&refusal) => {
                self.post(letter, None, budget)
            }
            Err(failed) => self.outcome(failed),
        }
    }

    fn edit(&self, letter: &Letter, place: &Place, budget: Budget) -> Outcome {
        let Laid { text, blocks } = lay_out(letter);
        let body =
            json!({ "channel": place.channel, "ts": place.ts, "text": text, "blocks": blocks });
        match self.method("chat.update", &body, budget) {
            Ok(_) => Outcome::Told { reference: Some(place.reference()) },
            // Somebody has deleted the message: nothing is left that could say something untrue.
            Err(Failed::Refused(refusal, _)) if is_gone(&refusal) => {
                Outcome::Told { reference: Some(place.reference()) }
            }
            Err(failed) => self.outcome(failed),
        }
    }

    fn message(&self, letter: &Letter) -> Value {
        let Laid { text, blocks } = lay_out(letter);
        json!({
            "channel": self.channel, "text": text, "blocks": blocks,
            "unfurl_links": false, "unfurl_media": false,
            "metadata": { "event_type": EVENT_TYPE, "event_payload": { "key": letter.key.as_str() } },
        })
    }

    /// Looks for the letter, if it may be there; `Err` is what came of looking.
    fn look(
        &self,
        letter: &Letter,
        thread: Option<&Place>,
        budget: Budget,
    ) -> Result<Option<Place>, Outcome> {
        if !letter.unsure {
            return Ok(None);
        }
        let sought = Sought {
            key: &letter.key,
            since_unix_us: letter.incident.opened_unix_us,
            channel: &self.channel,
            thread,
        };
        lookup::find(&sought, |method, body| self.method(method, body, budget))
            .map_err(|failed| self.outcome(failed))
    }

    fn method(&self, method: &str, body: &Value, budget: Budget) -> Result<Value, Failed> {
        let bearer = zeroize::Zeroizing::new(format!("Bearer {}", self.token.expose()));
        let address = format!("{}/{method}", self.api);
        let call = self.client.call(
            Request {
                method: "POST",
                address: &address,
                headers: &[
                    ("authorization", &bearer),
                    ("content-type", "application/json; charset=utf-8"),
                ],
                body: body.to_string().into_bytes(),
            },
            budget,
        );
        match call {
            Call::Answered(answer) => read(&answer),
            Call::NotSent { why } => Err(Failed::Came(Outcome::Later { after: None, why })),
            Call::Lost { why } => Err(Failed::Came(Outcome::Unsure { why })),
            Call::Impossible { why, fix } => Err(Failed::Came(Outcome::Never { why, fix })),
        }
    }

    fn outcome(&self, failed: Failed) -> Outcome {
        match failed {
            Failed::Came(outcome) => outcome,
            Failed::Refused(refusal, retry_after) => {
                refusal.redacted(&self.token).outcome(retry_after).redacted(&self.token)
            }
        }
    }
}

impl Channel for Bot {
    fn deliver(&self, letter: &Letter) -> Outcome {
        let budget = Budget::start(CALL_MAX);
        let place = letter.reference.as_ref().and_then(Place::read);
        let thread = match letter.kind {
            Kind::Post | Kind::Test => None,
            Kind::Edit => match &place {
                Some(place) => return self.edit(letter, place, budget),
                // The channel was named while the incident was open: nothing is there that could be changed, and this tells it first.
                None => None,
            },
            Kind::Reply(_) => place.as_ref(),
        };
        match self.look(letter, thread, budget) {
            Err(outcome) => outcome,
            Ok(Some(place)) => Outcome::Told { reference: Some(place.reference()) },
            Ok(None) => self.post(letter, thread, budget),
        }
    }

    fn check(&self) -> Result<String, Outcome> {
        let budget = Budget::start(CALL_MAX);
        let who =
            self.method("auth.test", &json!({}), budget).map_err(|failed| self.outcome(failed))?;
        // The scope for looking up is needed only after a lost answer, which is a bad time to find it missing.
        let page = json!({ "channel": self.channel, "limit": 1, "include_all_metadata": true });
        self.method("conversations.history", &page, budget)
            .map_err(|failed| self.outcome(failed))?;
        let named = |name: &str| {
            said(who[name].as_str().unwrap_or("?"), NAME_MAX, |text| self.token.redact(text))
        };
        Ok(format!(
            "Slack workspace {}, bot {}, channel {}",
            named("team"),
            named("user"),
            self.channel
        ))
    }
}

/// Why a method gave nothing.
pub(super) enum Failed {
    /// Slack answered, and refused.
    Refused(Refusal, Option<Duration>),
    /// There was no answer to speak of.
    Came(Outcome),
}

fn read(answer: &Answer) -> Result<Value, Failed> {
    let after = answer.retry_after;
    let why = format!("Slack answered with status {}", answer.status);
    let came = match answer.status {
        200..=299 => {
            let Some(body) = &answer.body else {
                return Err(Failed::Came(Outcome::Unsure { why: "Slack's answer broke off".to_owned() }));
            };
            let Ok(value) = serde_json::from_slice::<Value>(body) else {
                let why = "the answer is not Slack's; is there a proxy that wants a login?".to_owned();
                return Err(Failed::Came(Outcome::Unsure { why }));
            };
            if value["ok"] == true {
                return Ok(value);
            }
            return Err(match serde_json::from_value(value) {
                Ok(refusal) => Failed::Refused(refusal, after),
                Err(_) => Failed::Came(Outcome::Unsure { why: "the answer is not Slack's".to_owned() }),
            });
        }
        429 | 503 => Outcome::Later { after, why },
        // A gateway in between may say so although the service behind it has taken the message.
        500..=599 => Outcome::Unsure { why },
        300..=399 => Outcome::Never {
            why,
            fix: "the address leads elsewhere, and a token is not sent after it: write the final address into `api`".to_owned(),
        },
        _ => Outcome::Never { why, fix: "is the channel's `api` an address of Slack's web API?".to_owned() },
    };
    Err(Failed::Came(came))
}

fn told(answer: &Value) -> Outcome {
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let place = Place { channel: text("channel"), ts: text("ts") };
    if place.channel.is_empty() || place.ts.is_empty() {
        return Outcome::Unsure {
            why: "Slack took the message and did not say where it is".to_owned(),
        };
    }
    Outcome::Told { reference: Some(place.reference()) }
}

fn is_gone(refusal: &Refusal) -> bool {
    matches!(refusal.error.as_str(), "message_not_found" | "thread_not_found")
}

impl Place {
    /// Reads `C0123/1700000000.000100`; `None` if it is something else.
    fn read(reference: &Reference) -> Option<Self> {
        let (channel, ts) = reference.0.split_once('/')?;
        Some(Self { channel: channel.to_owned(), ts: ts.to_owned() })
    }

    fn reference(&self) -> Reference {
        Reference(format!("{}/{}", self.channel, self.ts))
    }
}

/// Longest name of a workspace or a bot that is repeated to people, characters.
const NAME_MAX: usize = 80;

/// By which the metadata is known to be ours.
pub(super) const EVENT_TYPE: &str = "handfast_letter";
