//! Whether a value includes another, and where it does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::GlobBuilder;
use serde_json::{Map, Value};

/// Longest line a failure quotes, in characters.
pub const QUOTED_LINE_LEN_MAX: usize = 240;

/// Whether `value` includes `like`.
///
/// An object includes another if it has all of its fields, each including the other's. Lists and
/// plain values have to be equal (list elements include each other pairwise). An object whose only
/// key begins with `$` is a matcher: `$min`, `$max` (numbers), `$one_of` (list), `$not`, `$glob`
/// (text), `$any = true` (whatever it is), `$absent = true` (the field is not there),
/// `$length` (of a text, in characters, or a list), `$decoded` (text that is base64 of JSON, which
/// includes this).
pub fn includes(value: &Value, like: &Value) -> bool {
    difference(value, like).is_none()
}

/// The first place at which `value` does not include `like`, for a person.
pub fn difference(value: &Value, like: &Value) -> Option<String> {
    differ(Some(value), like, &mut Vec::new())
}

fn differ(value: Option<&Value>, like: &Value, at: &mut Vec<String>) -> Option<String> {
    if let Some((name, argument)) = matcher(like) {
        return (!satisfies(value, name, argument)).then(|| describe(value, like, at));
    }
    match (value, like) {
        (Some(Value::Object(fields)), Value::Object(likes)) => {
            likes.iter().find_map(|(key, like)| {
                at.push(key.clone());
                let found = differ(fields.get(key), like, at);
                at.pop();
                found
            })
        }
        (Some(Value::Array(items)), Value::Array(likes)) if items.len() == likes.len() => {
            items.iter().zip(likes).enumerate().find_map(|(index, (item, like))| {
                at.push(index.to_string());
                let found = differ(Some(item), like, at);
                at.pop();
                found
            })
        }
        (Some(value), like) if equal(value, like) => None,
        _ => Some(describe(value, like, at)),
    }
}

fn describe(value: Option<&Value>, like: &Value, at: &[String]) -> String {
    let place = if at.is_empty() { String::new() } else { format!("{}: ", at.join(".")) };
    match value {
        None => format!("{place}expected {}, found nothing", cut(like)),
        Some(value) => format!("{place}expected {}, found {}", cut(like), cut(value)),
    }
}

/// Numbers are equal if they are the same number, so that `1` in a file meets `1.0` of a peer.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right
                || left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| {
                    #[expect(
                        clippy::float_cmp,
                        reason = "written numbers are compared, not computed ones"
                    )]
                    let same = left == right;
                    same && (left.fract() != 0.0 || left.abs() < 9_007_199_254_740_992.0)
                })
        }
        _ => left == right,
    }
}

/// Whether `value` is `like`: an object has no further field.
pub(super) fn includes_exactly(value: &Value, like: &Value) -> bool {
    match (value, like) {
        (Value::Object(fields), Value::Object(likes)) if matcher(like).is_none() => {
            fields.len() == likes.len()
                && likes.iter().all(|(key, like)| {
                    fields.get(key).is_some_and(|value| includes_exactly(value, like))
                })
        }
        (Value::Array(items), Value::Array(likes)) => {
            items.len() == likes.len()
                && items.iter().zip(likes).all(|(item, like)| includes_exactly(item, like))
        }
        _ => includes(value, like),
    }
}

/// Names of the matchers, for checking a file.
pub const MATCHERS: [&str; 9] =
    ["$min", "$max", "$one_of", "$not", "$glob", "$any", "$absent", "$length", "$decoded"];

fn matcher(like: &Value) -> Option<(&str, &Value)> {
    let Value::Object(fields) = like else { return None };
    let (name, argument) = single(fields)?;
    MATCHERS.contains(&name).then_some((name, argument))
}

fn single(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields = fields.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

fn satisfies(value: Option<&Value>, name: &str, argument: &Value) -> bool {
    let Some(value) = value else {
        return name == "$absent" && argument == &Value::Bool(true) || name == "$not";
    };
    let numbers = value.as_f64().zip(argument.as_f64());
    match name {
        "$min" => numbers.is_some_and(|(value, least)| value >= least),
        "$max" => numbers.is_some_and(|(value, most)| value <= most),
        "$one_of" => {
            argument.as_array().is_some_and(|likes| likes.iter().any(|like| includes(value, like)))
        }
        "$not" => !includes(value, argument),
        "$glob" => value.as_str().zip(argument.as_str()).is_some_and(|(text, glob)| {
            GlobBuilder::new(glob).build().is_ok_and(|glob| glob.compile_matcher().is_match(text))
        }),
        "$any" => argument == &Value::Bool(true),
        "$length" => {
            let len = match value {
                Value::String(text) => Some(text.chars().count()),
                Value::Array(items) => Some(items.len()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
            };
            len.is_some_and(|len| includes(&Value::from(len), argument))
        }
        "$decoded" => decoded(value).is_some_and(|value| includes(&value, argument)),
        // `$absent` of something that is there; `matcher` lets no other name through.
        _ => false,
    }
}

fn decoded(value: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(value.as_str()?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A value in one line of bearable length.
pub(super) fn cut(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= QUOTED_LINE_LEN_MAX {
        return text;
    }
    let kept: String = text.chars().take(QUOTED_LINE_LEN_MAX).collect();
    format!("{kept}...")
}
