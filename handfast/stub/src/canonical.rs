//! Canonical JSON, in the form of Python's `json.dumps(x, sort_keys=True, separators=(",", ":"))`
//! (`docs/protocol/1.0.md#canonical-json`), without floats: a conversation that needs one has no place here.

use std::fmt::Write as _;

use serde_json::Value;

/// Writes a value; `None` if it holds a float, of which this form says nothing.
pub fn canonical(value: &Value) -> Option<String> {
    let mut text = String::new();
    spell(value, &mut text)?;
    Some(text)
}

fn spell(value: &Value, text: &mut String) -> Option<()> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) if number.is_f64() => return None,
        Value::Number(number) => text.push_str(&number.to_string()),
        Value::String(string) => quote(string, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                spell(item, text)?;
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort(); // UTF-8 sorts as its code points do
            text.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                quote(key, text);
                text.push(':');
                spell(fields.get(key)?, text)?;
            }
            text.push('}');
        }
    }
    Some(())
}

fn quote(string: &str, text: &mut String) {
    text.push('"');
    for letter in string.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            ' '..='~' => text.push(letter),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    write!(text, "\\u{unit:04x}").unwrap_or_default();
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::canonical;

    #[test]
    fn keys_are_sorted_and_letters_outside_ascii_escaped() {
        let value = json!({ "b": [1, -2, null, true], "a": "é\u{1F600}\n\u{7f}\"", "B": {} });
        let expected = r#"{"B":{},"a":"\u00e9\ud83d\ude00\n\u007f\"","b":[1,-2,null,true]}"#;
        assert_eq!(canonical(&value).as_deref(), Some(expected));
    }

    #[test]
    fn a_float_has_no_form() {
        assert_eq!(canonical(&json!([0.5])), None);
    }
}
