//! Answers as what was asked for.
//!
//! The service wraps some answers in `data` and some in a field of their own, and adds fields as it likes. A reader here looks in both
//! places, takes what it knows, names what it does not know, and refuses a known field of an unexpected type instead of guessing.

use serde_json::Value;

use super::SAID_MAX;
use super::judge::Answered;
use crate::challenge::{self, Challenge};
use crate::inbound::{ITEMS_MAX, Inbound, NAME_MAX, Sort, TEXT_MAX, Untrusted};
use crate::words::ID_MAX;

/// A known field that is not what it should be: the service has changed, and this program has to be changed with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} should be {expected} and is {found}: the service has changed its answers")]
pub struct Changed {
    /// Which field.
    pub field: &'static str,
    /// What it is by the documentation.
    pub expected: &'static str,
    /// What it was.
    pub found: &'static str,
}

/// Whether the owner has claimed the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Yes.
    Claimed,
    /// Not yet.
    Pending,
    /// A word that is not documented.
    Unknown(Untrusted),
}

/// Something that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub id: String,
    /// What has to be answered before others see it.
    pub challenge: Option<Challenge>,
}

/// An agent, as its profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: Untrusted,
    /// What it says of itself.
    pub description: Option<Untrusted>,
    /// Whether somebody has claimed it.
    pub claimed: Option<bool>,
    /// Names of fields that are not known here.
    pub unknown: Vec<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The items, at most [`ITEMS_MAX`].
    pub items: Vec<Inbound>,
    /// Where it goes on.
    pub next: Option<String>,
    /// How many items were left out because they had no id or no text.
    pub unreadable: usize,
}

/// Most names of unknown fields that are kept.
const UNKNOWN_MAX: usize = 16;

/// The answer to [`Call::Status`](crate::Call::Status).
///
/// # Errors
///
/// [`Changed`] without a text in `status`.
pub fn claim(answered: &Answered) -> Result<Claim, Changed> {
    let status =
        text(answered.body.get("status").or_else(|| data(answered)?.get("status")), "status")?;
    Ok(match status {
        "claimed" => Claim::Claimed,
        "pending_claim" => Claim::Pending,
        other => Claim::Unknown(Untrusted::new(other, NAME_MAX)),
    })
}

/// The answer to a write, with the challenge that may have come with it.
///
/// # Errors
///
/// [`Changed`] without an id, or with a challenge that cannot be read: that one would run out unseen.
pub fn created(answered: &Answered) -> Result<Created, Changed> {
    let item = item(answered, &["post", "comment"]);
    let id = text(item.get("id"), "id")?;
    Ok(Created { id: cut(id, ID_MAX), challenge: challenge(answered)? })
}

/// The challenge in an answer, wherever it stands.
///
/// # Errors
///
/// [`Changed`] if there is one without a code or a text.
pub fn challenge(answered: &Answered) -> Result<Option<Challenge>, Changed> {
    let item = item(answered, &["post", "comment"]);
    let places = [item.get("verification"), answered.body.get("verification")];
    let Some(found) = places.into_iter().flatten().find(|value| !value.is_null()) else {
        let asked = ["verification_required"].iter().find_map(|name| answered.body.get(name));
        return match asked {
            Some(Value::Bool(true)) => {
                Err(Changed { field: "verification", expected: "an object", found: "absent" })
            }
            _ => Ok(None),
        };
    };
    let first = |names: [&str; 2]| names.iter().find_map(|name| found.get(name));
    let code = text(first(["verification_code", "code"]), "verification.verification_code")?;
    let question = text(first(["challenge_text", "challenge"]), "verification.challenge_text")?;
    let instructions = found.get("instructions").and_then(Value::as_str);
    Ok(Some(Challenge {
        code: cut(code, ID_MAX * 2),
        text: Untrusted::new(question, challenge::TEXT_MAX),
        instructions: instructions.map(|text| Untrusted::new(text, SAID_MAX)),
        about: item.get("id").and_then(Value::as_str).map(|id| cut(id, ID_MAX)),
    }))
}

/// The answer to [`Call::Profile`](crate::Call::Profile) or [`Call::Me`](crate::Call::Me).
///
/// # Errors
///
/// [`Changed`] without a name.
pub fn profile(answered: &Answered) -> Result<Profile, Changed> {
    const KNOWN: &[&str] = &[
        "name",
        "description",
        "karma",
        "follower_count",
        "following_count",
        "is_claimed",
        "is_active",
        "created_at",
        "last_active",
        "owner",
        "id",
        "stats",
        "avatarUrl",
        "metadata",
        "claimed_at",
    ];
    let agent = item(answered, &["agent"]);
    let name = text(agent.get("name"), "agent.name")?;
    let claimed = match agent.get("is_claimed").or_else(|| agent.get("isClaimed")) {
        None | Some(Value::Null) => None,
        Some(Value::Bool(claimed)) => Some(*claimed),
        Some(other) => {
            return Err(Changed {
                field: "agent.is_claimed",
                expected: "true or false",
                found: kind(other),
            });
        }
    };
    let description = agent.get("description").and_then(Value::as_str);
    Ok(Profile {
        name: Untrusted::new(name, NAME_MAX),
        description: description.map(|text| Untrusted::new(text, TEXT_MAX)),
        claimed,
        unknown: unknown(agent, KNOWN),
    })
}

/// The answer to [`Call::Post`](crate::Call::Post).
///
/// # Errors
///
/// [`Changed`] without an id, or without a text.
pub fn post(answered: &Answered) -> Result<Inbound, Changed> {
    inbound(item(answered, &["post"]), Sort::Post)
}

/// The answer to a call for a list.
///
/// # Errors
///
/// [`Changed`] without a list. An item that cannot be read is counted, so that one does not hide the others.
pub fn list(answered: &Answered, sort: Sort) -> Result<Listed, Changed> {
    const PLACES: [&str; 4] = ["posts", "comments", "results", "items"];
    let inside = data(answered);
    let places =
        PLACES.iter().filter_map(|name| answered.body.get(name).or_else(|| inside?.get(name)));
    let found = places.chain(inside.filter(|inside| inside.is_array())).next();
    let list = match found {
        Some(Value::Array(list)) => list,
        Some(other) => {
            return Err(Changed { field: "posts", expected: "a list", found: kind(other) });
        }
        None => return Err(Changed { field: "posts", expected: "a list", found: "absent" }),
    };
    let read = list.iter().take(ITEMS_MAX).map(|item| {
        let sort = match item.get("type").and_then(Value::as_str) {
            Some("comment") => Sort::Comment,
            _ => sort,
        };
        inbound(item, sort)
    });
    let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
    let next = answered.body.get("next_cursor").or_else(|| inside?.get("next_cursor"));
    Ok(Listed {
        items: good.into_iter().flatten().collect(),
        next: next.and_then(Value::as_str).map(|cursor| cut(cursor, 512)),
        unreadable: bad.len(),
    })
}

fn inbound(item: &Value, sort: Sort) -> Result<Inbound, Changed> {
    const KNOWN: &[&str] = &[
        "id",
        "title",
        "content",
        "url",
        "type",
        "author_id",
        "author",
        "author_name",
        "submolt",
        "submolt_name",
        "upvotes",
        "downvotes",
        "score",
        "comment_count",
        "hot_score",
        "is_pinned",
        "is_locked",
        "is_deleted",
        "created_at",
        "updated_at",
        "verification_status",
        "verificationStatus",
        "verification",
        "similarity",
        "post_id",
        "post",
        "parent_id",
        "replies",
        "crypto_policy",
    ];
    let id = text(item.get("id"), "id")?;
    let content = match (item.get("content"), item.get("url")) {
        (Some(Value::String(content)), _) => content,
        (None | Some(Value::Null), Some(Value::String(link))) => link,
        (other, _) => text(other, "content")?,
    };
    let named = |outer: &str, flat: &str| {
        let found = match item.get(outer) {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(object) => object.get("name").and_then(Value::as_str),
            None => item.get(flat).and_then(Value::as_str),
        };
        found.map(|name| Untrusted::new(name, NAME_MAX))
    };
    let title = item.get("title").and_then(Value::as_str);
    let post = item.get("post_id").and_then(Value::as_str).filter(|_| sort == Sort::Comment);
    Ok(Inbound {
        sort,
        id: cut(id, ID_MAX),
        post: post.map(|id| cut(id, ID_MAX)),
        author: named("author", "author_name"),
        submolt: named("submolt", "submolt_name"),
        title: title.map(|title| Untrusted::new(title, NAME_MAX)),
        text: Untrusted::new(content, TEXT_MAX),
        unknown: unknown(item, KNOWN),
    })
}

/// The object an answer is about: below one of `names`, below `data`, or the answer itself.
fn item<'a>(answered: &'a Answered, names: &[&str]) -> &'a Value {
    let body = &answered.body;
    let inside = data(answered).unwrap_or(body);
    names.iter().find_map(|name| body.get(name).or_else(|| inside.get(name))).unwrap_or(inside)
}

fn data(answered: &Answered) -> Option<&Value> {
    answered.body.get("data").filter(|data| data.is_object() || data.is_array())
}

fn text<'a>(value: Option<&'a Value>, field: &'static str) -> Result<&'a str, Changed> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Changed { field, expected: "a text", found: kind(other) }),
        None => Err(Changed { field, expected: "a text", found: "absent" }),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn unknown(object: &Value, known: &[&str]) -> Vec<String> {
    let names = object.as_object().into_iter().flat_map(serde_json::Map::keys);
    let unknown = names.filter(|name| !known.contains(&name.as_str()));
    unknown.take(UNKNOWN_MAX).map(|name| cut(name, 64)).collect()
}

/// At most `limit` characters, and none that a terminal would act on: ids are shown and sent as they are.
fn cut(text: &str, limit: usize) -> String {
    text.chars().filter(|char| !char.is_control()).take(limit).collect()
}
