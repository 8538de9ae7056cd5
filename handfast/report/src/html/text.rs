//! How anything gets into HTML: escaped, always.

use std::fmt::{self, Write as _};

use handfast_scenario::plan::UnitId;

/// Text as HTML shows it: nothing in it is markup, and control characters are replaced.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\n' | '\t' => write!(formatter, "{letter}")?,
                control if control.is_control() => formatter.write_str("\u{fffd}")?,
                other => write!(formatter, "{other}")?,
            }
        }
        Ok(())
    }
}

/// The place of a unit in the page: the same in every run, made of nothing but letters, digits and `-`.
pub(super) fn anchor(unit: &UnitId) -> String {
    let mut anchor = String::from("u-");
    for byte in unit.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => anchor.push(char::from(byte)),
            // Writing to a text cannot fail.
            other => write!(anchor, "-{other:02x}").unwrap_or_default(),
        }
    }
    anchor
}
