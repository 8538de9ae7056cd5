//! UUIDs of version 4: 16 random bytes of which 6 bits are fixed.

use super::{InvalidId, bytes_of_lower_hex, lower_hex_of_bytes};

/// Sets version and variant bits.
pub(super) fn of_random(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

/// Writes the 36 characters.
pub(super) fn text(bytes: &[u8; 16]) -> [u8; 36] {
    let digits = lower_hex_of_bytes(bytes);
    let mut text = [b'-'; 36];
    text[0..8].copy_from_slice(&digits[0..8]);
    text[9..13].copy_from_slice(&digits[8..12]);
    text[14..18].copy_from_slice(&digits[12..16]);
    text[19..23].copy_from_slice(&digits[16..20]);
    text[24..36].copy_from_slice(&digits[20..32]);
    text
}

/// Reads the 36 characters, strictly.
pub(super) fn read(text: &str) -> Result<[u8; 16], InvalidId> {
    const REFUSED: InvalidId = InvalidId { expected: "a lower-case UUID of version 4" };
    let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| REFUSED)?;
    let mut digits = [0; 32];
    let mut filled = 0;
    for (position, byte) in text.iter().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return Err(REFUSED);
            }
        } else {
            digits[filled] = *byte;
            filled += 1;
        }
    }
    let bytes = bytes_of_lower_hex(&digits).ok_or(REFUSED)?;
    if bytes[6] >> 4 == 4 && bytes[8] >> 6 == 0b10 { Ok(bytes) } else { Err(REFUSED) }
}
