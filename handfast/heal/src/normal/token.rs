//! What differs from run to run, recognised at the beginning of a text: how long it is, and what is put in its place.

/// What begins here, and its placeholder.
type Found = (usize, &'static str);

/// The longest of what begins a text and does not stand in the middle of a word: a letter, a digit or a placeholder before it makes
/// it a part of a longer one.
pub(super) fn at_border(before: &str, text: &str) -> Option<Found> {
    let last = before.chars().next_back();
    if last.is_some_and(|last| last.is_alphanumeric() || matches!(last, '_' | '>')) {
        return None;
    }
    let is_further = last == Some('/');
    let path = |text: &str| path(text).filter(|_| !is_further);
    let kinds = [
        (moment(text), "<time>"),
        (uuid(text), "<id>"),
        (address(text), "<address>"),
        (bracketed_address(text), "<address>"),
        (path(text), "<path>"),
        (hash(text), "<hash>"),
        (base64(text), "<base64>"),
        (duration(text), "<duration>"),
    ];
    // The first of several that are equally long.
    let found = kinds.into_iter().filter_map(|(len, put)| Some((len?, put)));
    found.reduce(|best, other| if other.0 > best.0 { other } else { best })
}

/// Digits, wherever they stand; also of several parts, such as `1.2.3`.
pub(super) fn number(text: &str) -> Option<Found> {
    let mut len = digits(text);
    if len == 0 {
        return None;
    }
    while let Some(part) = after(text, len, '.').map(digits).filter(|part| *part > 0) {
        len += 1 + part;
    }
    Some((len, "<n>"))
}

/// `2026-11-23`, `20:19:02.5`, or both with `T` or a blank between them, with or without a zone.
fn moment(text: &str) -> Option<usize> {
    if let Some(len) = clock(text) {
        return Some(len + zone(&text[len..]));
    }
    let day = shape(text, "0000-00-00")?;
    let rest = &text[day..];
    let time = rest.strip_prefix(['T', ' ', '_']).and_then(clock);
    Some(time.map_or(day, |time| day + 1 + time + zone(&rest[1 + time..])))
}

/// `20:19` alone may be a place in a file: seconds make it a time.
fn clock(text: &str) -> Option<usize> {
    let len = shape(text, "00:00:00")?;
    let fraction = after(text, len, '.').map(digits).filter(|digits| *digits > 0);
    Some(len + fraction.map_or(0, |digits| 1 + digits))
}

fn zone(text: &str) -> usize {
    let offset = text.strip_prefix(['+', '-']).and_then(|offset| shape(offset, "00:00"));
    if text.starts_with('Z') { 1 } else { offset.map_or(0, |len| 1 + len) }
}

fn uuid(text: &str) -> Option<usize> {
    const PARTS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut len = 0;
    for (number, part) in PARTS.into_iter().enumerate() {
        if number > 0 {
            after(text, len, '-')?;
            len += 1;
        }
        if run(&text[len..], |byte| byte.is_ascii_hexdigit()) != part {
            return None;
        }
        len += part;
    }
    ends(text, len)
}

/// IPv4, with or without a port.
fn address(text: &str) -> Option<usize> {
    let mut len = 0;
    for part in 0..4 {
        if part > 0 {
            after(text, len, '.')?;
            len += 1;
        }
        let digits = digits(&text[len..]);
        if !(1..=3).contains(&digits) {
            return None;
        }
        len += digits;
    }
    Some(len + port(&text[len..]))
}

/// IPv6 in brackets, with or without a port.
fn bracketed_address(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let len = run(inner, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    let colons = inner[..len].bytes().filter(|byte| *byte == b':').count();
    let rest = inner[len..].strip_prefix(']').filter(|_| colons >= 2)?;
    Some(text.len() - rest.len() + port(rest))
}

fn port(text: &str) -> usize {
    after(text, 0, ':').map(digits).filter(|digits| *digits > 0).map_or(0, |digits| 1 + digits)
}

/// A file: three names deep, or below a folder that every system has. `POST /message` is no file.
fn path(text: &str) -> Option<usize> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~+@%=".contains(&byte);
    let len = run(text, allowed);
    let written = text[..len].trim_end_matches('.');
    let mut names = written.strip_prefix('/')?.split('/');
    let root = names.next()?;
    let further = names.filter(|name| !name.is_empty()).count();
    let is_file = further >= 2 || (further >= 1 && ROOTS.contains(&root));
    (is_file && !root.is_empty()).then_some(written.len())
}

const ROOTS: [&str; 15] = [
    "bin", "dev", "etc", "home", "lib", "mnt", "opt", "private", "proc", "root", "run", "srv",
    "tmp", "usr", "var",
];

/// Eight or more hexadecimal digits with a letter and a digit among them, sixteen or more of any kind, or what follows `0x`.
fn hash(text: &str) -> Option<usize> {
    let is_hex = |byte: u8| byte.is_ascii_hexdigit();
    if let Some(rest) = text.strip_prefix("0x") {
        let len = run(rest, is_hex);
        return (len > 0).then_some(2 + len);
    }
    let len = ends(text, run(text, is_hex))?;
    let digits = text[..len].bytes().filter(u8::is_ascii_digit).count();
    let is_mixed = digits > 0 && digits < len;
    (len >= 16 || (len >= 8 && is_mixed)).then_some(len)
}

/// Padded, or long with letters of both kinds and two digits: what no word looks like.
fn base64(text: &str) -> Option<usize> {
    let padded = run(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let padding = run(&text[padded..], |byte| byte == b'=');
    let is_whole = (1..=2).contains(&padding) && (padded + padding).is_multiple_of(4);
    let has_case = |kind: fn(&u8) -> bool| text[..padded].bytes().any(|byte| kind(&byte));
    if padded >= 10
        && is_whole
        && has_case(u8::is_ascii_lowercase)
        && has_case(u8::is_ascii_uppercase)
    {
        return ends(text, padded + padding);
    }
    let len = ends(text, run(text, |byte| byte.is_ascii_alphanumeric() || byte == b'+'))?;
    let has =
        |count: usize, kind: fn(&u8) -> bool| text[..len].bytes().filter(kind).count() >= count;
    let is_mixed = has(2, u8::is_ascii_digit)
        && has(1, u8::is_ascii_lowercase)
        && has(1, u8::is_ascii_uppercase);
    (len >= 24 && is_mixed).then_some(len)
}

/// `500ms`, `1.5 s`, `1m30s`.
fn duration(text: &str) -> Option<usize> {
    let mut len = 0;
    while let Some(part) = length(&text[len..]) {
        len += part;
    }
    (len > 0).then(|| ends(text, len)).flatten()
}

fn length(text: &str) -> Option<usize> {
    let (digits, _) = number(text)?;
    let rest = &text[digits..];
    let word = |rest: &str, units: &[&str]| {
        let len = run(rest, |byte| byte.is_ascii_alphabetic() || byte >= 0x80);
        rest.get(..len).filter(|unit| units.contains(unit)).map(str::len)
    };
    let joined = CLOSE_UNITS.iter().find(|unit| rest.starts_with(**unit));
    let apart = rest.strip_prefix(' ').and_then(|rest| word(rest, &UNITS));
    apart.map(|len| digits + 1 + len).or_else(|| joined.map(|unit| digits + unit.len()))
}

/// Longer ones first, so that `ms` is not taken for `m`.
const CLOSE_UNITS: [&str; 9] = ["min", "ns", "us", "µs", "ms", "s", "m", "h", "d"];
/// After a blank a single `m`, `h` or `d` may be a metre, a name or the next word.
const UNITS: [&str; 10] =
    ["ns", "us", "µs", "ms", "s", "min", "seconds", "second", "minutes", "hours"];

/// How long the text is that has this shape at the beginning of another: `0` is any digit.
fn shape(text: &str, shape: &str) -> Option<usize> {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        wanted => byte == wanted,
    };
    (text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)).then_some(shape.len())
}

fn after(text: &str, len: usize, mark: char) -> Option<&str> {
    text.get(len..)?.strip_prefix(mark)
}

fn digits(text: &str) -> usize {
    run(text, |byte| byte.is_ascii_digit())
}

fn run(text: &str, fits: impl Fn(u8) -> bool) -> usize {
    text.bytes().take(RUN_LEN_MAX).take_while(|byte| fits(*byte)).count()
}

/// How far is looked ahead, in bytes: a text made of beginnings alone would cost the square of its length.
const RUN_LEN_MAX: usize = 512;

/// `len`, if a word ends there.
fn ends(text: &str, len: usize) -> Option<usize> {
    let next = text.get(len..)?.chars().next();
    next.is_none_or(|next| !next.is_alphanumeric() && next != '_').then_some(len)
}
