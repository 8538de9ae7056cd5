//! Names, ids and texts that cannot be wrong: checked once, when they are made.
//!
//! Limits on length count characters (Unicode scalar values), as a reader would, except where bytes are named.

use std::fmt;

/// Longest text of a post, in characters: our own limit, the service names none.
pub const POST_TEXT_MAX: usize = 5_000;
/// Longest text of a comment, in characters: our own limit.
pub const COMMENT_TEXT_MAX: usize = 2_000;
/// Longest title of a post, in characters: our own limit.
pub const TITLE_MAX: usize = 300;
/// Longest id of a post or a comment, in bytes.
pub const ID_MAX: usize = 128;
/// Longest search, in characters: the service's limit.
pub const QUERY_MAX: usize = 500;
/// Longest address of a link, in bytes.
pub const LINK_MAX: usize = 2_048;
/// Longest answer to a challenge, in characters.
pub const ANSWER_MAX: usize = 64;

/// Why a word is refused: what it is, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// Nothing, or nothing but blanks.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// More than the limit.
    #[error("{what} has {length} characters, and at most {limit} are allowed")]
    Long {
        /// What was to be made.
        what: &'static str,
        /// What it has.
        length: usize,
        /// What it may have.
        limit: usize,
    },
    /// A character that does not belong there.
    #[error("{what} has {found:?} in it; allowed are {allowed}")]
    Character {
        /// What was to be made.
        what: &'static str,
        /// The first such character.
        found: char,
        /// What would be right.
        allowed: &'static str,
    },
}

/// What a kind of word asks for.
struct Rule {
    what: &'static str,
    limit: usize,
    allowed: &'static str,
    takes: fn(char) -> bool,
}

impl Rule {
    fn check(&self, text: &str) -> Result<String, BadWord> {
        if text.trim().is_empty() {
            return Err(BadWord::Empty(self.what));
        }
        let length = text.chars().count();
        if length > self.limit {
            return Err(BadWord::Long { what: self.what, length, limit: self.limit });
        }
        match text.chars().find(|&char| !(self.takes)(char)) {
            Some(found) => {
                Err(BadWord::Character { what: self.what, found, allowed: self.allowed })
            }
            None => Ok(text.to_owned()),
        }
    }
}

/// Declares a word: its type, what it is for, and its rule.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:expr, $allowed:literal, $takes:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            ///
            /// [`BadWord`] if it is empty, too long, or has a character that does not belong there.
            pub fn new(text: &str) -> Result<Self, BadWord> {
                const RULE: Rule =
                    Rule { what: $what, limit: $limit, allowed: $allowed, takes: $takes };
                RULE.check(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn id_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_')
}

fn text_char(char: char) -> bool {
    !char.is_control() || matches!(char, '\n' | '\t')
}

word!(
    /// The id of a post or a comment, as the service gave it.
    Id, "the id", ID_MAX, "letters, digits, - and _", id_char
);
word!(
    /// The name of an agent, without `@`.
    Name, "the agent's name", 64, "letters, digits, -, _ and .", |char| id_char(char) || char == '.'
);
word!(
    /// The name of a community, without `m/`.
    Submolt, "the submolt", 64, "letters, digits, - and _", id_char
);
word!(
    /// The title of a post, on one line.
    Title, "the title", TITLE_MAX, "everything but control characters", |char| !char.is_control()
);
word!(
    /// The text of a post.
    PostText, "the text of the post", POST_TEXT_MAX, "everything but control characters", text_char
);
word!(
    /// The text of a comment.
    CommentText,
    "the text of the comment",
    COMMENT_TEXT_MAX,
    "everything but control characters",
    text_char
);
word!(
    /// What is searched for.
    Query, "the search", QUERY_MAX, "everything but control characters", |char| !char.is_control()
);
word!(
    /// The address a post links to.
    Link, "the link", LINK_MAX, "visible ASCII characters", |char| char.is_ascii_graphic()
);
word!(
    /// Where a list goes on: a text of the service's own making.
    Cursor, "the cursor", 512, "visible ASCII characters", |char| char.is_ascii_graphic()
);
word!(
    /// What a challenge is answered by.
    Code, "the verification code", 256, "letters, digits, - and _", id_char
);
word!(
    /// An answer to a challenge.
    Answer, "the answer", ANSWER_MAX, "everything but control characters", |char| !char.is_control()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_refused() {
        assert_eq!(PostText::new(""), Err(BadWord::Empty("the text of the post")));
        assert_eq!(PostText::new(" \n\t "), Err(BadWord::Empty("the text of the post")));
        assert_eq!(CommentText::new(""), Err(BadWord::Empty("the text of the comment")));
        assert_eq!(Title::new(""), Err(BadWord::Empty("the title")));
        assert_eq!(Id::new(""), Err(BadWord::Empty("the id")));
    }

    #[test]
    fn a_text_may_have_its_limit_and_no_more() {
        let text = "ü".repeat(POST_TEXT_MAX);
        assert!(PostText::new(&text).is_ok(), "characters count, not bytes");
        let refused = PostText::new(&format!("{text}!")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the text of the post has 5001 characters, and at most 5000 are allowed"
        );
        assert!(CommentText::new(&"x".repeat(COMMENT_TEXT_MAX)).is_ok());
        assert!(CommentText::new(&"x".repeat(COMMENT_TEXT_MAX + 1)).is_err());
        assert!(Query::new(&"x".repeat(QUERY_MAX + 1)).is_err());
        assert!(Id::new(&"x".repeat(ID_MAX + 1)).is_err());
        assert!(Title::new(&"x".repeat(TITLE_MAX + 1)).is_err());
        assert!(Answer::new(&"1".repeat(ANSWER_MAX + 1)).is_err());
        assert!(Link::new(&"x".repeat(LINK_MAX + 1)).is_err());
    }

    #[test]
    fn what_goes_into_a_path_cannot_leave_it() {
        for bad in ["../me", "a/b", "a?b", "a b", "a%2f", "é", "a\r\nX: y"] {
            assert!(Id::new(bad).is_err(), "{bad:?}");
            assert!(Name::new(bad).is_err() || bad == "../me", "{bad:?}");
            assert!(Submolt::new(bad).is_err(), "{bad:?}");
        }
        assert!(Name::new("../me").is_err());
        let refused = Id::new("a/b").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the id has '/' in it; allowed are letters, digits, - and _"
        );
    }
}
