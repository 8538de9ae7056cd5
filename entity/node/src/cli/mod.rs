//! The command line: one file a command.

mod console;
mod dht;
#[cfg(feature = "flaws")]
mod flaw;
mod guest;
mod jwt;
mod moltbook;
mod options;
mod outbox;
mod passphrase;
mod peers;
mod queue;
mod route;
mod run;
mod send;
mod shim;
mod task;
mod terminal;
mod token;
mod transfer;
mod wallet;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use console::{Failed, Kind};

/// A peer of the Entity protocol, versions 1.0 and 1.1.
#[derive(Debug, Parser)]
#[command(name = "entity", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  entity wallet create                      make the key of this entity
  entity run --listen 127.0.0.1:8001        run the peer
  entity peers                              show whom the running peer knows
  entity send entity-b --body '{\"text\":\"hello\"}'

Exit codes:
  0  done
  1  refused: by the other peer, by the running node, or a wrong passphrase
  2  usage or configuration
  3  the system: address in use, key missing, no rights
  4  no node is running in the data directory";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Wallet(wallet::WalletArgs),
    Peers(peers::PeersArgs),
    Send(send::SendArgs),
    Outbox(outbox::OutboxArgs),
    Route(route::RouteArgs),
    Queue(queue::QueueArgs),
    Task(task::TaskArgs),
    Transfer(transfer::TransferArgs),
    Token(token::TokenArgs),
    Dht(dht::DhtArgs),
    Jwt(jwt::JwtArgs),
    Moltbook(moltbook::MoltbookArgs),
    Shim(shim::ShimArgs),
}

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with code 0, mistakes to standard error with code 2.
            let code = if error.use_stderr() { Kind::Usage.exit_code() } else { ExitCode::SUCCESS };
            return error.print().map_or(code, |()| code);
        }
    };
    let outcome = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Wallet(args) => wallet::run(args),
        Command::Peers(args) => peers::run(args),
        Command::Send(args) => send::run(args),
        Command::Outbox(args) => outbox::run(args),
        Command::Route(args) => route::run(args),
        Command::Queue(args) => queue::run(args),
        Command::Task(args) => task::run(args),
        Command::Transfer(args) => transfer::run(args),
        Command::Token(args) => token::run(args),
        Command::Dht(args) => dht::run(args),
        Command::Jwt(args) => jwt::run(args),
        Command::Moltbook(args) => moltbook::run(args),
        Command::Shim(args) => shim::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => failed.report(),
    }
}
