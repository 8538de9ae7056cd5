use std::net::Ipv4Addr;

use super::*;

fn host(number: u8) -> Host {
    Host::V4(Ipv4Addr::new(10, 0, 0, number))
}

fn give(places: &mut Places, number: u8) -> Given {
    places.give(host(number)).unwrap()
}

#[test]
fn a_new_host_takes_the_place_of_the_host_with_most() {
    let mut places = Places::new(5, 5);
    let first = give(&mut places, 1).place;
    for number in [1, 1, 2, 2] {
        assert_eq!(give(&mut places, number).evicted, None);
    }
    assert_eq!(give(&mut places, 3).evicted, Some(first), "the oldest of host 1");
    assert_eq!(places.len(), 5);
}

#[test]
fn whoever_finished_something_and_whoever_is_known_go_last() {
    let mut places = Places::new(3, 3);
    let [known, active, silent] = [1; 3].map(|number| give(&mut places, number).place);
    places.set_known(known);
    places.set_busy(active, true);
    places.set_busy(active, false);
    assert_eq!(give(&mut places, 2).evicted, Some(silent));
    assert_eq!(give(&mut places, 3).evicted, Some(active));
    assert!(places.give(host(4)).is_some_and(|given| given.evicted.is_some_and(|it| it != known)));
}

#[test]
fn the_heaviest_host_gets_more_at_the_cost_of_its_own_strangers_alone() {
    let mut places = Places::new(3, 3);
    let [first, second] = [1; 2].map(|number| give(&mut places, number).place);
    let other = give(&mut places, 2).place;
    assert_eq!(give(&mut places, 1).evicted, Some(first));
    places.set_known(second);
    let third = give(&mut places, 1);
    assert!(third.evicted.is_some_and(|evicted| evicted != second && evicted != other));
    places.set_known(third.place);
    assert_eq!(places.give(host(1)), None, "all of its own are known");
}

#[test]
fn a_host_with_its_share_gives_up_its_own() {
    let mut places = Places::new(9, 2);
    let [first, _] = [1; 2].map(|number| give(&mut places, number).place);
    assert_eq!(give(&mut places, 1).evicted, Some(first));
    assert_eq!(places.len(), 2);
}

#[test]
fn among_equals_a_known_peer_gives_way_to_nobody() {
    let mut places = Places::new(2, 2);
    let (known, stranger) = (give(&mut places, 1).place, give(&mut places, 2).place);
    places.set_known(known);
    let given = give(&mut places, 3);
    assert_eq!(given.evicted, Some(stranger));
    places.set_known(given.place);
    assert_eq!(places.give(host(4)), None);
}

#[test]
fn where_there_is_less_room_than_was_thought_the_host_with_most_gives_up() {
    let mut places = Places::new(9, 9);
    assert_eq!(places.take_away(), None);
    let [known, first, _] = [1; 3].map(|number| give(&mut places, number).place);
    places.set_known(known);
    let other = give(&mut places, 2).place;
    places.set_known(other);
    assert_eq!(places.take_away(), Some(first));
    assert!(places.take_away().is_some_and(|place| place != known && place != other));
    assert_eq!(places.take_away(), None, "one known peer of each host");
    assert_eq!(places.len(), 2);
}

#[test]
fn what_was_taken_away_is_given_back_once() {
    let mut places = Places::new(1, 1);
    let first = give(&mut places, 1).place;
    let second = give(&mut places, 2).place;
    places.give_back(first);
    assert_eq!(places.len(), 1);
    places.give_back(second);
    assert_eq!(places.len(), 0);
    assert!(places.hosts.is_empty() && places.by_count.is_empty());
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Give(u8),
        Busy(usize, bool),
        Known(usize),
        GiveBack(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..12_u8).prop_map(Step::Give),
            2 => (0..32_usize, any::<bool>()).prop_map(|(at, is_busy)| Step::Busy(at, is_busy)),
            1 => (0..32_usize).prop_map(Step::Known),
            2 => (0..32_usize).prop_map(Step::GiveBack),
        ]
    }

    proptest! {
        #[test]
        fn no_bound_is_passed_and_a_new_host_is_refused_only_by_the_known_and_the_busy(
            steps in prop::collection::vec(step(), 0..200),
            (total_max, per_host_max) in (1..16_usize, 1..16_usize),
        ) {
            let mut places = Places::new(total_max, per_host_max);
            let mut all = Vec::new();
            for step in steps {
                let at = |at: usize| (!all.is_empty()).then(|| all[at % all.len()]);
                match step {
                    Step::Give(number) => {
                        let is_new = !places.hosts.contains_key(&host(number));
                        let given = places.give(host(number));
                        if is_new && given.is_none() {
                            // Of hosts with several places one that is neither would have gone.
                            let (most, _) = *places.by_count.last().unwrap();
                            let are_all_known = places.hosts.values().all(|of_host| {
                                of_host.count < most || of_host.idle.iter().all(|(rank, _)| rank.is_known)
                            });
                            prop_assert!(are_all_known);
                        }
                        all.extend(given.map(|given| given.place));
                    }
                    Step::Busy(number, is_busy) => {
                        if let Some(place) = at(number) {
                            places.set_busy(place, is_busy);
                        }
                    }
                    Step::Known(number) => if let Some(place) = at(number) { places.set_known(place); },
                    Step::GiveBack(number) => {
                        if let Some(place) = at(number) {
                            places.give_back(place);
                        }
                    }
                }
                prop_assert!(places.len() <= total_max);
                let counts: Vec<usize> = places.hosts.values().map(|of_host| of_host.count).collect();
                prop_assert!(counts.iter().all(|count| (1..=per_host_max).contains(count)));
                prop_assert_eq!(counts.iter().sum::<usize>(), places.len());
                prop_assert_eq!(places.by_count.len(), counts.len());
            }
        }
    }
}
