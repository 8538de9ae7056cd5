//! How much later than asked an occurrence is due: the same each time it is asked for.

use std::time::Duration;

use jiff::Timestamp;

/// A delay below `limit`, in whole milliseconds, which follows from seed, job and occurrence alone.
pub(crate) fn delay(seed: u64, job: &str, occurrence: Timestamp, limit: Duration) -> Duration {
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    if limit == 0 {
        return Duration::ZERO;
    }
    let mut state = mixed(seed);
    for byte in job.bytes() {
        state = mixed(state ^ u64::from(byte));
    }
    let number = mixed(state ^ occurrence.as_second().cast_unsigned());
    // The high half of a product is below its factor: a fair choice without a division.
    let chosen = (u128::from(number) * u128::from(limit)) >> 64;
    Duration::from_millis(u64::try_from(chosen).unwrap_or(0))
}

/// The finaliser of SplitMix64.
fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
