//! Forty nodes of the distributed hash table, each a process: `cargo bench -p entity-node --bench dht [-- --nodes N]
//! [--records N] [--kills N]`.
//!
//! No benchmark, but a test that takes longer than the others of its kind: `tests/it/dht_network.rs` runs the same with
//! fewer nodes. It prints its figures, and ends with a panic where one is not what it has to be.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "what it found is what it prints")]

#[path = "../../tests/it/network/mod.rs"]
mod network;

use network::Effort;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = |flag: &str, usual: usize| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.map_or(usual, |at| arguments[at + 1].parse().unwrap())
    };
    let effort = Effort {
        nodes: count("--nodes", 40),
        k: 8,
        records: count("--records", 1_000),
        kills: count("--kills", 12),
        attacked: 20,
    };
    let figures = network::run(effort);
    print!("{}", figures.report);
    assert!(figures.found * 100 >= effort.records * 99, "99 % are to be found");
    assert!(figures.slots_after * 100 >= figures.slots_before * 99, "99 % are to be handed over");
    assert_eq!(figures.lost_to_attacks, 0, "nothing false wins");
    assert_eq!(figures.rejoined, figures.restarted, "everybody finds back");
    assert!(figures.idle_percent < 20.0, "idle nodes cost nothing");
    println!("all of it as it has to be");
}
