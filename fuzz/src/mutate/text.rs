//! Changes of texts between whose brackets and quotes something stands.

use std::ops::Range;

use super::tokens::{Kind, Token, tokens, value};
use crate::corpus::Corpus;
use crate::random::Random;

/// Values that readers have gone wrong on.
const VALUES: [&str; 40] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "281474976710655",
    "281474976710656",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "0.0",
    "-0.0",
    "1.5",
    "1e5",
    "1e400",
    "5e-324",
    "00",
    "NaN",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\u{e9}\"",
    "\"e\u{301}\"",
    "\"\u{202e}\"",
    "[]",
    "{}",
    "\"1970-01-01T00:00:00.000000+00:00\"",
];

/// Makes one change.
pub fn change(random: &mut Random, text: &mut Vec<u8>, corpus: &Corpus) {
    let found = tokens(text);
    if found.is_empty() {
        text.extend_from_slice(VALUES[random.below(VALUES.len())].as_bytes());
        return;
    }
    match random.below(11) {
        0 | 1 => put(random, text, &found, corpus),
        2 => inside(random, text, &found),
        3 => step(random, text, &found),
        4 => drop_value(random, text, &found),
        5 => double_value(random, text, &found),
        6 => swap(random, text, &found),
        7 => nest(random, text, &found),
        8 => lines(random, text),
        9 => take(random, text, &found, corpus),
        _ => member(random, text, &found),
    }
}

/// The bytes of a run of tokens.
fn bytes(found: &[Token], range: &Range<usize>) -> Range<usize> {
    let (Some(first), Some(last)) =
        (found.get(range.start), found.get(range.end.saturating_sub(1)))
    else {
        return 0..0;
    };
    first.range.start..last.range.end
}

/// Some token of a kind that says something; any token where there is none.
fn some(random: &mut Random, found: &[Token], wanted: &[Kind]) -> usize {
    for _ in 0..8 {
        let index = random.below(found.len());
        if wanted.contains(&found[index].kind) {
            return index;
        }
    }
    random.below(found.len())
}

const TELLING: [Kind; 2] = [Kind::Quoted, Kind::Word];

/// Another value in the place of one, or another word in the place of one.
fn put(random: &mut Random, text: &mut Vec<u8>, found: &[Token], corpus: &Corpus) {
    let at = some(random, found, &TELLING);
    let place = bytes(found, &value(text, found, at));
    let new = if random.once_in(2) {
        VALUES[random.below(VALUES.len())].as_bytes().to_vec()
    } else {
        let Some(other) = random.pick(corpus.entries()) else { return };
        let others = tokens(other);
        if others.is_empty() {
            return;
        }
        other[others[some(random, &others, &TELLING)].range.clone()].to_vec()
    };
    text.splice(place, new);
}

/// A change within a quoted text or a word, which keeps its ends.
fn inside(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let token = &found[some(random, found, &TELLING)];
    let edge = usize::from(token.kind == Kind::Quoted && token.range.len() >= 2);
    let (start, end) = (token.range.start + edge, token.range.end - edge);
    let at = start + random.below(end - start + 1);
    let part = at..(at + random.below(4)).min(end);
    let fill = |with: &str, times: usize| with.repeat(times).into_bytes();
    let new = match random.below(9) {
        0 => Vec::new(),
        1 => fill("0", 1 + random.below(4)),
        2 => fill("z", 1 + random.below(4)),
        3 => fill("a", 1 << random.below(17)),
        4 => b"\\u0041".to_vec(),
        5 => "\u{1f980}".as_bytes().to_vec(),
        6 => fill("=", 1 + random.below(3)),
        7 => fill("\\\"", 1),
        _ => vec![random.byte()],
    };
    text.splice(part, new);
}

/// A number one further, or with another length.
fn step(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let numbers: Vec<&Token> = found
        .iter()
        .filter(|token| text[token.range.clone()].iter().any(u8::is_ascii_digit))
        .collect();
    let Some(token) = random.pick(&numbers) else { return };
    let digits: Vec<usize> = token.range.clone().filter(|at| text[*at].is_ascii_digit()).collect();
    let Some(&at) = random.pick(&digits) else { return };
    if random.once_in(3) {
        let digit = text[at];
        text.splice(at..at, std::iter::repeat_n(digit, 1 + random.below(30)));
    } else {
        text[at] = b'0' + (text[at] - b'0' + 1 + u8::try_from(random.below(9)).unwrap_or(0)) % 10;
    }
}

fn drop_value(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let at = random.below(found.len());
    text.drain(bytes(found, &value(text, found, at)));
}

fn double_value(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let at = random.below(found.len());
    let place = bytes(found, &value(text, found, at));
    let times = if random.once_in(16) { 1 << random.below(11) } else { 1 };
    let mut new = Vec::new();
    for _ in 0..times {
        new.extend_from_slice(&text[place.clone()]);
        new.push(b',');
    }
    text.splice(place.start..place.start, new);
}

/// Two values change places.
fn swap(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let mut pick = || value(text, found, some(random, found, &TELLING));
    let (one, other) = (pick(), pick());
    let (first, second) = if one.start < other.start { (one, other) } else { (other, one) };
    if first.end > second.start {
        return;
    }
    let (first, second) = (bytes(found, &first), bytes(found, &second));
    let (early, late) = (text[first.clone()].to_vec(), text[second.clone()].to_vec());
    text.splice(second, early);
    text.splice(first, late);
}

/// A value inside of lists or objects, up to many thousand of them.
fn nest(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let at = some(random, found, &TELLING);
    let place = bytes(found, &value(text, found, at));
    let depth = 1_usize << random.below(15);
    let (open, close) =
        *random.pick(&[("[", "]"), ("{\"a\":", "}"), ("{a=", "}")]).unwrap_or(&("[", "]"));
    let mut new = open.repeat(depth).into_bytes();
    new.extend_from_slice(&text[place.clone()]);
    new.extend_from_slice(close.repeat(depth).as_bytes());
    text.splice(place, new);
}

/// A line twice, not at all, or somewhere else.
fn lines(random: &mut Random, text: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> =
        text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (at, to) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(3) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(to, lines[at].clone()),
        _ => lines.swap(at, to),
    }
    *text = lines.concat();
}

/// A value of another entry, with all that is in it, in the place of one.
fn take(random: &mut Random, text: &mut Vec<u8>, found: &[Token], corpus: &Corpus) {
    let Some(other) = random.pick(corpus.entries()) else { return };
    let others = tokens(other);
    if others.is_empty() {
        return;
    }
    let at = random.below(others.len());
    let new = other[bytes(&others, &value(other, &others, at))].to_vec();
    let at = random.below(found.len());
    text.splice(bytes(found, &value(text, found, at)), new);
}

/// A field again, with its value: `"a":1` becomes `"a":1,"a":1`, or a field nobody named comes in.
fn member(random: &mut Random, text: &mut Vec<u8>, found: &[Token]) {
    let colons: Vec<usize> = (0..found.len())
        .filter(|index| matches!(text[found[*index].range.start], b':' | b'='))
        .collect();
    let Some(&colon) = random.pick(&colons) else { return };
    let mut key = colon;
    while key > 0 && found[key].kind != Kind::Quoted {
        key -= 1;
        if found[key].kind == Kind::Word {
            break;
        }
    }
    let after = (colon + 1..found.len()).find(|index| found[*index].kind != Kind::Space);
    let end = after.map_or(found.len(), |first| value(text, found, first).end);
    let place = bytes(found, &(key..end));
    let mut new =
        if random.once_in(2) { b"\"unknown\": 7".to_vec() } else { text[place.clone()].to_vec() };
    new.push(b',');
    text.splice(place.start..place.start, new);
}
