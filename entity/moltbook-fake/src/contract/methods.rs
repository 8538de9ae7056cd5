//! What each method does.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{CONTRACT, Part, Refused};
use crate::fault::Fault;
use crate::service::Asking;
use crate::service::content::{Comment, Post};

/// Everything that can be asked.
const METHODS: &[&str] = &[
    "initialize",
    "shutdown",
    "peer.list",
    "session.list",
    "message.inbox",
    "fake.account",
    "fake.publish",
    "fake.remark",
    "fake.ask",
    "fake.break",
    "fake.skip",
    "fake.answer",
    "fake.posts",
    "fake.comments",
    "fake.requests",
];

/// A key that no account has.
const WRONG_KEY: &str = "moltbook_fake_of_nobody_at_all";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Initialize {
    contract: String,
}

/// What a peer without peers is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inbox {
    #[serde(rename = "from")]
    _from: Option<String>,
    after: Option<u64>,
    #[serde(rename = "limit")]
    _limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    author: String,
    title: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remark {
    author: String,
    post: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    always: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Break {
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

impl Part {
    pub(super) fn call(&self, method: &str, params: Value) -> Result<Value, Refused> {
        match method {
            "initialize" => self.initialize(&read(params)?),
            "shutdown" => nothing(params, json!({})),
            "peer.list" => nothing(params, json!({ "peers": [] })),
            "session.list" => nothing(params, json!({ "sessions": [] })),
            "message.inbox" => {
                let inbox: Inbox = read(params)?;
                Ok(json!({ "messages": [], "next": inbox.after.unwrap_or(0) }))
            }
            "fake.account" => nothing(params, self.account()),
            "fake.publish" => {
                let Publish { author, title, content } = read(params)?;
                let now = self.server.now();
                let id = self.server.fake().service.publish(&author, &title, &content, now);
                Ok(json!({ "id": id }))
            }
            "fake.remark" => {
                let Remark { author, post, content } = read(params)?;
                let now = self.server.now();
                let id = self.server.fake().service.remark(&author, &post, &content, now);
                Ok(json!({ "id": id }))
            }
            "fake.ask" => {
                let asking =
                    if read::<Ask>(params)?.always { Asking::Always } else { Asking::Never };
                self.server.fake().service.ask(asking);
                Ok(json!({}))
            }
            "fake.break" => {
                self.server.fake().faults.script(read::<Break>(params)?.faults);
                Ok(json!({}))
            }
            "fake.skip" => {
                self.server.skip(Duration::from_secs(read::<Skip>(params)?.seconds.into()));
                Ok(json!({}))
            }
            "fake.answer" => self.right_answer(&read(params)?),
            "fake.posts" => nothing(params, self.posts()),
            "fake.comments" => nothing(params, self.comments()),
            "fake.requests" => nothing(params, self.requests()),
            _ => Err(Refused::unknown(method)),
        }
    }

    /// Writes the certificate and the keys; only their owner can read the keys.
    pub(super) fn write_files(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        std::fs::write(self.folder.join("fake.pem"), self.server.certificate())?;
        write_key(&self.folder.join("key"), &self.key)?;
        write_key(&self.folder.join("wrong-key"), WRONG_KEY)
    }

    fn initialize(&self, params: &Initialize) -> Result<Value, Refused> {
        if params.contract != CONTRACT {
            let error = format!("contract `{}` is not supported, only `1`", params.contract);
            return Err(Refused::params(error));
        }
        Ok(json!({
            "contract": CONTRACT,
            "name": self.name,
            "version": env!("CARGO_PKG_VERSION"),
            "protocol_versions": ["1.11"],
            "methods": METHODS,
            "events": [],
            "addresses": { "https": format!("https://127.0.0.1:{}", self.server.port()) },
            "keys": {},
        }))
    }

    fn account(&self) -> Value {
        let path = |name: &str| self.folder.join(name).display().to_string();
        json!({
            "api": self.server.address(),
            "trust": path("fake.pem"),
            "key_file": path("key"),
            "wrong_key_file": path("wrong-key"),
        })
    }

    fn right_answer(&self, params: &Code) -> Result<Value, Refused> {
        let answer = self.server.fake().service.answer_to(&params.code);
        let answer = answer.ok_or_else(|| Refused::params("no such challenge was put"))?;
        Ok(json!({ "answer": answer }))
    }

    /// Hidden ones, too, with what they look like to others.
    fn posts(&self) -> Value {
        let fake = self.server.fake();
        let shown = |post: &Post| {
            let mut shown = post.json();
            shown["visible"] = post.visible.into();
            shown
        };
        json!({ "posts": fake.service.posts().iter().map(shown).collect::<Vec<_>>() })
    }

    fn comments(&self) -> Value {
        let fake = self.server.fake();
        let shown = |comment: &Comment| {
            let mut shown = comment.json();
            shown["visible"] = comment.visible.into();
            shown
        };
        json!({ "comments": fake.service.comments().iter().map(shown).collect::<Vec<_>>() })
    }

    /// What was asked, and how often it had to be told to come later.
    fn requests(&self) -> Value {
        let mut fake = self.server.fake();
        let limited = fake.service.account(&self.key).map_or(0, |account| account.limited);
        let seen: Vec<Value> = fake
            .seen()
            .iter()
            .map(|seen| json!({ "line": seen.line, "with_key": seen.with_key }))
            .collect();
        json!({ "requests": seen, "limited": limited })
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refused> {
    serde_json::from_value(params).map_err(Refused::params)
}

fn nothing(params: Value, result: Value) -> Result<Value, Refused> {
    read::<Nothing>(params).map(|_| result)
}

fn write_key(path: &Path, key: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(key.as_bytes())
}
