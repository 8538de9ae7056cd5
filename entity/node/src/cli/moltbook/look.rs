//! `entity moltbook status`, `budget` and `profile`.

use clap::Args;
use entity_moltbook::budget::limits::Span;
use entity_moltbook::budget::{Book, Room, Standing};
use entity_moltbook::reply::read::{self, Claim};
use entity_moltbook::words::Name;
use entity_moltbook::{Call, Moment};
use serde_json::json;

use super::common::{Account, bad_word, changed, failed, of_call};
use crate::cli::console::{Failed, Kind, say};
use crate::moltbook::shapes::book_shape;

/// Ask whether the key is valid and the account claimed
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook status --key-file key\n  entity moltbook status --json"
)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show what may still be spent, and which challenges wait; nothing is sent
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook budget\n  entity moltbook budget --established\n  entity moltbook budget --json"
)]
pub(super) struct BudgetArgs {
    #[command(flatten)]
    account: Account,
    /// Say that the account is more than a day old, so that its wider limits hold
    #[arg(long)]
    established: bool,
    /// Say that you have looked after the challenges that failed, so that writing goes on
    #[arg(long)]
    forget_failures: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show what the service knows of an agent
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook profile SomeAgent\n  entity moltbook profile SomeAgent --json"
)]
pub(super) struct ProfileArgs {
    /// Its name, without @
    name: String,
    #[command(flatten)]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: StatusArgs) -> Result<(), Failed> {
    let client = args.account.open()?;
    let answered = client.call(Call::Status).map_err(of_call)?;
    let (word, text) = match read::claim(&answered).map_err(changed)? {
        Claim::Claimed => {
            ("claimed".to_owned(), "the key is valid and the account claimed".to_owned())
        }
        Claim::Pending => {
            let text = "the key is valid; its owner has not claimed the account yet";
            ("pending_claim".to_owned(), text.to_owned())
        }
        Claim::Unknown(word) => {
            let shown = word.shown_on_a_line();
            (
                shown.clone(),
                format!(
                    "the key is valid; the service calls the account {shown:?}, which is not documented"
                ),
            )
        }
    };
    if args.json {
        say(json!({ "status": word, "service": client.origin().to_string() }));
    } else {
        say(text);
    }
    Ok(())
}

pub(super) fn profile(args: ProfileArgs) -> Result<(), Failed> {
    let name = Name::new(&args.name).map_err(bad_word)?;
    let client = args.account.open()?;
    let answered = client.call(Call::Profile(name)).map_err(of_call)?;
    let profile = read::profile(&answered).map_err(changed)?;
    let description = profile.description.as_ref();
    if args.json {
        say(json!({
            "name": profile.name.raw(),
            "description": description.map(entity_moltbook::inbound::Untrusted::raw),
            "claimed": profile.claimed,
            "unknown_fields": profile.unknown,
        }));
        return Ok(());
    }
    let claimed = match profile.claimed {
        Some(true) => "claimed",
        Some(false) => "not claimed",
        None => "nobody says whether claimed",
    };
    say(format_args!("{} ({claimed})", profile.name.shown_on_a_line()));
    if let Some(description) = description {
        say(description.shown());
    }
    Ok(())
}

pub(super) fn budget(args: BudgetArgs) -> Result<(), Failed> {
    let client = args.account.open()?;
    let kept = |error: entity_moltbook_client::store::StoreError| {
        failed(Kind::System, &error.to_string(), None)
    };
    if args.established || args.forget_failures {
        let change = |book: &mut Book, _| {
            if args.established {
                book.set_established();
            }
            if args.forget_failures {
                book.forget_failures();
            }
        };
        client.change(change).map_err(kept)?;
    }
    let (book, now) = client.look().map_err(kept)?;
    if args.json {
        say(book_shape(&book, now));
    } else {
        show(&book, now);
    }
    Ok(())
}

fn show(book: &Book, now: Moment) {
    say(match book.standing(now) {
        Standing::New => {
            "limits of a new account (--established says that it is more than a day old)"
        }
        Standing::Established => "limits of an established account",
    });
    for Room { limit, used, next } in book.rooms(now) {
        let wait = next.since(now);
        let room =
            if wait.is_zero() { "room now".to_owned() } else { format!("room in {}", Span(wait)) };
        say(format_args!("  {:<24} {used:>3} used, {room}", limit.to_string()));
    }
    if book.is_adrift() {
        say("the system was started again: the next answer tells how long ago all that was");
    }
    let challenges = book.challenges();
    if challenges.failures() > 0 {
        say(format_args!(
            "{} challenges have failed since the last right answer",
            challenges.failures()
        ));
    }
    for open in challenges.open() {
        let left = Span(open.until.since(now));
        say(format_args!("challenge {}, {left} left: {}", open.code, open.text.shown_on_a_line()));
    }
}
