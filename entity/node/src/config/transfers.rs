//! How much may be transferred, as an operator writes it.

use std::str::FromStr;
use std::time::Duration;

use entity_peer::config::TransferConfig;
use serde::Deserialize;

/// A number of bytes with its unit: `512KiB`, `100MiB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(u64);

/// How many transfers may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Open(usize);

/// How long a transfer may stand still: `90s`, `10m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Expiry(Duration);

/// What is no such bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBound {
    /// Of [`Size`].
    #[error("not a size between `1KiB` and `512GiB`, for example `100MiB`")]
    Size,
    /// Of [`Open`].
    #[error("not a number between 1 and 1024")]
    Open,
    /// Of [`Expiry`].
    #[error("not a time between `1m` and `24h`, for example `30m`")]
    Expiry,
    /// All of a peer's transfers together could not hold one.
    #[error(
        "`bytes_per_peer` is less than `size` or than the 8MiB of a message, so that it would never be taken"
    )]
    Together,
}

/// The least and the most of each. The largest transfer is 2^20 chunks of 524,288 bytes.
///
/// Source: docs/protocol/1.1.md#chunk-init
const SIZES: std::ops::RangeInclusive<u64> = 1 << 10..=512 << 30;
/// Guessed: each open one has a file open.
const OPEN_MAX: usize = 1_024;
const EXPIRIES: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24);

impl FromStr for Size {
    type Err = InvalidBound;

    fn from_str(text: &str) -> Result<Self, InvalidBound> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
        let bytes = counted(text, &units).and_then(|(count, bits)| count.checked_mul(1 << bits));
        bytes.filter(|bytes| SIZES.contains(bytes)).map(Self).ok_or(InvalidBound::Size)
    }
}

impl FromStr for Expiry {
    type Err = InvalidBound;

    fn from_str(text: &str) -> Result<Self, InvalidBound> {
        let units = [("s", 1), ("m", 60), ("h", 3_600)];
        let seconds = counted(text, &units).and_then(|(count, unit)| count.checked_mul(unit));
        let expiry = seconds.map(Duration::from_secs);
        expiry.filter(|time| EXPIRIES.contains(time)).map(Self).ok_or(InvalidBound::Expiry)
    }
}

impl TryFrom<String> for Size {
    type Error = InvalidBound;

    fn try_from(text: String) -> Result<Self, InvalidBound> {
        text.parse()
    }
}

impl TryFrom<String> for Expiry {
    type Error = InvalidBound;

    fn try_from(text: String) -> Result<Self, InvalidBound> {
        text.parse()
    }
}

impl TryFrom<i64> for Open {
    type Error = InvalidBound;

    fn try_from(count: i64) -> Result<Self, InvalidBound> {
        let count = usize::try_from(count).ok().filter(|count| (1..=OPEN_MAX).contains(count));
        count.map(Self).ok_or(InvalidBound::Open)
    }
}

/// A number and what its unit means.
fn counted(text: &str, units: &[(&str, u64)]) -> Option<(u64, u64)> {
    let (digits, unit) =
        units.iter().find_map(|(unit, means)| Some((text.strip_suffix(unit)?, *means)))?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| is_number)?, unit))
}

/// The `[transfers]` table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct TransfersTable(Written);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    size: Option<Size>,
    open_per_peer: Option<Open>,
    bytes_per_peer: Option<Size>,
    expiry: Option<Expiry>,
}

impl TryFrom<Written> for TransfersTable {
    type Error = InvalidBound;

    fn try_from(written: Written) -> Result<Self, InvalidBound> {
        let table = Self(written);
        let bounds = table.bounds();
        let least = bounds.transfer_bytes_max.max(bounds.message_bytes_max);
        if bounds.bytes_per_peer_max < least {
            return Err(InvalidBound::Together);
        }
        Ok(table)
    }
}

impl TransfersTable {
    /// What is decided; the rest as usual.
    pub fn bounds(self) -> TransferConfig {
        let Written { size, open_per_peer, bytes_per_peer, expiry } = self.0;
        let mut bounds = TransferConfig::default();
        if let Some(Size(bytes)) = size {
            bounds.transfer_bytes_max = bytes;
        }
        if let Some(Open(count)) = open_per_peer {
            bounds.open_per_peer_max = count;
        }
        if let Some(Size(bytes)) = bytes_per_peer {
            bounds.bytes_per_peer_max = bytes;
        }
        if let Some(Expiry(time)) = expiry {
            bounds.idle_limit = time;
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_its_unit_within_what_the_protocol_can_say() {
        for (text, bytes) in [
            ("1KiB", 1 << 10),
            ("100MiB", 100 << 20),
            ("512GiB", 512 << 30),
            ("524288MiB", 1 << 39),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "0MiB", "513GiB", "1", "1MB", "+1MiB", "-1MiB", "1.5GiB", "1 MiB"] {
            assert_eq!(text.parse::<Size>(), Err(InvalidBound::Size), "{text}");
        }
        assert_eq!("18446744073709551615GiB".parse::<Size>(), Err(InvalidBound::Size));
    }

    #[test]
    fn a_transfer_stands_still_for_a_minute_to_a_day() {
        for (text, seconds) in [("60s", 60), ("30m", 1_800), ("24h", 86_400)] {
            assert_eq!(text.parse(), Ok(Expiry(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["59s", "25h", "1d", "m", "", "-1m", "18446744073709551615h"] {
            assert_eq!(text.parse::<Expiry>(), Err(InvalidBound::Expiry), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let table: TransfersTable = toml::from_str("open_per_peer = 3").unwrap();
        let usual = TransferConfig::default();
        assert_eq!(table.bounds(), TransferConfig { open_per_peer_max: 3, ..usual.clone() });
        assert_eq!(TransfersTable::default().bounds(), usual);
    }
}
