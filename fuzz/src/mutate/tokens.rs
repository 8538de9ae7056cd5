//! What a text is made of, whatever its language: quoted texts, words and numbers, spaces, and single signs.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Between two quotes, with them.
    Quoted,
    /// Letters, digits, and what stands within numbers and names.
    Word,
    /// Spaces and ends of lines.
    Space,
    /// One other byte.
    Sign,
}

/// A token and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub range: Range<usize>,
}

/// Takes a text apart. Every byte is in exactly one token.
pub fn tokens(text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = text.get(at) {
        let rest = &text[at..];
        let run = |is: fn(u8) -> bool| rest.iter().take_while(|byte| is(**byte)).count();
        let (kind, len) = match first {
            b'"' | b'\'' => (Kind::Quoted, quoted_len(rest, first)),
            byte if byte.is_ascii_whitespace() => {
                (Kind::Space, run(|byte| byte.is_ascii_whitespace()))
            }
            byte if is_word(byte) => (Kind::Word, run(is_word)),
            _ => (Kind::Sign, 1),
        };
        tokens.push(Token { kind, range: at..at + len });
        at += len;
    }
    tokens
}

/// The tokens of the value that begins with token `first`: up to the bracket that closes it, or it alone.
pub fn value(text: &[u8], tokens: &[Token], first: usize) -> Range<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(first) {
        match text.get(token.range.start) {
            Some(b'{' | b'[') if token.kind == Kind::Sign => depth += 1,
            Some(b'}' | b']') if token.kind == Kind::Sign => depth = depth.saturating_sub(1),
            Some(_) | None => {}
        }
        if depth == 0 {
            return first..index + 1;
        }
    }
    first..tokens.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_+-.$/".contains(&byte)
}

/// With both quotes; up to the end of the text where none closes it.
fn quoted_len(text: &[u8], quote: u8) -> usize {
    let mut is_escaped = false;
    for (index, &byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            _ if byte == quote => return index + 1,
            _ => {}
        }
    }
    text.len()
}
