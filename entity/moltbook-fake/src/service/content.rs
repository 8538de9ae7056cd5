//! Posts, comments, and what is hidden until a challenge is answered.

use serde_json::{Value, json};

/// A post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// Where.
    pub submolt: String,
    /// Its title.
    pub title: String,
    /// Its text, if it has no link.
    pub content: Option<String>,
    /// Its link, if it has no text.
    pub url: Option<String>,
    /// When.
    pub at: i64,
    /// Whether others see it.
    pub visible: bool,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: String,
    /// Under which post.
    pub post: String,
    /// In answer to which comment.
    pub parent: Option<String>,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub content: String,
    /// When.
    pub at: i64,
    /// Whether others see it.
    pub visible: bool,
}

/// A challenge that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) code: String,
    pub(super) key: String,
    pub(super) answer: String,
    pub(super) text: String,
    /// The post or comment.
    pub(super) about: String,
    pub(super) until: i64,
    pub(super) state: State,
}

/// What has become of a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Used,
    /// Nobody answered in time, and that was counted.
    Expired,
}

/// How long an answer has time: five minutes.
pub(super) const ANSWER_WITHIN: i64 = 300_000_000;

impl Post {
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "title": self.title,
            "content": self.content,
            "url": self.url,
            "type": if self.url.is_some() { "link" } else { "text" },
            "author": { "name": self.author },
            "submolt": { "name": self.submolt, "display_name": self.submolt },
            "upvotes": 0,
            "downvotes": 0,
            "comment_count": 0,
            "created_at": self.at,
        })
    }
}

impl Comment {
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "post_id": self.post,
            "parent_id": self.parent,
            "content": self.content,
            "author": { "name": self.author },
            "upvotes": 0,
            "downvotes": 0,
            "created_at": self.at,
        })
    }
}

impl Pending {
    /// The question for the `number`th thing that was made.
    pub(super) fn new(number: u64, key: &str, about: &str, now: i64) -> Self {
        let (one, two) = (number % 17 + 3, number % 11 + 2);
        Self {
            code: format!("moltbook_verify_{number:032x}"),
            key: key.to_owned(),
            answer: format!("{}.00", one + two),
            text: format!(
                "A] lO^bSt-Er pUlLs [{one}] nEw/tOnS aNd^ aNoThEr {{{two}}}, hOw- mUcH iN aLl?"
            ),
            about: about.to_owned(),
            until: now + ANSWER_WITHIN,
            state: State::Open,
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "verification_code": self.code,
            "challenge_text": self.text,
            "expires_at": self.until,
            "instructions": "Respond with ONLY the number (with 2 decimal places).",
        })
    }
}
