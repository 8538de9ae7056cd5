//! Where a run of plain characters ends, eight bytes at a time: strings are most of a message.

/// How many bytes from the start stand for themselves in a string of any JSON text: not a control character, a quote
/// or a backslash.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    run_len(bytes, word_specials, special)
}

/// How many bytes from the start stand for themselves in a canonical string: as [`plain_len`], and `0x20..=0x7e`.
pub(super) fn plain_ascii_len(bytes: &[u8]) -> usize {
    let special = |byte: u8| !matches!(byte, b' '..=b'~') || byte == b'"' || byte == b'\\';
    let specials = |word| word_specials(word) | zeros(word ^ each(0x7f)) | (word & HIGH_BITS);
    run_len(bytes, specials, special)
}

/// `specials` sets the high bit of the first special byte of a word, and perhaps of some after it.
fn run_len(bytes: &[u8], specials: impl Fn(u64) -> u64, special: impl Fn(u8) -> bool) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let in_rest = rest.iter().position(|byte| special(*byte));
    bytes.len() - rest.len() + in_rest.unwrap_or(rest.len())
}

fn word_specials(word: u64) -> u64 {
    let below_space = word.wrapping_sub(each(b' ')) & !word & HIGH_BITS;
    below_space | zeros(word ^ each(b'"')) | zeros(word ^ each(b'\\'))
}

/// The high bit of each byte that is zero; a borrow may set that of bytes after the first one.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & HIGH_BITS
}

/// The same byte eight times.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

const HIGH_BITS: u64 = each(0x80);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8]) {
        let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
        let end = |plain: &dyn Fn(&u8) -> bool| bytes.iter().take_while(|byte| plain(byte)).count();
        assert_eq!(plain_len(bytes), end(&plain), "{bytes:?}");
        assert_eq!(plain_ascii_len(bytes), end(&|byte| plain(byte) && *byte <= 0x7e), "{bytes:?}");
    }

    #[test]
    fn every_byte_is_judged_alike_in_every_place_of_a_word() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                for around in [b'a', b' ', b'~', b'!', b'#', b'[', b']', 0x80, 0xff, 0x7f, 0x1f, 0]
                {
                    let mut bytes = [around; 20];
                    bytes[place] = byte;
                    check(&bytes);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn runs_end_where_a_slow_search_says(bytes: Vec<u8>) {
            check(&bytes);
        }
    }
}
