//! Whether a letter is there already: its key, sought in the metadata of the channel's newest messages, or of the thread, as long as there is one.
//!
//! A page has up to 100 messages; Slack gives at most 15 a page and one page a minute to apps that are distributed outside its marketplace
//! (docs.slack.dev/changelog/2025/05/29/rate-limit-changes-for-non-marketplace-apps), and 50 pages a minute to an app of the workspace's own, which this is.

use serde_json::{Value, json};

use super::bot::{EVENT_TYPE, Failed, Place};
use crate::letter::Key;

/// What is sought, and where.
pub(super) struct Sought<'a> {
    pub(super) key: &'a Key,
    /// When the incident began, microseconds since the Unix epoch: nothing older can be the letter.
    pub(super) since_unix_us: i64,
    pub(super) channel: &'a str,
    pub(super) thread: Option<&'a Place>,
}

/// Finds the letter; `call` calls a method.
///
/// Beyond [`PAGES_MAX`] pages it counts as not there: told twice is better than never.
pub(super) fn find(
    sought: &Sought<'_>,
    call: impl Fn(&str, &Value) -> Result<Value, Failed>,
) -> Result<Option<Place>, Failed> {
    let mut thread = sought.thread;
    let mut cursor = String::new();
    for _ in 0..PAGES_MAX {
        let mut body = json!({ "limit": PAGE_LEN, "include_all_metadata": true });
        let method = if let Some(place) = thread {
            body["channel"] = place.channel.as_str().into();
            body["ts"] = place.ts.as_str().into();
            "conversations.replies"
        } else {
            body["channel"] = sought.channel.into();
            body["oldest"] = oldest(sought.since_unix_us).into();
            "conversations.history"
        };
        if !cursor.is_empty() {
            body["cursor"] = cursor.as_str().into();
        }
        let page = match call(method, &body) {
            // The thread went with its message, and what is told since then has a place of its own.
            Err(Failed::Refused(refusal, _))
                if thread.is_some() && refusal.error == "thread_not_found" =>
            {
                thread = None;
                cursor.clear();
                continue;
            }
            other => other?,
        };
        let messages = page["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(ts) = messages
            .iter()
            .find(|message| is_it(message, sought.key))
            .and_then(|message| message["ts"].as_str())
        {
            let channel = thread.map_or(sought.channel, |place| &place.channel).to_owned();
            return Ok(Some(Place { channel, ts: ts.to_owned() }));
        }
        let next = page.pointer("/response_metadata/next_cursor").and_then(Value::as_str);
        next.unwrap_or_default().clone_into(&mut cursor);
        if cursor.is_empty() {
            break;
        }
    }
    Ok(None)
}

fn is_it(message: &Value, key: &Key) -> bool {
    message.pointer("/metadata/event_type").and_then(Value::as_str) == Some(EVENT_TYPE)
        && message.pointer("/metadata/event_payload/key").and_then(Value::as_str)
            == Some(key.as_str())
}

/// Slack's clock and ours may differ.
fn oldest(since_unix_us: i64) -> String {
    let seconds = since_unix_us.div_euclid(1_000_000).saturating_sub(CLOCKS_DIFFER_S).max(0);
    format!("{seconds}.000000")
}

/// Messages asked for at a time.
const PAGE_LEN: u32 = 100;

/// Most pages that are looked at: 2,000 messages since the incident began.
const PAGES_MAX: usize = 20;

/// How much Slack's clock and ours may differ, seconds.
const CLOCKS_DIFFER_S: i64 = 600;
