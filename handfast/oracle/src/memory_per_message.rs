//! `memory-per-message < 2KiB`: between its first measurement and its last no peer has kept more memory than this for each message
//! that it sent or received.
//!
//! What a peer keeps on purpose, such as an inbox, is bounded; so a scenario gives the bound in the limit, or enough messages before
//! the first measurement.

use crate::history::History;
use crate::params::Params;
use crate::usage::{Growth, growths};
use crate::{Finding, OracleError};

/// Messages that have to lie between two measurements: allocators take memory in steps of some hundred KiB.
const MESSAGES_MIN: u64 = 1_000;

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["at_most"])?;
    let at_most = params.size("at_most")?;
    let growths = match growths(history, MESSAGES_MIN) {
        Ok(growths) => growths,
        Err(reason) => return Ok(Err(reason)),
    };
    for Growth { role, messages, before, after } in growths {
        let more = after.memory_bytes.saturating_sub(before.memory_bytes);
        let each = more / messages;
        if each >= at_most {
            return Ok(Err(format!(
                "{role} held {} KiB of memory before {messages} messages and {} KiB after them, {each} bytes for each; less than {at_most} are expected",
                before.memory_bytes / 1_024,
                after.memory_bytes / 1_024
            )));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::story::Story;

    fn story(memory: [u64; 2]) -> Story {
        let mut story = Story::new().measured("b", 9, memory[0]);
        for n in 0..1_000 {
            story = story.wire("b", "a", &json!({ "n": n }), 200);
        }
        story.measured("b", 9, memory[1])
    }

    #[test]
    fn what_is_kept_for_each_message_is_held_against_the_limit() {
        let limit = json!({ "at_most": "2KiB" });
        story([1 << 20, (1 << 20) + 2_047_999]).passes("memory-per-message", limit.clone());
        story([1 << 20, 0]).passes("memory-per-message", limit.clone());
        let reason = "b held 1024 KiB of memory before 1000 messages and 3024 KiB after them, 2048 bytes for each";
        story([1 << 20, (1 << 20) + 2_048_000]).fails("memory-per-message", limit, reason);
    }

    #[test]
    fn a_size_is_written_with_its_unit() {
        story([0, 511_999]).passes("memory-per-message", json!({ "at_most": "512B" }));
        let asked = crate::judge("memory-per-message", &json!({ "at_most": "2 s" }), &[]);
        assert!(asked.unwrap_err().to_string().contains("such as \"2KiB\""));
    }
}
