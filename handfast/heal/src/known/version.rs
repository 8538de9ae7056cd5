//! Versions of peers, so that a rule can end with one.

use std::cmp::Ordering;
use std::fmt;

/// Most numbers of a version.
pub const PARTS_MAX: usize = 4;

/// A version such as `1.3`, `v1.3.0` or `1.3.0-rc.1`; what follows a `+` says nothing.
///
/// Order: number by number, missing ones are 0; what is marked with `-` comes before its release (as Semantic Versioning 2.0.0, 11).
#[derive(Debug, Clone)]
pub struct Version {
    written: String,
    parts: [u64; PARTS_MAX],
    before: Option<Vec<Mark>>,
}

/// A part of a mark: numbers come before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Number(u64),
    Word(String),
}

/// Why a text is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a version is one to {PARTS_MAX} numbers with points between them, such as 1.3 or 1.3.0-rc.1"
)]
pub struct NoVersion;

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    ///
    /// [`NoVersion`].
    pub fn parse(text: &str) -> Result<Self, NoVersion> {
        let text = text.trim();
        let bare = text.strip_prefix('v').unwrap_or(text);
        let bare = bare.split_once('+').map_or(bare, |(bare, _)| bare);
        let (numbers, before) = match bare.split_once('-') {
            Some((numbers, before)) => (numbers, Some(before.split('.').map(mark).collect())),
            None => (bare, None),
        };
        let mut parts = [0; PARTS_MAX];
        for (at, number) in numbers.split('.').enumerate() {
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            let part = parts.get_mut(at).filter(|_| is_number).ok_or(NoVersion)?;
            *part = number.parse().map_err(|_| NoVersion)?;
        }
        Ok(Self { written: text.to_owned(), parts, before })
    }
}

fn mark(part: &str) -> Mark {
    part.parse().map_or_else(|_| Mark::Word(part.to_owned()), Mark::Number)
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts).then_with(|| match (&self.before, &other.before) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(two)) => one.cmp(two),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let order = [
            "0.9",
            "1.0-alpha",
            "1.0-alpha.2",
            "1.0-alpha.10",
            "1.0-rc",
            "1",
            "1.0.1",
            "1.2.9",
            "1.10",
            "2.0.0.1",
        ];
        for (at, one) in order.iter().enumerate() {
            for (other_at, other) in order.iter().enumerate() {
                let (one, other) = (Version::parse(one).unwrap(), Version::parse(other).unwrap());
                assert_eq!(one.cmp(&other), at.cmp(&other_at), "{one} {other}");
            }
        }
        assert_eq!(Version::parse("v1.3").unwrap(), Version::parse("1.3.0+linux").unwrap());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "latest", "1..2", "1.2.3.4.5", "1.x", "-rc", "99999999999999999999"] {
            assert_eq!(Version::parse(text).unwrap_err(), NoVersion, "{text}");
        }
    }
}
