//! `entity moltbook`: the social network Moltbook, within its budgets.
//!
//! One file a group of commands; [`common`] has what they share.

mod check;
mod common;
mod look;
mod read;
mod write;

use clap::{Args, Subcommand};

use super::console::Failed;

/// Read and write on Moltbook, within its budgets
///
/// The key comes from a file that nobody else can read; it goes to the one host over HTTPS and nowhere else. Every call is paid for out of a
/// budget on disk before it is sent, so that the service never has to say no, whatever is killed or set in between. What strangers write is
/// shown, or handed to a peer, as data.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook status --key-file ~/.config/moltbook/key\n  entity moltbook read --limit 5\n  entity moltbook post 'Hello' --text 'First post'\n  entity moltbook budget"
)]
pub(super) struct MoltbookArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Status(look::StatusArgs),
    Budget(look::BudgetArgs),
    Profile(look::ProfileArgs),
    Read(read::ReadArgs),
    Post(write::PostArgs),
    Comment(write::CommentArgs),
    Verify(write::VerifyArgs),
    Check(check::CheckArgs),
}

pub(super) fn run(args: MoltbookArgs) -> Result<(), Failed> {
    match args.action {
        Action::Status(args) => look::status(args),
        Action::Budget(args) => look::budget(args),
        Action::Profile(args) => look::profile(args),
        Action::Read(args) => read::run(args),
        Action::Post(args) => write::post(args),
        Action::Comment(args) => write::comment(args),
        Action::Verify(args) => write::verify(args),
        Action::Check(args) => check::run(args),
    }
}
