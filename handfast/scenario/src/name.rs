//! Names, each kind a type of its own so that a role cannot be taken for a peer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of any kind, in bytes; a guess that no sensible name reaches.
pub const NAME_LEN_MAX: usize = 128;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing stands where a name is needed.
    #[error("a name must not be empty")]
    Empty,
    /// The name has more than [`NAME_LEN_MAX`] bytes.
    #[error("a name has at most {NAME_LEN_MAX} bytes, this one has {len}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A character outside `[A-Za-z0-9._-]` (methods also: `/`, `$`).
    #[error("{found:?} cannot stand in a name; letters, digits, '.', '_' and '-' can")]
    Character {
        /// The first such character.
        found: char,
    },
}

fn check(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > NAME_LEN_MAX {
        return Err(InvalidName::TooLong { len: text.len() });
    }
    let allowed = |found: &char| found.is_ascii_alphanumeric() || "._-".contains(*found);
    match text.chars().find(|found| !allowed(found)) {
        Some(found) => Err(InvalidName::Character { found }),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shape: `[A-Za-z0-9._-]{1,128}`.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text as a name.
            ///
            /// # Errors
            ///
            /// [`InvalidName`] says which rule the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// A part somebody plays in a scenario, such as `a`; also the name the peer is started under.
    RoleName;
    /// A peer program of the project, such as `entity`.
    PeerName;
    /// A method of the peer contract, such as `session.open`.
    MethodName;
    /// A notification of the peer contract, such as `message.received`.
    EventName;
    /// A class of tests with a budget of its own, such as `integration`.
    CategoryName;
    /// A resource of the machine of which units take a share, such as `ports`.
    ResourceName;
    /// A foreign test suite that is part of a run, such as `cargo`.
    SuiteName;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(text: &str, expected: Result<&str, InvalidName>) {
        assert_eq!(RoleName::new(text).as_ref().map(RoleName::as_str), expected.as_ref().copied());
    }

    #[test]
    fn letters_digits_and_three_marks_make_a_name() {
        check_name("a-1_b.C", Ok("a-1_b.C"));
    }

    #[test]
    fn an_empty_text_is_no_name() {
        check_name("", Err(InvalidName::Empty));
    }

    #[test]
    fn a_blank_is_no_part_of_a_name() {
        check_name("a b", Err(InvalidName::Character { found: ' ' }));
    }

    #[test]
    fn the_longest_name_has_the_named_limit() {
        let longest = "n".repeat(NAME_LEN_MAX);
        check_name(&longest, Ok(&longest));
        check_name(&"n".repeat(NAME_LEN_MAX + 1), Err(InvalidName::TooLong { len: 129 }));
    }
}
