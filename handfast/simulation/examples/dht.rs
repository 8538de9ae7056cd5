//! Runs very many nodes of the distributed hash table and prints figures:
//! `dht --nodes 10000 [--seed 1] [--lookups 20000] [--records 1000] [--minutes 30] [--dead 20] [--loss 5] [--calm] [--grown]`.

use std::process::ExitCode;
use std::time::Duration;

use handfast_simulation::dht::{Plan, World};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| words.iter().any(|word| word == name);
    let value = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        words.get(place + 1)?.parse::<u64>().ok()
    };
    let count = |name: &str| value(name).and_then(|count| usize::try_from(count).ok());
    let (seed, nodes) = (value("--seed").unwrap_or(1), count("--nodes").unwrap_or(10_000));
    let mut plan =
        if has("--grown") { Plan::grown(seed, nodes) } else { Plan::settled(seed, nodes) };
    plan.lookups = count("--lookups").unwrap_or(plan.lookups);
    plan.records = count("--records").unwrap_or(plan.records);
    plan.dead_percent = count("--dead").unwrap_or(plan.dead_percent).min(90);
    plan.span = value("--minutes").map_or(plan.span, |minutes| Duration::from_secs(60 * minutes));
    if has("--calm") {
        plan.lifetime = None;
    }
    if let Some(loss) = value("--loss").and_then(|loss| u32::try_from(loss).ok()) {
        plan.loss_per_mille = loss;
    }
    let world = World::new(plan);
    let memory = peak_memory().unwrap_or_default();
    say(&format!("in place   {} nodes, {memory}", world.crowd().alive_count()));
    let report = world.run();
    say(&report.to_string());
    if let Some(peak) = peak_memory() {
        say(&format!("memory     {peak} at most"));
    }
    if report.success() >= 0.999 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

fn say(text: &str) {
    use std::io::Write as _;
    // A reader that has gone wants no more.
    drop(writeln!(std::io::stdout(), "{text}"));
}
