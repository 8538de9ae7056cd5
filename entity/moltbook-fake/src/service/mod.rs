//! The contract.
//!
//! - [`account`]: who may ask, and how often
//! - [`content`]: posts, comments and what is hidden
//! - `routes`: which answer belongs to which path
//!
//! Times are microseconds since the service started.

pub mod account;
pub mod content;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use account::Account;
use content::{Comment, Pending, Post};
use serde_json::{Value, json};

/// A request, as far as the contract sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// `GET` or `POST`.
    pub method: String,
    /// The path with its query, from the root of the host.
    pub target: String,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers beside those of every answer.
    pub headers: Vec<(String, String)>,
    /// The body, JSON.
    pub body: Value,
}

/// When a write is answered with a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Never: the account is trusted.
    Never,
    /// Always.
    Always,
}

/// The whole service.
#[derive(Debug)]
pub struct Service {
    start_unix_s: i64,
    asking: Asking,
    wrapped: bool,
    made: u64,
    accounts: BTreeMap<String, Account>,
    posts: Vec<Post>,
    comments: Vec<Comment>,
    pending: Vec<Pending>,
}

/// Most posts, comments and questions that are kept, each; then writes are answered with 503.
pub const KEPT_MAX: usize = 10_000;

impl Service {
    /// A service without accounts that begins at `start_unix_s`, seconds since 1970.
    pub fn new(start_unix_s: i64) -> Self {
        Self {
            start_unix_s,
            asking: Asking::Never,
            wrapped: false,
            made: 0,
            accounts: BTreeMap::new(),
            posts: Vec::new(),
            comments: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Adds a claimed account that is `age_us` old at the start.
    #[must_use]
    pub fn with_account(mut self, key: &str, name: &str, age_us: i64) -> Self {
        self.accounts.insert(key.to_owned(), Account::new(name, -age_us));
        self
    }

    /// Sets when writes are answered with a challenge.
    pub fn ask(&mut self, asking: Asking) {
        self.asking = asking;
    }

    /// Puts answers below `data`, as the documentation says; without it they stand as recorded answers have them.
    pub fn wrap(&mut self, wrapped: bool) {
        self.wrapped = wrapped;
    }

    /// The account of `key`.
    pub fn account(&mut self, key: &str) -> Option<&mut Account> {
        self.accounts.get_mut(key)
    }

    /// All posts, hidden ones too.
    pub fn posts(&self) -> &[Post] {
        &self.posts
    }

    /// All comments, hidden ones too.
    pub fn comments(&self) -> &[Comment] {
        &self.comments
    }

    /// What a test may know: the right answer to the challenge with this code.
    pub fn answer_to(&self, code: &str) -> Option<String> {
        self.pending
            .iter()
            .find(|pending| pending.code == code)
            .map(|pending| pending.answer.clone())
    }

    /// A post of somebody else, visible at once. Returns its id.
    pub fn publish(&mut self, author: &str, title: &str, content: &str, now: i64) -> String {
        let id = self.id();
        self.posts.push(Post {
            id: id.clone(),
            author: author.to_owned(),
            submolt: "general".to_owned(),
            title: title.to_owned(),
            content: Some(content.to_owned()),
            url: None,
            at: now,
            visible: true,
        });
        id
    }

    /// A comment of somebody else, visible at once. Returns its id.
    pub fn remark(&mut self, author: &str, post: &str, content: &str, now: i64) -> String {
        let id = self.id();
        self.comments.push(Comment {
            id: id.clone(),
            post: post.to_owned(),
            parent: None,
            author: author.to_owned(),
            content: content.to_owned(),
            at: now,
            visible: true,
        });
        id
    }

    /// Answers `ask` at `now`.
    pub fn handle(&mut self, ask: &Ask, now: i64) -> Answer {
        let mut answer = self.route(ask, now);
        answer.headers.push(("Date".to_owned(), self.date(now)));
        if self.wrapped && answer.status < 300 {
            answer.body = json!({ "success": true, "data": answer.body });
        }
        answer
    }

    /// The service's date at `now`, as HTTP writes it.
    pub fn date(&self, now: i64) -> String {
        let seconds = self.start_unix_s + now.div_euclid(1_000_000);
        let since = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        httpdate::fmt_http_date(std::time::SystemTime::UNIX_EPOCH + since)
    }

    fn id(&mut self) -> String {
        self.made += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.made)
    }
}

impl Answer {
    fn good(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }

    fn error(status: u16, error: &str, hint: &str) -> Self {
        let body = json!({ "success": false, "error": error, "hint": hint });
        Self { status, headers: Vec::new(), body }
    }
}
