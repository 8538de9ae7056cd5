//! Runs seeds and says what they came to: `simulate --seed 7`, `simulate --seeds 10000 [--from 0] [--threads 2]`; with `--liars 1`
//! among four members of which one lies.

use std::process::ExitCode;

use handfast_simulation::run::{plan_of, run_plan, run_seeds};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        words.get(place + 1)?.parse::<u64>().ok()
    };
    let liars = value("--liars").and_then(|count| usize::try_from(count).ok());
    let liars = liars.unwrap_or(0).min(4);
    if let Some(seed) = value("--seed") {
        return one(seed, liars);
    }
    let (count, from) = (value("--seeds").unwrap_or(1_000), value("--from").unwrap_or(0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = value("--threads").and_then(|count| usize::try_from(count).ok());
    match run_seeds(from..from.saturating_add(count), liars, threads.unwrap_or(cores)) {
        Ok(total) => {
            say(&format!("every law held: {total:?}"));
            ExitCode::SUCCESS
        }
        Err(broken) => {
            say(&broken.to_string());
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, liars: usize) -> ExitCode {
    let plan = plan_of(seed, liars);
    say(&format!("{plan:#?}"));
    let verdict = run_plan(&plan, seed, |world| {
        for happened in world.history().iter() {
            say(&format!("{happened:?}"));
        }
    });
    match verdict {
        Ok(verdict) => {
            say(&format!("every law held: {verdict:?}"));
            ExitCode::SUCCESS
        }
        Err(broken) => {
            say(&broken.to_string());
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) {
    use std::io::Write as _;
    // A reader that has gone wants no more.
    drop(writeln!(std::io::stdout(), "{text}"));
}
