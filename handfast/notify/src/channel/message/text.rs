//! Foreign texts (names, reasons, paths) made harmless and cut to size.
//!
//! What a scenario is called may come from a pull request of a stranger. It must neither format a message nor mention anybody:
//! control characters and those that turn the direction of writing go, `&`, `<` and `>` are escaped, and `@` before a word is parted from it.

/// Text for Slack's `mrkdwn`; at most `max` UTF-16 units long, escapes included, and never cut within an escape.
pub(in crate::channel) fn mrkdwn(text: &str, max: usize) -> String {
    escaped(&harmless(text), max)
}

/// Text between backticks of `mrkdwn`; the backticks are part of it, and of `max`. Empty text gives a dash.
pub(in crate::channel) fn code(text: &str, max: usize) -> String {
    let inner = escaped(&harmless(text).replace('`', "'"), max.saturating_sub(2));
    if inner.is_empty() { "–".to_owned() } else { format!("`{inner}`") }
}

/// A block of code of `mrkdwn`, to be copied: nothing is put into it, and only line breaks and what would end it are taken out.
pub(in crate::channel) fn block(text: &str, max: usize) -> String {
    let one_line: String = text.chars().filter(|&c| !vanishes(c) && c != '\n').collect();
    format!("```{}```", escaped(&one_line.replace("```", "'''"), max.saturating_sub(6)))
}

/// Text for services without markup that matters: harmless, and at most `max` characters long.
pub(in crate::channel) fn plain(text: &str, max: usize) -> String {
    let text = harmless(text);
    if text.chars().count() <= max {
        return text;
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// What somebody else said, to be repeated to people. `redact` takes the secrets out: of the whole text, before anything cuts it, and once
/// more of what is left when the characters that hide are gone.
pub(in crate::channel) fn said(text: &str, max: usize, redact: impl Fn(&str) -> String) -> String {
    plain(&redact(&harmless(&redact(text))), max)
}

/// A command line that a shell takes as it is.
pub(in crate::channel) fn command_line(words: &[String]) -> String {
    let quoted = |word: &String| {
        let bare = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '-' | '_' | '.' | '/' | '=' | ':' | ',' | '+' | '@' | '%')
        };
        if !word.is_empty() && word.chars().all(bare) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().filter(|&c| !vanishes(c)).peekable();
    while let Some(character) = characters.next() {
        let character = if character.is_whitespace() { ' ' } else { character };
        clean.push(character);
        let starts_word = character == '@' && !before.is_alphanumeric();
        if starts_word && characters.peek().is_some_and(|next| next.is_alphanumeric()) {
            // Nobody sees it, and no service finds a name behind it.
            clean.push(ZERO_WIDTH_SPACE);
        }
        before = character;
    }
    clean
}

fn escaped(text: &str, max: usize) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut cut_at = 0;
    let mut units = 0;
    for character in text.chars() {
        let before = whole.len();
        match character {
            '&' => whole.push_str("&amp;"),
            '<' => whole.push_str("&lt;"),
            '>' => whole.push_str("&gt;"),
            other => whole.push(other),
        }
        units += whole[before..].encode_utf16().count();
        if units < max {
            cut_at = whole.len();
        }
        if units > max {
            whole.truncate(cut_at);
            whole.push('…');
            return if max == 0 { String::new() } else { whole };
        }
    }
    whole
}

/// Control characters except white space, and those that change the direction of what follows or hide in it.
fn vanishes(character: char) -> bool {
    let hidden = matches!(
        character,
        '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
    );
    hidden || (character.is_control() && !character.is_whitespace())
}

const ZERO_WIDTH_SPACE: char = '\u{200B}';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(mrkdwn("<!channel> a && b", 99), "&lt;!channel&gt; a &amp;&amp; b");
        assert_eq!(code("a`b<c>", 99), "`a'b&lt;c&gt;`");
        assert_eq!(block("x ``` y\n<z>", 99), "```x ''' y&lt;z&gt;```");
    }

    #[test]
    fn nobody_is_mentioned_by_a_name() {
        assert_eq!(
            mrkdwn("ask @here and @everyone", 99),
            "ask @\u{200B}here and @\u{200B}everyone"
        );
        assert_eq!(mrkdwn("mail a@example.com, 5 @ 3", 99), "mail a@example.com, 5 @ 3");
        assert_eq!(mrkdwn("@\u{200D}here", 99), "@\u{200B}here");
        assert_eq!(plain("@all\u{202E}gnp.exe\u{7}", 99), "@\u{200B}allgnp.exe");
    }

    #[test]
    fn a_cut_is_marked_and_never_within_an_escape() {
        assert_eq!(mrkdwn("abcdef", 6), "abcdef");
        assert_eq!(mrkdwn("abcdefg", 6), "abcde…");
        assert_eq!(mrkdwn("a<<<", 9), "a&lt;…");
        assert_eq!(plain("abcdefg", 3), "ab…");
    }

    #[test]
    fn a_command_line_can_be_copied() {
        let words = ["handfast", "run", "token/pay[version=1.1]", "it's"].map(str::to_owned);
        assert_eq!(command_line(&words), "handfast run 'token/pay[version=1.1]' 'it'\\''s'");
        assert_eq!(block(&command_line(&words[..1]), 99), "```handfast```");
    }

    proptest! {
        #[test]
        fn any_text_fits_and_has_no_markup(text in any::<String>(), max in 3_usize..200) {
            for made in [mrkdwn(&text, max), code(&text, max)] {
                prop_assert!(made.encode_utf16().count() <= max.max(1));
                prop_assert!(!made.contains(['<', '>']));
                let rest = made.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
                prop_assert!(!rest.contains('&'), "{made}");
            }
            prop_assert!(plain(&text, max).chars().count() <= max);
        }
    }
}
