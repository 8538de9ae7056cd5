//! What Slack's errors mean, and what to do about them.
//!
//! The words are those of docs.slack.dev/reference/methods/chat.postMessage, chat.update, conversations.history and conversations.replies.

use std::time::Duration;

use serde::Deserialize;

use crate::channel::message::text::{plain, said};
use crate::channel::secret::Secret;
use crate::outcome::Outcome;

/// An answer with `"ok": false`.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    /// The word for what is wrong.
    #[serde(default)]
    pub(super) error: String,
    /// Of `missing_scope`: what is missing.
    #[serde(default)]
    needed: Option<String>,
}

impl Refusal {
    /// The same without the secret, should the server have repeated it. Its texts are still whole.
    pub(super) fn redacted(self, secret: &Secret) -> Self {
        let clean = |text: &str| said(text, usize::MAX, |text| secret.redact(text));
        Self { error: clean(&self.error), needed: self.needed.as_deref().map(clean) }
    }

    /// What came of an attempt that was answered so.
    pub(super) fn outcome(&self, retry_after: Option<Duration>) -> Outcome {
        let error = plain(&self.error, ERROR_MAX);
        let why = format!("Slack says {error}");
        match self.error.as_str() {
            // Somebody has to wait.
            "ratelimited" | "rate_limited" | "message_limit_exceeded" => {
                Outcome::Later { after: retry_after, why }
            }
            "service_unavailable"
            | "request_timeout"
            | "team_added_to_org"
            | "org_login_required"
            | "update_failed"
            | "external_channel_migrating"
            | "accesslimited" => Outcome::Later { after: retry_after, why },
            // "It's possible some aspect of the operation succeeded before the error was raised."
            "internal_error" | "fatal_error" => Outcome::Unsure { why },
            // Somebody has to act.
            other => Outcome::Never { why, fix: self.fix(other) },
        }
    }

    fn fix(&self, error: &str) -> String {
        let fix = match error {
            "missing_scope" => return self.missing_scope(),
            "not_authed" | "invalid_auth" | "token_expired" | "token_revoked"
            | "account_inactive" => {
                "copy the Bot User OAuth Token (xoxb-…) of the app from OAuth & Permissions into the channel's secret; \
                 where the workspace admits certain addresses only, admit this machine's"
            }
            "not_allowed_token_type" | "no_permission" => {
                "use the app's Bot User OAuth Token (xoxb-…), and /invite the bot into the channel"
            }
            "channel_not_found" => {
                "copy the channel's id (C…) from the end of its details in Slack; a private channel is only found after /invite of the bot"
            }
            "not_in_channel" => "write /invite @ and the bot's name in the channel",
            "is_archived" | "is_inactive" => {
                "the channel is archived: unarchive it, or name another in handfast.toml"
            }
            "restricted_action"
            | "restricted_action_read_only_channel"
            | "restricted_action_thread_only_channel"
            | "restricted_action_non_threadable_channel"
            | "ekm_access_denied" => {
                "an administrator of the workspace has restricted who posts there: let the bot post, or name another channel"
            }
            "edit_window_closed" => {
                "the workspace lets nobody edit messages: an owner changes this under Settings, Message editing"
            }
            "cant_update_message" => {
                "the message was posted by another app: has the token been exchanged for that of another bot?"
            }
            "team_access_not_granted"
            | "two_factor_setup_required"
            | "enterprise_is_restricted" => {
                "an administrator of the organisation has to grant the app access to this workspace"
            }
            "unknown_method" | "method_deprecated" | "deprecated_endpoint" => {
                "is the channel's `api` an address of Slack's web API, such as https://slack.com/api?"
            }
            _ => {
                "this is not expected: docs.slack.dev/reference/methods/chat.postMessage explains the word; please report it"
            }
        };
        fix.to_owned()
    }

    fn missing_scope(&self) -> String {
        let needed =
            self.needed.as_deref().unwrap_or("chat:write, channels:history, groups:history");
        format!(
            "add the scope {} to the app under OAuth & Permissions, Bot Token Scopes, and install the app again",
            plain(needed, ERROR_MAX)
        )
    }
}

/// Longest word of a server that is repeated to people, characters.
const ERROR_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(json: &str) -> Outcome {
        let refusal: Refusal = serde_json::from_str(json).unwrap();
        refusal.outcome(Some(Duration::from_secs(7)))
    }

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        for error in ["ratelimited", "rate_limited", "service_unavailable"] {
            let Outcome::Later { after, .. } = outcome(&format!(r#"{{"error":"{error}"}}"#)) else {
                panic!("{error}");
            };
            assert_eq!(after, Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn an_error_after_which_some_may_have_succeeded_is_unsure() {
        for error in ["internal_error", "fatal_error"] {
            let outcome = outcome(&format!(r#"{{"error":"{error}"}}"#));
            assert!(matches!(outcome, Outcome::Unsure { .. }));
        }
    }

    #[test]
    fn every_refusal_that_people_can_end_says_how() {
        for (json, says) in [
            (r#"{"error":"invalid_auth"}"#, "xoxb-"),
            (r#"{"error":"channel_not_found"}"#, "channel's id"),
            (r#"{"error":"not_in_channel"}"#, "/invite"),
            (r#"{"error":"is_archived"}"#, "unarchive"),
            (
                r#"{"error":"missing_scope","needed":"groups:history","provided":"chat:write"}"#,
                "groups:history",
            ),
            (r#"{"error":"edit_window_closed"}"#, "Message editing"),
            (r#"{"error":"new\u0007word"}"#, "report it"),
            ("{}", "report it"),
        ] {
            let Outcome::Never { why, fix } = outcome(json) else { panic!("{json}") };
            assert!(fix.contains(says), "{json}: {fix}");
            assert!(!why.contains('\u{7}'));
        }
    }
}
