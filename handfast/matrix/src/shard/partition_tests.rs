use proptest::prelude::*;

use super::*;

fn load(name: usize, us: u64) -> Load {
    Load { piece: Piece::Unit(UnitId::new(format!("u{name:03}"))), us, is_guess: false }
}

fn all(costs: &[u64]) -> Vec<Load> {
    costs.iter().enumerate().map(|(name, us)| load(name, *us)).collect()
}

fn names(partition: &Partition) -> Vec<Vec<String>> {
    let name = |load: &Load| load.piece.to_string();
    partition.shards().iter().map(|loads| loads.iter().map(name).collect()).collect()
}

#[test]
fn the_longest_goes_first_to_the_shard_with_the_least() {
    let partition = Partition::new(all(&[7, 6, 5, 4, 3]), 2);
    assert_eq!(names(&partition), [["u000", "u003", "u004"].to_vec(), ["u001", "u002"].to_vec()]);
    assert_eq!(partition.heaviest_us(), 14);
}

#[test]
fn pieces_of_equal_cost_go_round_by_name() {
    for us in [0, 9] {
        let partition = Partition::new(all(&[us; 5]), 2);
        let expected = [["u000", "u002", "u004"].to_vec(), ["u001", "u003"].to_vec()];
        assert_eq!(names(&partition), expected);
    }
}

#[test]
fn more_shards_than_pieces_leave_some_empty() {
    let partition = Partition::new(all(&[1]), 3);
    assert_eq!(partition.shards().iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0]);
    assert!(partition.shard("3/3".parse().unwrap()).is_empty());
}

#[test]
fn there_are_never_more_shards_than_the_limit() {
    let loads = all(&vec![1; 1_000]);
    assert_eq!(Partition::new(loads.clone(), 10_000).count(), SHARDS_MAX);
    assert_eq!(Partition::new(loads.clone(), 0).count(), 1);
    assert_eq!(Partition::within(loads, 1, 10_000).count(), SHARDS_MAX);
}

#[track_caller]
fn check_within(costs: &[u64], within_us: u64, count_max: u32, expected: u32) {
    assert_eq!(Partition::within(all(costs), within_us, count_max).count(), expected);
}

#[test]
fn as_many_shards_as_the_time_asks_for() {
    check_within(&[100; 10], 1_000, 20, 1);
    check_within(&[100; 10], 250, 20, 5);
    check_within(&[100; 10], 250, 3, 3);
    check_within(&[], 250, 3, 1);
    // One piece is longer than asked for: more shards than three would make nothing quicker.
    check_within(&[1_000, 500, 500, 500, 500], 100, 20, 3);
    // Never more than there are pieces.
    check_within(&[5, 5], 1, 20, 2);
}

#[test]
fn the_digest_is_of_the_partition_and_not_of_the_times() {
    let one = Partition::new(all(&[7, 6, 5]), 2);
    let other = Partition::new(all(&[8, 7, 5]), 2);
    assert_eq!(one.digest(), other.digest());
    assert_ne!(one.digest(), Partition::new(all(&[7, 6, 5]), 3).digest());
    assert_ne!(one.digest(), Partition::new(all(&[5, 6, 7]), 2).digest());
    let expected = "c3513d88d5aa8cc05fb42bec6acf370d2d25c526d0a5984e4827d28c1cfccca3";
    assert_eq!(&one.digest().to_string(), expected);
}

#[test]
fn a_unit_and_a_suite_of_one_name_are_two_pieces() {
    let suite = Load { piece: Piece::Suite(SuiteName::new("u000").unwrap()), ..load(0, 1) };
    let shards = vec![vec![load(0, 1)], vec![suite]];
    assert_ne!(
        Partition::from_shards(shards.clone()).unwrap().digest(),
        Partition::from_shards(shards.into_iter().rev().collect()).unwrap().digest()
    );
    let twice = vec![vec![load(0, 1)], vec![load(0, 2)]];
    assert_eq!(Partition::from_shards(twice), Err(load(0, 1).piece));
}

/// The heaviest shard of the best of all partitions, by trying them all.
fn best(costs: &[u64], sums: &mut [u64]) -> u64 {
    let Some((first, rest)) = costs.split_first() else {
        return sums.iter().copied().max().unwrap_or_default();
    };
    let mut least = u64::MAX;
    for place in 0..sums.len() {
        sums[place] += first;
        least = least.min(best(rest, sums));
        sums[place] -= first;
    }
    least
}

proptest! {
    #[test]
    fn every_piece_is_in_exactly_one_shard(costs in prop::collection::vec(0_u64..1_000, 0..200), count in 1_u32..300) {
        let partition = Partition::new(all(&costs), count);
        prop_assert_eq!(partition.count(), count.min(SHARDS_MAX));
        let mut found: Vec<Load> = partition.shards().concat();
        found.sort_by(|one, other| one.piece.cmp(&other.piece));
        prop_assert_eq!(found, all(&costs));
        prop_assert_eq!(partition.places().len(), costs.len());
    }

    #[test]
    fn the_order_of_the_input_decides_nothing(
        (costs, shuffled) in prop::collection::vec(0_u64..5, 1..60)
            .prop_flat_map(|costs| (Just(costs.clone()), Just(all(&costs)).prop_shuffle())),
        count in 1_u32..10,
    ) {
        let (one, other) = (Partition::new(all(&costs), count), Partition::new(shuffled, count));
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn the_heaviest_shard_is_within_a_third_of_the_best(costs in prop::collection::vec(1_u64..100, 1..9), count in 1_u32..4) {
        let heaviest = Partition::new(all(&costs), count).heaviest_us();
        let best = best(&costs, &mut vec![0; usize::try_from(count).unwrap()]);
        prop_assert!(heaviest * 3 <= best * 4, "{heaviest} where {best} is possible");
    }

    #[test]
    fn no_shard_is_heavier_than_the_mean_and_one_piece(costs in prop::collection::vec(1_u64..1_000_000, 1..300), count in 1_u32..SHARDS_MAX) {
        let heaviest = Partition::new(all(&costs), count).heaviest_us();
        let (total, longest) = (costs.iter().sum::<u64>(), *costs.iter().max().unwrap());
        prop_assert!(heaviest * u64::from(count) <= total + longest * u64::from(count - 1));
    }

    #[test]
    fn shards_that_had_to_fit_into_a_time_do_wherever_that_is_possible(
        costs in prop::collection::vec(1_u64..1_000, 1..100), within in 1_u64..5_000, count_max in 1_u32..50,
    ) {
        let partition = Partition::within(all(&costs), within, count_max);
        let pieces = u32::try_from(costs.len()).unwrap();
        prop_assert!(partition.count() <= count_max.min(pieces));
        let enough = within.max(*costs.iter().max().unwrap());
        prop_assert!(partition.heaviest_us() <= enough || partition.count() == count_max.min(pieces));
    }
}
