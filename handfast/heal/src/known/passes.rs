//! How often in a row what each rule is for has passed, kept from run to run beside the records of the project.
//!
//! One JSON object on one line. A file that cannot be read counts as none: a rule then waits longer, it never ends too early.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::ENTRIES_MAX;

/// Version of the format that this code writes, and the only one it reads.
pub const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    passes: BTreeMap<String, u32>,
}

/// The file's text, with its line feed; `passes` is [`super::Closed::passes`].
pub fn to_text(passes: &BTreeMap<String, u32>) -> String {
    // Names and numbers cannot fail.
    let file = File { format: FORMAT, passes: passes.clone() };
    let mut text = serde_json::to_string(&file).unwrap_or_default();
    text.push('\n');
    text
}

/// The passes of a file's text; none where it is not one of ours, or has more than [`ENTRIES_MAX`] rules.
pub fn read(text: &str) -> BTreeMap<String, u32> {
    let file = serde_json::from_str::<File>(text).ok();
    let file = file.filter(|file| file.format == FORMAT && file.passes.len() <= ENTRIES_MAX);
    file.map(|file| file.passes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passes_are_these_bytes_and_read_back() {
        let passes = BTreeMap::from([("late".to_owned(), 3), ("slow".to_owned(), 0)]);
        let text = to_text(&passes);
        assert_eq!(text, "{\"format\":1,\"passes\":{\"late\":3,\"slow\":0}}\n");
        assert_eq!(read(&text), passes);
    }

    #[test]
    fn what_is_no_such_file_has_no_passes() {
        for text in ["", "{", "{\"format\":2,\"passes\":{\"late\":3}}", "{\"format\":1}"] {
            assert_eq!(read(text), BTreeMap::new(), "{text}");
        }
    }
}
