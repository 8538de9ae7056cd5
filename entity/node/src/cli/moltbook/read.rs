//! `entity moltbook read`: what strangers write, for eyes or for a peer.

use std::path::Path;

use clap::Args;
use entity_moltbook::Call;
use entity_moltbook::call::{PAGE_MAX, Page, Sort};
use entity_moltbook::inbound::{self, ITEMS_MAX, Inbound};
use entity_moltbook::reply::read::{self, Listed};
use entity_moltbook::words::{Cursor, Id, Query, Submolt};
use serde_json::{Value, json};

use super::common::{Account, bad_word, changed, of_call};
use crate::admin::ask;
use crate::cli::console::{Failed, say};
use crate::moltbook::shapes::item_shape;

/// Show posts and comments, newest first, or hand them to a peer
///
/// Everything shown was written by strangers. Characters that act on a terminal or hide are shown as \u{..}. With --hand-off each item goes to
/// a peer of the running node as a durable message of type `message` that says first what it is: data from a stranger.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook read --limit 5\n  entity moltbook read --submolt general --json\n  entity moltbook read --comments POST\n  entity moltbook read --search 'rate limits'\n  entity moltbook read --mentions SomeAgent --hand-off entity-b"
)]
pub(super) struct ReadArgs {
    #[command(flatten)]
    what: What,
    /// How many at most, 1 to 50
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(PAGE_MAX)))]
    limit: u8,
    /// Where an earlier list ended
    #[arg(long)]
    cursor: Option<String>,
    /// Only what names this agent with an @
    #[arg(long, value_name = "NAME")]
    mentions: Option<String>,
    /// Hand each item to this peer of the running node
    #[arg(long, value_name = "PEER")]
    hand_off: Option<String>,
    #[command(flatten)]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct What {
    /// Posts of those the account follows, in place of everybody's
    #[arg(long)]
    feed: bool,
    /// Posts of one community
    #[arg(long, value_name = "NAME")]
    submolt: Option<String>,
    /// One post
    #[arg(long, value_name = "POST")]
    post: Option<String>,
    /// The comments under a post
    #[arg(long, value_name = "POST")]
    comments: Option<String>,
    /// What a search finds
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
}

pub(super) fn run(args: ReadArgs) -> Result<(), Failed> {
    let cursor = args.cursor.as_deref().map(Cursor::new).transpose().map_err(bad_word)?;
    let page = Page { sort: Sort::New, limit: args.limit, cursor };
    let call = args.what.call(page, args.limit)?;
    let (one, comments) = (matches!(call, Call::Post(_)), matches!(call, Call::Comments(_)));
    let folder = args.account.data_dir.clone().resolve();
    let answered = args.account.open()?.call(call).map_err(of_call)?;
    let mut listed = if one {
        let item = read::post(&answered).map_err(changed)?;
        Listed { items: vec![item], next: None, unreadable: 0 }
    } else {
        let sort = if comments { inbound::Sort::Comment } else { inbound::Sort::Post };
        read::list(&answered, sort).map_err(changed)?
    };
    if let Some(agent) = &args.mentions {
        listed.items.retain(|item| item.mentions(agent));
    }
    listed.items.truncate(usize::from(args.limit).min(ITEMS_MAX));
    if let Some(peer) = &args.hand_off {
        hand_off(&listed.items, peer, &folder)?;
    }
    if args.json {
        say(to_json(&listed, args.hand_off.as_deref()));
    } else {
        show(&listed, args.hand_off.as_deref());
    }
    Ok(())
}

impl What {
    fn call(&self, page: Page, limit: u8) -> Result<Call, Failed> {
        Ok(if let Some(name) = &self.submolt {
            Call::SubmoltFeed(Submolt::new(name).map_err(bad_word)?, page)
        } else if let Some(id) = &self.post {
            Call::Post(Id::new(id).map_err(bad_word)?)
        } else if let Some(id) = &self.comments {
            Call::Comments(Id::new(id).map_err(bad_word)?)
        } else if let Some(words) = &self.search {
            Call::Search(Query::new(words).map_err(bad_word)?, limit)
        } else if self.feed {
            Call::Feed(page)
        } else {
            Call::Posts(page)
        })
    }
}

/// Each item as a durable message through the running node.
fn hand_off(items: &[Inbound], peer: &str, folder: &Path) -> Result<(), Failed> {
    for item in items {
        let params = json!({
            "to": peer, "type": "message", "body": item.hand_off(), "seal": "auto", "durable": true,
        });
        ask(folder, "message.send", &params)?;
    }
    Ok(())
}

fn show(listed: &Listed, handed_to: Option<&str>) {
    for item in &listed.items {
        let author = item
            .author
            .as_ref()
            .map_or_else(|| "nobody named".to_owned(), inbound::Untrusted::shown_on_a_line);
        say(format_args!("{} by {author}", item.id));
        if let Some(title) = &item.title {
            say(format_args!("  # {}", title.shown_on_a_line()));
        }
        for line in item.text.shown().lines() {
            say(format_args!("  | {line}"));
        }
    }
    if listed.items.is_empty() {
        say("nothing");
    }
    if listed.unreadable > 0 {
        say(format_args!(
            "{} items could not be read: the service may have changed",
            listed.unreadable
        ));
    }
    if let Some(peer) = handed_to {
        say(format_args!(
            "{} kept for {peer}; `entity outbox` shows what is not acknowledged",
            listed.items.len()
        ));
    }
    if let Some(next) = &listed.next {
        say(format_args!("more with --cursor {next}"));
    }
}

fn to_json(listed: &Listed, handed_to: Option<&str>) -> Value {
    let items: Vec<Value> = listed.items.iter().map(item_shape).collect();
    json!({ "items": items, "next": listed.next, "unreadable": listed.unreadable, "handed_to": handed_to })
}
