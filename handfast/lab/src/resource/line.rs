//! Lines of an account, and the words for amounts in them.

use handfast_faults::account::{Line, LineVerdict};

/// A line of an account.
pub(super) fn line(what: &str, asked: String, measured: String, verdict: LineVerdict) -> Line {
    Line { what: what.to_owned(), asked, measured, verdict }
}

/// Whether a limit that is in force was met.
pub(super) fn met(times: u64) -> LineVerdict {
    if times > 0 { LineVerdict::Held } else { LineVerdict::TooFew }
}

/// An amount of bytes, exact where a larger unit divides it.
pub(crate) fn bytes(amount: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(unit, _)| amount >= *unit && amount.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", amount / unit),
        None => format!("{amount} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_keeps_its_last_byte() {
        let cases = [(0, "0 B"), (1_023, "1023 B"), (65_536, "64 KiB"), (3 << 20, "3 MiB")];
        for (amount, text) in cases {
            assert_eq!(bytes(amount), text);
        }
        assert_eq!(bytes((1 << 20) + 1), "1048577 B");
        assert_eq!(bytes(u64::MAX), format!("{} B", u64::MAX));
    }
}
