//! Payments between two processes that are killed at random points:
//! `cargo bench -p entity-node --bench crash [-- --seed N] [--payments N] [--kills N]`.
//!
//! No benchmark, but a test that takes longer than the others of its kind: `tests/it/token_crash.rs` runs the same with fewer
//! kills. It ends with a panic where anything is lost, doubled or contradicted, and says with which seed that happens again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "what it found is what it prints")]

#[path = "../../tests/it/crash/mod.rs"]
mod crash;

use crash::Effort;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        Some(arguments[at + 1].parse::<u64>().unwrap())
    };
    let count = |flag: &str, usual: u64| usize::try_from(value(flag).unwrap_or(usual)).unwrap();
    let chosen = || {
        let bytes = entity_node::seed::from_system().unwrap();
        u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let seed = value("--seed").unwrap_or_else(chosen);
    let effort =
        Effort { seed, payments: count("--payments", 1_000), kills: count("--kills", 200) };
    println!("seed {seed}: {} payments, at least {} kills", effort.payments, effort.kills);
    let start = tokio::time::Instant::now();
    let mut run = crash::run(effort);
    let findings = crash::judge::judge(&mut run);
    println!("{}", crash::report(&run, &findings));
    println!("took {:.1} s", start.elapsed().as_secs_f64());
}
