//! Values with holes: `"${b.name}"` and what fills them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::name::RoleName;

/// Largest text that `$times` may make, in bytes.
pub const TEXT_LEN_MAX: usize = 4 * 1024 * 1024;

/// A value with holes.
///
/// In a file: any TOML value whose texts may hold `${name}`. A text that is nothing but one hole
/// becomes the value itself, number or table; in a longer text the value is written into it. `$${`
/// stands for `${`. Three tables build what a file could not spell out: `{"$base64" = x}` (of the
/// text x, or of the compact JSON of a table x), `{"$json" = x}` (compact JSON as text) and
/// `{"$times" = n, "$text" = x}` (x repeated).
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    value: Value,
}

/// Why a template could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No such name.
    #[error("nothing is known under ${{{name}}}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// `${` without `}`.
    #[error("{text:?} has a ${{ without its }}")]
    Open {
        /// The text.
        text: String,
    },
    /// `$base64`, `$json`, `$times` or `$text` stand in a form that is not known.
    #[error(
        "{found} is not a way to build a value; use {{\"$base64\" = ..}}, {{\"$json\" = ..}} or {{\"$times\" = n, \"$text\" = ..}}"
    )]
    Builder {
        /// The keys found.
        found: String,
    },
    /// `$times` would make more than [`TEXT_LEN_MAX`] bytes.
    #[error("a built text has at most {TEXT_LEN_MAX} bytes, this one would have {len}")]
    TooLong {
        /// How many.
        len: usize,
    },
}

/// What the holes are filled with.
///
/// `${uuid}` gives another version-4 UUID each time, from the seed alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Bindings {
    values: BTreeMap<String, Value>,
    uuids: u64,
    seed: u64,
}

/// Where a part of a value is: keys and list positions with dots between, `sessions.0.id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    parts: Vec<String>,
}

impl Template {
    /// Takes a value as a template.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Open`] and [`TemplateError::Builder`] for forms that no filling can mend.
    pub fn new(value: Value) -> Result<Self, TemplateError> {
        let mut names = BTreeSet::new();
        collect(&value, &mut names)?;
        Ok(Self { value })
    }

    /// An empty table.
    pub fn empty() -> Self {
        Self { value: Value::Object(Map::new()) }
    }

    /// The names in its holes.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        // What `new` has looked through cannot fail here; an error would only leave names out.
        collect(&self.value, &mut names).unwrap_or_default();
        names
    }

    /// The value as written, holes and all.
    pub fn raw(&self) -> &Value {
        &self.value
    }

    /// Fills the holes.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Unknown`] for a name that is not bound, [`TemplateError::TooLong`].
    pub fn resolve(&self, bindings: &mut Bindings) -> Result<Value, TemplateError> {
        fill(&self.value, bindings)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.value)
    }
}

impl Bindings {
    /// No names but `uuid`.
    pub fn new(seed: u64) -> Self {
        Self { values: BTreeMap::new(), uuids: 0, seed }
    }

    /// Binds a name, in place of an earlier value.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.values.insert(name.into(), value);
    }

    /// Binds `${role.fact}`; the facts of a started role are `name`, `key`, `address` and `host`.
    pub fn set_fact(&mut self, role: &RoleName, fact: &str, value: Value) {
        self.set(format!("{role}.{fact}"), value);
    }

    /// The value under a name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Takes over the names that `other`, a copy of `self` used by a parallel step, has bound.
    pub fn merge(&mut self, other: Self) {
        self.values.extend(other.values);
        self.uuids = self.uuids.max(other.uuids);
    }

    /// A copy for the `index`-th of several parallel steps: it makes UUIDs of its own.
    #[must_use]
    pub fn fork(&self, index: u64) -> Self {
        let seed = mix(self.seed ^ mix(self.uuids.wrapping_add(index << 32).wrapping_add(1)));
        Self { values: self.values.clone(), uuids: 0, seed }
    }

    fn uuid(&mut self) -> String {
        self.uuids += 1;
        let high = mix(self.seed.wrapping_add(self.uuids.wrapping_mul(2)));
        let low = mix(self.seed.wrapping_add(self.uuids.wrapping_mul(2) + 1));
        let bits = (u128::from(high) << 64) | u128::from(low);
        let bits = bits & !(0xf << 76) | (0x4 << 76);
        let bits = bits & !(0x3 << 62) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl Path {
    /// Reads a path; dots inside `${..}` do not part it. An empty text is the whole value.
    pub fn new(text: &str) -> Self {
        let mut parts = vec![String::new()];
        let mut in_hole = false;
        for letter in text.chars() {
            in_hole = letter == '{' || in_hole && letter != '}';
            match (letter, parts.last_mut()) {
                ('.', _) if !in_hole => parts.push(String::new()),
                (_, Some(part)) => part.push(letter),
                (_, None) => {}
            }
        }
        parts.retain(|part| !part.is_empty());
        Self { parts }
    }

    /// The part of `value` at this path.
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let mut at = value;
        for part in &self.parts {
            at = match at {
                Value::Object(fields) => fields.get(part)?,
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
            };
        }
        Some(at)
    }

    /// The path with the holes of its parts filled, so that `stats.${b.name}` can name a peer whose
    /// name has dots in it.
    ///
    /// # Errors
    ///
    /// As [`Template::resolve`].
    pub fn resolve(&self, bindings: &mut Bindings) -> Result<Self, TemplateError> {
        let part = |part: &String| fill_text(part, bindings).map(|value| display(&value));
        Ok(Self { parts: self.parts.iter().map(part).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.parts.join("."))
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014): spreads one number over 64 bits.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A piece of a text.
enum Piece<'a> {
    Literal(&'a str),
    Hole(&'a str),
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            pieces.push(Piece::Literal(&rest[..at]));
            pieces.push(Piece::Literal("{"));
            rest = &rest[at + 2..];
            continue;
        }
        pieces.push(Piece::Literal(&rest[..at]));
        let hole = &rest[at + 2..];
        let end = hole.find('}').ok_or_else(|| TemplateError::Open { text: text.to_owned() })?;
        pieces.push(Piece::Hole(&hole[..end]));
        rest = &hole[end + 1..];
    }
    pieces.push(Piece::Literal(rest));
    pieces.retain(|piece| !matches!(piece, Piece::Literal("")));
    Ok(pieces)
}

fn collect(value: &Value, names: &mut BTreeSet<String>) -> Result<(), TemplateError> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => {
            for piece in pieces(text)? {
                if let Piece::Hole(name) = piece {
                    names.insert(name.to_owned());
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, names)),
        Value::Object(fields) => {
            builder(fields)?;
            for (key, value) in fields {
                collect(&Value::String(key.clone()), names)?;
                collect(value, names)?;
            }
            Ok(())
        }
    }
}

/// A table that builds a value.
enum Builder<'a> {
    Base64(&'a Value),
    Json(&'a Value),
    Times { count: usize, text: &'a str },
}

fn builder(fields: &Map<String, Value>) -> Result<Option<Builder<'_>>, TemplateError> {
    const KEYS: [&str; 4] = ["$base64", "$json", "$times", "$text"];
    if !fields.keys().any(|key| KEYS.contains(&key.as_str())) {
        return Ok(None);
    }
    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
    let unknown = || TemplateError::Builder { found: format!("{{{}}}", keys.join(", ")) };
    match keys.as_slice() {
        ["$base64"] => Ok(Some(Builder::Base64(&fields["$base64"]))),
        ["$json"] => Ok(Some(Builder::Json(&fields["$json"]))),
        ["$text", "$times"] => {
            let count = fields["$times"].as_u64().and_then(|count| usize::try_from(count).ok());
            let count = count.ok_or_else(unknown)?;
            let text = fields["$text"].as_str().ok_or_else(unknown)?;
            Ok(Some(Builder::Times { count, text }))
        }
        _ => Err(unknown()),
    }
}

fn fill(value: &Value, bindings: &mut Bindings) -> Result<Value, TemplateError> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        Value::String(text) => fill_text(text, bindings),
        Value::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| fill(item, bindings)).collect();
            Ok(Value::Array(items?))
        }
        Value::Object(fields) => match builder(fields)? {
            None => {
                let mut filled = Map::new();
                for (key, value) in fields {
                    let key = display(&fill_text(key, bindings)?);
                    filled.insert(key, fill(value, bindings)?);
                }
                Ok(Value::Object(filled))
            }
            Some(builder) => build(builder, bindings).map(Value::String),
        },
    }
}

fn build(builder: Builder<'_>, bindings: &mut Bindings) -> Result<String, TemplateError> {
    match builder {
        Builder::Base64(value) => Ok(STANDARD.encode(display(&fill(value, bindings)?))),
        Builder::Json(value) => Ok(fill(value, bindings)?.to_string()),
        Builder::Times { count, text } => {
            let text = display(&fill_text(text, bindings)?);
            let len = text.len().saturating_mul(count);
            if len > TEXT_LEN_MAX {
                return Err(TemplateError::TooLong { len });
            }
            Ok(text.repeat(count))
        }
    }
}

fn fill_text(text: &str, bindings: &mut Bindings) -> Result<Value, TemplateError> {
    let mut look_up = |name: &str| match name {
        "uuid" => Ok(Value::String(bindings.uuid())),
        _ => match bindings.value(name) {
            Some(value) => Ok(value.clone()),
            None => Err(TemplateError::Unknown { name: name.to_owned() }),
        },
    };
    let pieces = pieces(text)?;
    if let [Piece::Hole(name)] = pieces.as_slice() {
        return look_up(name);
    }
    let mut filled = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => filled.push_str(literal),
            Piece::Hole(name) => filled.push_str(&display(&look_up(name)?)),
        }
    }
    Ok(Value::String(filled))
}

/// A value inside a text: texts without quotation marks, the rest as compact JSON.
fn display(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

#[cfg(test)]
mod tests;
