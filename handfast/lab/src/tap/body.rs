//! What is kept of a body that went through the tap.

use bytes::Bytes;

/// A body, or its beginning where a unit has seen too many long ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    len: usize,
    kept: Bytes,
}

impl Body {
    /// How many bytes there were.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes that are kept: all of them, or the first.
    pub fn kept(&self) -> &Bytes {
        &self.kept
    }

    /// Whether bytes are missing at the end.
    pub fn is_cut(&self) -> bool {
        self.kept.len() < self.len
    }

    /// Keeps only the first `max` bytes, in memory of their own.
    pub(super) fn cut(&mut self, max: usize) {
        if self.kept.len() > max {
            self.kept = Bytes::copy_from_slice(&self.kept[..max]);
        }
    }
}

impl From<Bytes> for Body {
    fn from(kept: Bytes) -> Self {
        Self { len: kept.len(), kept }
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from(text).into()
    }
}

impl PartialEq<&str> for Body {
    fn eq(&self, text: &&str) -> bool {
        self == *text
    }
}

impl PartialEq<str> for Body {
    fn eq(&self, text: &str) -> bool {
        !self.is_cut() && self.kept == text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_body_says_how_long_it_was_and_equals_no_text() {
        let mut body = Body::from(Bytes::from("0123456789"));
        body.cut(10);
        assert!(!body.is_cut() && body == *"0123456789");
        body.cut(4);
        assert_eq!((body.len(), body.kept().as_ref()), (10, b"0123".as_slice()));
        assert!(body.is_cut() && body != *"0123" && body != *"0123456789");
    }
}
