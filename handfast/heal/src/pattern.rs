//! Patterns as people write them: `*` is any text, `?` any letter, everything else itself.

/// A pattern that has to fit a text from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    letters: Vec<char>,
}

impl Pattern {
    /// Takes any text as a pattern.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let letters = text.chars().collect();
        Self { text, letters }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it fits all of a text. Costs at most the product of both lengths.
    pub fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut in_text) = (0, 0);
        // The last `*`, and how much of the text it takes: a later one makes all choices of an earlier one equal.
        let mut star: Option<(usize, usize)> = None;
        while in_text < text.len() {
            match self.letters.get(at) {
                Some('*') => {
                    star = Some((at + 1, in_text));
                    at += 1;
                }
                Some(letter) if *letter == '?' || *letter == text[in_text] => {
                    at += 1;
                    in_text += 1;
                }
                Some(_) | None => {
                    let Some((behind, taken)) = star else { return false };
                    star = Some((behind, taken + 1));
                    (at, in_text) = (behind, taken + 1);
                }
            }
        }
        self.letters[at..].iter().all(|letter| *letter == '*')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, fitting: &[&str], other: &[&str]) {
        let pattern = Pattern::new(pattern);
        assert!(fitting.iter().all(|text| pattern.fits(text)), "{fitting:?}");
        assert!(!other.iter().any(|text| pattern.fits(text)), "{other:?}");
    }

    #[test]
    fn a_pattern_fits_the_whole_text() {
        check("token/*", &["token/", "token/pay[v=1.1]"], &["token", "a token/x"]);
        check("*not reach*", &["could not reach b", "not reach"], &["not  reach"]);
        check("1.?", &["1.0", "1.é"], &["1.", "1.10"]);
        check("[a]{b}", &["[a]{b}"], &["a"]);
        check("", &[""], &["x"]);
        check("**", &["", "x\ny"], &[]);
    }

    /// The definition, slowly.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                slowly(&pattern[1..], text) || (!text.is_empty() && slowly(pattern, &text[1..]))
            }
            (Some(letter), Some(found)) if *letter == '?' || letter == found => {
                slowly(&pattern[1..], &text[1..])
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_slow_definition(pattern in "[ab*?]{0,8}", text in "[ab*?]{0,10}") {
            let letters = |text: &str| text.chars().collect::<Vec<char>>();
            prop_assert_eq!(
                Pattern::new(pattern.clone()).fits(&text),
                slowly(&letters(&pattern), &letters(&text))
            );
        }
    }
}
