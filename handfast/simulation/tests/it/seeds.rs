use std::thread;

use handfast_simulation::run::run_seeds;
use handfast_simulation::run_seed;

#[test]
fn the_same_seed_makes_the_same_history_and_another_seed_another() {
    for seed in 0..8 {
        let verdict = run_seed(seed).unwrap();
        assert_eq!(run_seed(seed).unwrap(), verdict, "seed {seed}");
        assert_ne!(run_seed(seed + 100).unwrap().fingerprint, verdict.fingerprint);
    }
}

/// Ten thousand where the code is optimised, which is how the suite `optimised` runs it.
#[test]
fn every_law_holds_for_ten_thousand_seeds() {
    let count = if cfg!(debug_assertions) { 60 } else { 10_000 };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let total = run_seeds(0..count, 0, threads).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(total.seeds, count);
    // Runs in which nothing goes wrong would show nothing.
    assert!(total.crashes > count / 3, "{total:?}");
}
