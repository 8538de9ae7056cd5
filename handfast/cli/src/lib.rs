//! The command line of handfast: parse, carry out, map to an exit code.
//!
//! Reading order:
//!
//! 1. `commands`: one file a command.
//! 2. `around`: what the program is told by its environment, read once.
//! 3. `console`: the one place that prints; `error`: what ends a command early.

mod around;
mod commands;
mod console;
mod error;
mod github;

#[cfg(test)]
mod documents;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::around::Around;

/// Starts independently built peers, makes them talk, checks both sides and the wire, and says who is at fault.
#[derive(Debug, Parser)]
#[command(name = "handfast", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(commands::run::Args),
    Matrix(commands::matrix::Args),
    Shards(commands::shards::Args),
    Merge(commands::merge::Args),
    Notify(commands::notify::Args),
    List(commands::list::Args),
    Probe(commands::probe::Args),
    Replay(commands::replay::Args),
    Stub(commands::stub::Args),
    Selftest(commands::selftest::Args),
    Simulate(commands::simulate::Args),
    Chaos(commands::chaos::Args),
    Reproduce(commands::reproduce::Args),
    Schedule(commands::schedule::Args),
    Lab(commands::lab::Args),
    History(commands::history::Args),
    Trend(commands::trend::Args),
    Perf(commands::perf::Args),
    Heal(commands::heal::Args),
    Ci(commands::ci::Args),
    Doctor(commands::doctor::Args),
}

const AFTER_HELP: &str = "\
Examples:
  handfast run                          every scenario
  handfast run --all                    every scenario with every pair of peers, and every test suite of handfast.toml
  handfast run TC-05                    the scenarios that prove TC-05
  handfast run 'ab*' --peer b=python    with another peer in role b
  handfast run --repeat 50 start        one scenario fifty times: is it flaky, how long does it take?
  handfast matrix                       every scenario with every pair of peers; again: only what was touched
  handfast shards --all                 into how many parts is everything best cut, for several machines?
  handfast merge shards/                make one record of those of all parts
  handfast list --category e2e          what there is
  handfast probe entity                 does the peer keep the contract?
  handfast replay last                  the last run once more, from its record
  handfast run --peer b=python-stub     b is played from recorded conversations
  handfast selftest                     do the scenarios see what is planted into the peers?
  handfast simulate dht                 ten thousand nodes in virtual time, from one seed
  handfast lab calibrate                how exact are the faults of the network on this host?
  handfast chaos letters --budget 10m   which disturbances does it not stand?
  handfast reproduce last               what chaos found, again: how often does it fail?
  handfast schedule run                 carry out what handfast.toml says runs by itself
  handfast history                      what have earlier runs found?
  handfast perf run                     how fast are the peers, and what is wrong with that?
  handfast trend evaluate               how good are the statistics over many runs?
  handfast heal acts                    what was done about the failures of the last run?
  handfast ci generate                  the workflow in which all this runs on GitHub or GitLab
  handfast doctor                       what can this host do, and what does each lack cost?

Exit codes:
  0  passed                              4  nothing ran
  1  the product failed                  5  only flaky failures
  2  usage or configuration is wrong     6  the time budget of a category was spent
  3  infrastructure failed: a peer that is absent or does not build, a machine that gives no port

Hidden: `handfast __reaper` is how handfast starts the process that cleans up after it,
`handfast __scheduled` how a schedule starts a run, `handfast __courier` the process that tells,
`handfast __drill-peer` the peer of `handfast heal drill`.";

/// Whether this process was started as a peer of `handfast heal drill`.
pub fn is_drill_peer_invocation(args: impl Iterator<Item = std::ffi::OsString>) -> bool {
    commands::heal::peer::is_invocation(args)
}

/// Plays the peer of a drill, and returns its exit code.
pub fn drill_peer() -> ExitCode {
    commands::heal::peer::main()
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let around = Around::read();
    let code = match &around.scheduled {
        Some(scheduled) => commands::schedule::scheduled(scheduled, || carry_out(&around)),
        None => carry_out(&around),
    };
    ExitCode::from(code.number())
}

fn carry_out(around: &Around) -> handfast_scenario::ExitCode {
    let cli = match Cli::try_parse_from(&around.arguments) {
        Ok(cli) => cli,
        Err(error) => return console::usage(&error),
    };
    let result = match cli.command {
        Command::Run(args) => commands::run::run(args, around),
        Command::Matrix(args) => commands::matrix::run(args, around),
        Command::Notify(args) => commands::notify::run(args, around),
        Command::Shards(args) => commands::shards::run(args, around),
        Command::Merge(args) => commands::merge::run(args, around),
        Command::List(args) => commands::list::run(args, around),
        Command::Probe(args) => commands::probe::run(args, around),
        Command::Replay(args) => commands::replay::run(args, around),
        Command::Stub(args) => commands::stub::run(args, around),
        Command::Selftest(args) => commands::selftest::run(args, around),
        Command::Simulate(args) => commands::simulate::run(args, around),
        Command::Chaos(args) => commands::chaos::run(args, around),
        Command::Reproduce(args) => commands::reproduce::run(args, around),
        Command::Schedule(args) => commands::schedule::run(args, around),
        Command::Lab(args) => commands::lab::run(args, around),
        Command::History(args) => commands::history::run(args, around),
        Command::Trend(args) => commands::trend::run(args, around),
        Command::Perf(args) => commands::perf::run(args, around),
        Command::Heal(args) => commands::heal::run(args, around),
        Command::Ci(args) => commands::ci::run(args, around),
        Command::Doctor(args) => commands::doctor::run(args, around),
    };
    match result {
        Ok(code) => code,
        Err(error) => console::failed(&error, around),
    }
}
