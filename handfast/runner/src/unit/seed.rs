//! Numbers that follow from the run's seed.

use handfast_scenario::plan::UnitId;

/// The seed of a part of a unit. One with a seed of its own has the numbers that it has in a run with that seed.
pub(super) fn of_unit(run: u64, unit: &UnitId, parts: &[&str]) -> u64 {
    let parts: Vec<&str> = [unit.without_seed()].into_iter().chain(parts.iter().copied()).collect();
    derive(unit.seed().unwrap_or(run), &parts)
}

/// The seed of a part of the run, such as a unit or a role: the same parts give the same number.
pub(super) fn derive(seed: u64, parts: &[&str]) -> u64 {
    // FNV-1a over the parts with their ends marked, then the finaliser of SplitMix64: no secret depends
    // on it, it only has to spread.
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_makes_a_difference() {
        let seed = derive(1, &["unit", "a"]);
        assert_eq!(seed, derive(1, &["unit", "a"]));
        assert_ne!(seed, derive(2, &["unit", "a"]));
        assert_ne!(seed, derive(1, &["unit", "b"]));
        assert_ne!(derive(1, &["ab", "c"]), derive(1, &["a", "bc"]));
    }

    #[test]
    fn a_unit_with_a_seed_of_its_own_is_the_one_of_a_run_with_that_seed() {
        let unit = UnitId::new("x (b=python)");
        let alone = of_unit(14, &unit, &["a"]);
        assert_eq!(alone, derive(14, &["x (b=python)", "a"]));
        assert_eq!(alone, of_unit(12, &unit.with_seed(14), &["a"]));
        assert_ne!(alone, of_unit(12, &unit, &["a"]));
    }
}
