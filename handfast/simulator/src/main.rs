//! The program that `handfast simulate` builds and starts: it runs one network in virtual time and says what came of it.
//!
//! It reads its order, one line of JSON, from standard input, and goes on until it is done, until standard input ends or
//! has another line, or until Ctrl-C: then it ends after the slice that it is at, and reports what there is. On standard
//! output it writes lines of JSON: `{"progress": ..}` now and then, and `{"report": ..}` in the end.
//!
//! | module | what it holds |
//! |---|---|
//! | `order` | what is to be run |
//! | `report` | what came of it |
//! | `peers`, `dht` | one network each: slices, figures, verdict |
//! | `scenario` | a scenario file, seed by seed |
//! | `watch` | whether to end, and what the run costs |
//!
//! Exit codes: 0 every law held, 1 one did not, 2 the order cannot be read or played, 3 it was ended early.

mod dht;
mod order;
mod peers;
mod report;
mod scenario;
mod watch;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use order::{Network, Order};
use report::{Outcome, Report};
use watch::Watch;

fn main() -> ExitCode {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let order: Order = match read.map(|_| serde_json::from_str(&line)) {
        Ok(Ok(order)) => order,
        Ok(Err(error)) => return refused(&error),
        Err(error) => return refused(&error),
    };
    let watch = match Watch::start() {
        Ok(watch) => watch,
        Err(error) => return refused(&error),
    };
    let mut report = run(&order, &watch);
    report.cost = watch.cost();
    let outcome = report.outcome;
    say(&serde_json::json!({ "report": report }));
    ExitCode::from(match outcome {
        Outcome::Passed => 0,
        Outcome::Failed => 1,
        Outcome::Refused => 2,
        Outcome::EndedEarly => 3,
    })
}

fn run(order: &Order, watch: &Watch) -> Report {
    match &order.network {
        Network::Peers(plan) => peers::run(order.seed, plan, watch),
        Network::Dht(plan) => dht::run(order.seed, plan, watch),
        Network::Scenario(plan) => scenario::run(order.seed, plan, watch),
    }
}

/// Writes one line of JSON. Where nobody reads any more, standard input ends as well.
fn say(line: &serde_json::Value) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn refused(error: &dyn std::error::Error) -> ExitCode {
    let help = "the order is one line of JSON on standard input, as `handfast simulate` writes it";
    drop(writeln!(std::io::stderr(), "the order cannot be read: {error}; {help}"));
    ExitCode::from(2)
}
