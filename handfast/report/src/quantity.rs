//! Times for people.

/// A length of time in at most eight characters' worth of digits: `0.42 ms`, `312 ms`, `1.23 s`, `2 min 03 s`.
pub fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        _ => format!("{} min {:02} s", us / 60_000_000, us % 60_000_000 / 1_000_000),
    }
}

/// Milliseconds with one decimal, for an axis.
pub fn axis_ms(us: u64) -> String {
    format!("{}.{}", us / 1_000, us % 1_000 / 100)
}

/// Seconds with six decimals, as `JUnit` wants them.
pub fn junit_seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// The middle value: of an even number of values the lower one of the two in the middle.
///
/// `None` of nothing.
pub fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// `text` cut to `chars_max` characters, the last of them an ellipsis if something is missing.
pub fn clipped(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    clipped.push('…');
    clipped
}

/// `text` without control characters: a peer's bytes must not steer the reader's terminal.
pub fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well_at_every_size() {
        assert_eq!(time(420), "0.42 ms");
        assert_eq!(time(312_900), "312 ms");
        assert_eq!(time(1_239_000), "1.23 s");
        assert_eq!(time(123_000_000), "2 min 03 s");
    }

    #[test]
    fn junit_wants_seconds() {
        assert_eq!(junit_seconds(1_002_003), "1.002003");
    }

    #[test]
    fn the_median_is_a_value_that_was_there() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[5]), Some(5));
        assert_eq!(median(&[9, 1, 5]), Some(5));
        assert_eq!(median(&[9, 1, 5, 7]), Some(5));
    }

    #[test]
    fn clipping_counts_characters() {
        assert_eq!(clipped("äöü", 3), "äöü");
        assert_eq!(clipped("äöüß", 3), "äö…");
    }

    #[test]
    fn a_peer_cannot_send_escape_codes_to_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\r"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
