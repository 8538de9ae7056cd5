//! Nodes of the distributed hash table that join, store, leave and are killed.

use crate::network::{self, Effort};

/// The long form, with 40 nodes and 1,000 records: `cargo bench -p entity-node --bench dht`.
#[test]
fn records_outlive_a_third_of_the_nodes_and_nothing_false_wins() {
    let effort = Effort { nodes: 13, k: 5, records: 60, kills: 4, attacked: 6 };
    let figures = network::run(effort);
    let report = &figures.report;
    assert!(figures.contacts_min >= 4, "{report}");
    assert!(figures.copies_min >= 4, "{report}");
    assert!(figures.slots_after * 20 >= figures.slots_before * 19, "{report}");
    assert!(figures.found * 100 >= effort.records * 99, "{report}");
    assert_eq!((figures.attacks, figures.lost_to_attacks), (24, 0), "{report}");
    assert_eq!((figures.restarted, figures.rejoined), (3, 3), "{report}");
}
