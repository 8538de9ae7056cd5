//! Slack's incoming webhook: an address that takes messages and gives nothing back.
//!
//! It can neither edit nor answer in a thread nor be asked what it has. So the message at the beginning of an incident, the death of
//! the runner and the recovery are messages of their own; edits and "red again" are counted as told without being sent.
//! (docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)

use serde_json::json;

use crate::channel::http::{Answer, Budget, Call, Client, Request, check_address};
use crate::channel::message::slack::{Laid, lay_out};
use crate::channel::message::text;
use crate::channel::secret::Secret;
use crate::channel::{CALL_MAX, Channel, Refused};
use crate::letter::{Kind, Letter, Note};
use crate::outcome::Outcome;

/// A channel of Slack behind an incoming webhook.
#[derive(Debug)]
pub(in crate::channel) struct Incoming {
    client: Client,
    address: Secret,
}

impl Incoming {
    pub(in crate::channel) fn new(client: Client, address: Secret) -> Result<Self, Refused> {
        check_address(address.expose())
            .map_err(|why| Refused::new(format!("its secret is no address of a webhook: {why}"), "copy the Webhook URL of the Slack app, https://hooks.slack.com/services/…, into the secret"))?;
        Ok(Self { client, address })
    }
}

impl Channel for Incoming {
    fn deliver(&self, letter: &Letter) -> Outcome {
        match letter.kind {
            Kind::Edit | Kind::Reply(Note::RedAgain) => return Outcome::Told { reference: None },
            Kind::Post | Kind::Test | Kind::Reply(Note::Recovered | Note::Died) => {}
        }
        let Laid { text, blocks } = lay_out(letter);
        let call = self.client.call(
            Request {
                method: "POST",
                address: self.address.expose(),
                headers: &[
                    ("content-type", "application/json; charset=utf-8"),
                    // Slack does not read it; whoever stands between may.
                    ("idempotency-key", letter.key.as_str()),
                ],
                body: json!({ "text": text, "blocks": blocks }).to_string().into_bytes(),
            },
            Budget::start(CALL_MAX),
        );
        match call {
            Call::Answered(answer) => outcome(&answer, &self.address).redacted(&self.address),
            Call::NotSent { why } => Outcome::Later { after: None, why },
            Call::Lost { why } => Outcome::Unsure { why },
            Call::Impossible { why, fix } => Outcome::Never { why, fix },
        }
    }

    fn check(&self) -> Result<String, Outcome> {
        Ok("Slack's incoming webhook can only be tried by a message".to_owned())
    }
}

fn outcome(answer: &Answer, secret: &Secret) -> Outcome {
    let body = answer.body.as_deref().unwrap_or_default();
    let said = text::said(&String::from_utf8_lossy(body), SAID_MAX, |text| secret.redact(text));
    let why = format!("Slack answered with status {}: {said}", answer.status);
    let fix = match (answer.status, said.trim()) {
        (200..=299, _) => return Outcome::Told { reference: None },
        (429 | 503, _) => return Outcome::Later { after: answer.retry_after, why },
        // A gateway in between may say so although the service behind it has taken the message.
        (500..=599, _) => return Outcome::Unsure { why },
        (300..=399, _) => "the address leads elsewhere: copy the Webhook URL of the app again",
        (
            _,
            "no_service" | "no_service_id" | "no_team" | "team_disabled" | "invalid_token"
            | "no_active_hooks",
        ) => {
            "the webhook was removed, or its address is not whole: make a new one in the app under Incoming Webhooks, and copy its URL into the secret"
        }
        (_, "channel_is_archived") => "unarchive the channel, or make a webhook for another",
        (_, "channel_not_found") => "the webhook's channel was deleted: make a webhook for another",
        (_, "action_prohibited" | "posting_to_general_channel_denied") => {
            "an administrator of the workspace has restricted who posts there: make a webhook for another channel"
        }
        (_, _) => "this is not expected: please report it with the word that Slack answered",
    };
    Outcome::Never { why, fix: fix.to_owned() }
}

/// Longest answer that is repeated to people, characters.
const SAID_MAX: usize = 200;
