use std::collections::BTreeSet;

use entity_crypto::signing::SigningKey;
use entity_wire::payload::dht::Contact;
use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn node_at(seed: u16, address: &str) -> Arc<Node> {
    let mut bytes = [7; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    let key = SigningKey::from_seed(bytes).public_key();
    Node::new(Contact::new(format!("n{seed}").parse().unwrap(), key, address.parse().unwrap()))
}

/// Each in a subnet of its own.
fn node(seed: u16) -> Arc<Node> {
    node_at(seed, &format!("http://20.{}.{}.1:80", seed >> 8, seed & 255))
}

fn config(k: usize) -> Config {
    Config { k, ..Config::default() }
}

fn table(k: usize) -> Table {
    Table::new(node(0).id(), &config(k), START)
}

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn common(other: &Node) -> usize {
    Distance::between(node(0).id(), other.id()).common_bits()
}

/// Nodes that have no leading bit in common with the own id: their bucket is full first, and does not split.
fn far() -> impl Iterator<Item = Arc<Node>> {
    (1..).map(node).filter(|node| common(node) == 0)
}

/// A table of k = 2 that has split, so that its first bucket is full, with the two in it and a third for it.
fn full() -> (Table, Vec<Arc<Node>>) {
    let mut table = table(2);
    let far: Vec<_> = far().take(4).collect();
    let near: Vec<_> = (1..).map(node).filter(|node| common(node) > 0).take(1).collect();
    table.heard(&far[0], at(1));
    table.heard(&far[1], at(2));
    // A third makes the only bucket split.
    table.heard(&near[0], at(3));
    assert_eq!(table.buckets().map(|(count, _)| count).collect::<Vec<_>>(), [2, 1]);
    (table, far)
}

fn ids<'a>(nodes: impl IntoIterator<Item = &'a Arc<Node>>) -> BTreeSet<NodeId> {
    nodes.into_iter().map(|node| node.id()).collect()
}

#[test]
fn only_the_bucket_around_the_own_id_splits() {
    let mut table = table(4);
    for seed in 1..=500 {
        table.heard(&node(seed), START);
    }
    let counts: Vec<usize> = table.buckets().map(|(count, _)| count).collect();
    assert!(counts.len() > 4, "{counts:?}");
    assert!(counts[..counts.len() - 1].iter().all(|count| *count <= 4), "{counts:?}");
    // The first bucket is for half of all there are, and knows four of them.
    assert_eq!(counts[0], 4);
    for (node, ..) in table.contacts() {
        assert!(table.get(node.id()).is_some());
    }
}

#[test]
fn a_node_is_not_its_own_contact() {
    let mut table = table(4);
    assert_eq!(table.heard(&node(0), START), Heard::Kept);
    assert!(table.is_empty());
}

#[test]
fn a_new_contact_waits_where_the_bucket_is_full_and_its_contacts_were_heard_lately() {
    let (mut table, far) = full();
    assert_eq!(table.heard(&far[2], at(10)), Heard::Waits(None));
    assert!(table.get(far[2].id()).is_none());
}

#[test]
fn whoever_was_silent_longest_is_pinged_first_and_stays_if_it_answers() {
    let (mut table, far) = full();
    let later = at(16 * 60);
    assert_eq!(table.heard(&far[2], later), Heard::Waits(Some(Arc::clone(&far[0]))));
    assert_eq!(table.heard(&far[3], later), Heard::Waits(None), "one ping at a time");
    assert_eq!(table.heard(&far[0], later), Heard::Known);
    assert!(table.get(far[0].id()).is_some() && table.get(far[2].id()).is_none());
    assert_eq!(
        table.heard(&far[2], later),
        Heard::Waits(Some(Arc::clone(&far[1]))),
        "now the other is the one"
    );
}

#[test]
fn whoever_does_not_answer_the_ping_gives_way_to_the_last_that_came() {
    let (mut table, far) = full();
    let later = at(16 * 60);
    table.heard(&far[2], later);
    table.heard(&far[3], later);
    assert_eq!(table.failed(far[0].id()), Failed::Gone);
    assert!(table.get(far[0].id()).is_none() && table.get(far[3].id()).is_some());
    assert_eq!(table.buckets().next(), Some((2, 1)), "the other goes on waiting");
}

#[test]
fn a_contact_that_fails_once_is_pinged_where_somebody_waits_and_kept_where_nobody_does() {
    let (mut table, far) = full();
    assert_eq!(table.failed(far[0].id()), Failed::Doubted);
    table.heard(&far[0], at(20));
    table.heard(&far[2], at(30));
    assert_eq!(table.failed(far[0].id()), Failed::Ping(Arc::clone(&far[0])));
    assert_eq!(table.heard(&far[0], at(40)), Heard::Known);
    assert!(table.get(far[0].id()).is_some());
}

#[test]
fn nobody_is_kept_after_five_failures_in_a_row() {
    let (mut table, far) = full();
    for _ in 0..4 {
        assert_eq!(table.failed(far[0].id()), Failed::Doubted);
    }
    assert_eq!(table.failed(far[0].id()), Failed::Gone);
    assert_eq!(table.failed(far[0].id()), Failed::Unknown);
}

#[test]
fn those_that_did_not_answer_are_named_to_nobody_and_asked_last() {
    let (mut table, far) = full();
    table.failed(far[0].id());
    let point = far[0].id().into();
    let good = table.closest(point, 10, Standing::Good);
    assert!(!ids(&good).contains(&far[0].id()) && good.len() == 2);
    let any = table.closest(point, 10, Standing::Any);
    assert_eq!(any.last().map(|node| node.id()), Some(far[0].id()));
    let saved = far[2].clone();
    table.remove(far[1].id());
    table.saved(&saved, START);
    assert!(!ids(&table.closest(point, 10, Standing::Good)).contains(&saved.id()));
    table.heard(&saved, at(9));
    assert!(ids(&table.closest(point, 10, Standing::Good)).contains(&saved.id()));
}

#[test]
fn no_more_than_k_wait_for_a_bucket() {
    let (mut table, _) = full();
    for node in far().skip(2).take(50) {
        table.heard(&node, at(10));
    }
    assert_eq!(table.buckets().next(), Some((2, 2)));
}

#[test]
fn a_bucket_has_2_and_a_table_10_contacts_of_one_subnet() {
    let mut table = table(20);
    let beside = |seed: u16| node_at(seed, &format!("http://20.0.0.{}:80", seed % 250));
    let added = (1..=250).filter(|seed| table.heard(&beside(*seed), START) == Heard::Added);
    assert_eq!(added.count(), 2, "one bucket yet");
    for seed in 1_000..2_000 {
        table.heard(&node(seed), START);
    }
    let buckets = table.buckets().len();
    assert!(buckets > 5, "{buckets}");
    for seed in 2_000..12_000 {
        table.heard(&node_at(seed, &format!("http://20.0.0.{}:{seed}", seed % 250)), START);
    }
    let of_subnet = || table.contacts().filter(|(node, ..)| node.is_beside(&beside(1)));
    assert!((4..=10).contains(&of_subnet().count()), "{}", of_subnet().count());
    for index in 0..buckets {
        let here = of_subnet().filter(|(node, ..)| common(node).min(buckets - 1) == index);
        assert!(here.count() <= 2);
    }
}

#[test]
fn a_table_has_10_contacts_of_one_subnet_however_many_a_bucket_may_have() {
    let config = Config { subnet_in_bucket_max: 100, ..config(20) };
    let mut table = Table::new(node(0).id(), &config, START);
    let beside = |seed: u16| node_at(seed, &format!("http://20.0.0.{seed}:80"));
    let added = (1..=250).filter(|seed| table.heard(&beside(*seed), START) == Heard::Added);
    assert_eq!(added.count(), 10);
}

#[test]
fn one_address_is_one_contact_also_where_everybody_is_local() {
    let mut table = table(20);
    assert_eq!(table.heard(&node_at(1, "http://127.0.0.1:4001"), START), Heard::Added);
    assert_eq!(table.heard(&node_at(2, "http://127.0.0.1:4001/x"), START), Heard::Kept);
    let local = |seed: u16| node_at(seed, &format!("http://127.0.0.1:{}", 4_001 + seed));
    assert!((3..20).all(|seed| table.heard(&local(seed), START) == Heard::Added));
}

#[test]
fn the_bucket_that_was_not_looked_into_for_longest_is_named() {
    let (mut table, far) = full();
    assert_eq!(table.longest_not_looked_up(), (0, START));
    table.looked_up(far[0].id().into(), at(5));
    assert_eq!(table.longest_not_looked_up(), (1, START));
    table.looked_up(node(0).id().into(), at(6));
    assert_eq!(table.longest_not_looked_up(), (0, at(5)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_nearest_are_those_that_sorting_all_of_them_gives(
        seeds in proptest::collection::btree_set(1_u16..2_000, 0..200),
        target: [u8; 32],
        near_own: bool,
        count in 0_usize..30,
    ) {
        let mut table = table(5);
        for seed in &seeds {
            table.heard(&node(*seed), START);
        }
        let target = if near_own { Point::from(node(0).id()) } else { Point::from_bytes(target) };
        let mut all: Vec<NodeId> = table.contacts().map(|(node, ..)| node.id()).collect();
        all.sort_by_key(|id| Distance::between(*id, target));
        all.truncate(count);
        let nearest = table.closest(target, count, Standing::Good);
        prop_assert_eq!(nearest.iter().map(|node| node.id()).collect::<Vec<_>>(), all);
    }

    #[test]
    fn whatever_happens_no_bucket_is_too_full_and_nobody_is_there_twice(
        happened in proptest::collection::vec((0_u8..3, 1_u16..120, 0_u64..4_000), 0..400),
    ) {
        let mut table = table(3);
        let mut now = START;
        for (what, seed, pause) in happened {
            now = now.plus(Duration::from_secs(pause));
            match what {
                0 => drop(table.heard(&node(seed), now)),
                1 => drop(table.failed(node(seed).id())),
                _ => table.remove(node(seed).id()),
            }
            let counts: Vec<_> = table.buckets().collect();
            prop_assert!(counts.iter().all(|(held, waiting)| *held <= 3 && *waiting <= 3));
            let last = counts.len() - 1;
            prop_assert_eq!(counts[last].1, 0, "nobody waits where there may be a split");
            let distinct: BTreeSet<_> = table.contacts().map(|(node, ..)| node.id()).collect();
            prop_assert_eq!(distinct.len(), table.len());
            prop_assert!(distinct.iter().all(|id| table.get(*id).is_some()));
        }
    }
}
