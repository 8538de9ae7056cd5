//! `entity queue`: what is kept until whom it is for has it.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::console::{Failed, printable, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Show what is kept for others: the mailboxes of a relay, and own durable messages by recipient
///
/// Asks the node that runs in the data directory, through its admin socket. The own messages one by one: `entity outbox`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity queue\n  entity queue --json\n  entity queue --after KEY                  the mailboxes behind that one, where there are more than 1,000"
)]
pub(super) struct QueueArgs {
    /// Show the mailboxes after the one of this key
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

#[derive(Deserialize)]
struct Listing {
    relay: bool,
    mailboxes: Vec<Mailbox>,
    size: usize,
    messages: usize,
    bytes: usize,
    outbox: Vec<Own>,
    outbox_messages: usize,
}

#[derive(Deserialize)]
struct Mailbox {
    recipient: String,
    id: Option<String>,
    connected: bool,
    messages: usize,
    bytes: usize,
    oldest_at: Option<String>,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Own {
    to: String,
    messages: usize,
}

pub(super) fn run(args: QueueArgs) -> Result<(), Failed> {
    let params = Params { after: args.after.as_deref() };
    let listing = ask(&args.data_dir.resolve(), "queue.list", &params)?;
    if args.json {
        say(listing);
        return Ok(());
    }
    let listing: Listing = serde_json::from_str(listing.get())
        .map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
    if listing.relay {
        show_mailboxes(&listing);
    } else {
        say("mailboxes  none: this node is no relay");
    }
    say(format_args!(
        "own        {} messages wait for an acknowledgement",
        listing.outbox_messages
    ));
    for Own { to, messages } in &listing.outbox {
        say(format_args!("  {messages:8} for {}", printable(to)));
    }
    Ok(())
}

fn show_mailboxes(listing: &Listing) {
    let Listing { mailboxes, size, messages, bytes, .. } = listing;
    say(format_args!("mailboxes  {size}, {messages} messages, {bytes} bytes"));
    if mailboxes.is_empty() {
        return;
    }
    let width = |of: fn(&Mailbox) -> Option<&String>, title: &str| {
        let widths = mailboxes.iter().filter_map(of).map(|text| text.chars().count());
        widths.chain([title.len()]).max().unwrap_or(0)
    };
    let (ids, times) = (
        width(|one| one.id.as_ref(), "recipient"),
        width(|one| one.expires_at.as_ref(), "oldest expires"),
    );
    say(format_args!(
        "  {:ids$}  connected  messages  bytes       {:times$}  {:times$}  key",
        "recipient", "oldest came", "oldest expires"
    ));
    for one in mailboxes {
        let id = printable(one.id.as_deref().unwrap_or("-"));
        let connected = if one.connected { "yes" } else { "no" };
        let (oldest, expires) =
            (one.oldest_at.as_deref().unwrap_or("-"), one.expires_at.as_deref().unwrap_or("-"));
        say(format_args!(
            "  {id:ids$}  {connected:9}  {:8}  {:10}  {oldest:times$}  {expires:times$}  {}",
            one.messages, one.bytes, one.recipient
        ));
    }
    if mailboxes.len() < *size {
        say(format_args!("{} of {size}; go on with --after", mailboxes.len()));
    }
}
