//! `entity moltbook check`: the catalogue against a service that runs, for a person or as a `JUnit` file.
//!
//! What could not be asked, because there is no key or because nobody allowed it, is written down as left out, with the reason: it is not
//! proved, and nothing here says that it is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use entity_moltbook::Call;
use entity_moltbook::call::{Draft, Matter, Page};
use entity_moltbook::exchange::Failure;
use entity_moltbook::inbound::Sort;
use entity_moltbook::reply::judge::Why;
use entity_moltbook::reply::read;
use entity_moltbook::words::{
    BadWord, COMMENT_TEXT_MAX, CommentText, Id, POST_TEXT_MAX, PostText, Submolt, Title,
};
use entity_moltbook_client::{CallError, Client};

use super::common::{Account, failed};
use crate::cli::console::{Failed, Kind, say};

/// Check against the service that what is known of it still holds
///
/// Sends nothing unless --live says how far it may go, and then keeps to the budget.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook check\n  entity moltbook check --live read --key-file key\n  entity moltbook check --live write --key-file key --junit moltbook.xml"
)]
pub(super) struct CheckArgs {
    /// How far it may go
    #[arg(long, value_enum, default_value = "no", env = "ENTITY_MOLTBOOK_LIVE")]
    live: Live,
    /// Write the results to this XML file, in the form of test runners
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    account: Account,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Live {
    /// Nothing is sent
    No,
    /// What changes nothing
    Read,
    /// One post as well
    Write,
}

/// A case of the catalogue, and what it needs.
struct Case {
    name: &'static str,
    run: Run,
}

enum Run {
    /// This program shows it by itself.
    Here(fn() -> Result<(), String>),
    /// It takes a service, and leave to go so far.
    There(Live, fn(&Client) -> Result<(), String>),
}

/// Those that this program shows alone or a service that is in order; the rest need one that breaks, which is the fake.
const CASES: &[Case] = &[
    Case { name: "TC-MB-006 an empty text is refused", run: Run::Here(refuses_nothing) },
    Case { name: "TC-MB-007 an over-long text is refused", run: Run::Here(refuses_too_much) },
    Case { name: "TC-MB-001 a valid key connects", run: Run::There(Live::Read, connects) },
    Case { name: "TC-MB-005 a post is read", run: Run::There(Live::Read, reads) },
    Case {
        name: "TC-MB-014 what is not there is not found",
        run: Run::There(Live::Read, finds_nothing),
    },
    Case { name: "TC-MB-004 a post gets an id", run: Run::There(Live::Write, posts) },
];

/// What became of a case.
enum Ended {
    Passed,
    Failed(String),
    LeftOut(String),
}

pub(super) fn run(args: CheckArgs) -> Result<(), Failed> {
    let reason = match (args.live, args.account.has_key()) {
        (Live::No, _) => Some("--live, or ENTITY_MOLTBOOK_LIVE, does not allow to ask the service"),
        (_, false) => Some("there is no key (--key-file or ENTITY_MOLTBOOK_KEY_FILE)"),
        (Live::Read | Live::Write, true) => None,
    };
    let client = match reason {
        Some(_) => None,
        None => Some(args.account.open()?),
    };
    let results: Vec<(&str, Ended)> = CASES
        .iter()
        .map(|case| {
            (case.name, ended(case, args.live, client.as_ref(), reason.unwrap_or_default()))
        })
        .collect();
    for (name, result) in &results {
        say(match result {
            Ended::Passed => format!("passed      {name}"),
            Ended::Failed(why) => format!("FAILED      {name}: {why}"),
            Ended::LeftOut(why) => format!("not proved  {name}: {why}"),
        });
    }
    if let Some(path) = &args.junit {
        write_junit(path, &results)?;
    }
    let bad = results.iter().filter(|(_, result)| matches!(result, Ended::Failed(_))).count();
    if bad == 0 {
        Ok(())
    } else {
        Err(failed(
            Kind::Refused,
            &format!("find the service as it is known: {bad} checks failed"),
            None,
        ))
    }
}

fn ended(case: &Case, live: Live, client: Option<&Client>, reason: &str) -> Ended {
    let result = match (&case.run, client) {
        (Run::Here(run), _) => run(),
        (Run::There(..), None) => return Ended::LeftOut(reason.to_owned()),
        (Run::There(needs, _), Some(_)) if *needs > live => {
            return Ended::LeftOut("--live write does not stand there".to_owned());
        }
        (Run::There(_, run), Some(client)) => run(client),
    };
    result.map_or_else(Ended::Failed, |()| Ended::Passed)
}

fn refuses_nothing() -> Result<(), String> {
    match (PostText::new(" \n"), CommentText::new("")) {
        (Err(BadWord::Empty(_)), Err(BadWord::Empty(_))) => Ok(()),
        taken => Err(format!("{taken:?}")),
    }
}

fn refuses_too_much() -> Result<(), String> {
    let (post, comment) = ("x".repeat(POST_TEXT_MAX + 1), "x".repeat(COMMENT_TEXT_MAX + 1));
    match (PostText::new(&post), CommentText::new(&comment)) {
        (Err(BadWord::Long { .. }), Err(BadWord::Long { .. })) => Ok(()),
        _ => Err("a text over the limit was taken".to_owned()),
    }
}

fn connects(client: &Client) -> Result<(), String> {
    let answered = client.call(Call::Status).map_err(|error| error.to_string())?;
    read::claim(&answered).map(drop).map_err(|error| error.to_string())
}

fn reads(client: &Client) -> Result<(), String> {
    let answered = client.call(Call::Posts(Page::newest(3))).map_err(|error| error.to_string())?;
    let listed = read::list(&answered, Sort::Post).map_err(|error| error.to_string())?;
    if listed.unreadable > 0 {
        return Err(format!("{} of its posts could not be read", listed.unreadable));
    }
    let Some(first) = listed.items.first() else { return Err("it has no posts".to_owned()) };
    let id = Id::new(&first.id).map_err(|error| error.to_string())?;
    let answered = client.call(Call::Post(id)).map_err(|error| error.to_string())?;
    read::post(&answered).map(drop).map_err(|error| error.to_string())
}

fn finds_nothing(client: &Client) -> Result<(), String> {
    let id = Id::new("00000000-0000-4000-8000-ffffffffffff").map_err(|error| error.to_string())?;
    match client.call(Call::Post(id)) {
        Err(CallError::Failed(Failure::Refused(refusal))) if refusal.why == Why::NotFound => Ok(()),
        Ok(_) => Err("it knows a post that there is not".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn posts(client: &Client) -> Result<(), String> {
    let word = |error: BadWord| error.to_string();
    let draft = Draft {
        submolt: Submolt::new("general").map_err(word)?,
        title: Title::new("A check of a client").map_err(word)?,
        matter: Matter::Text(
            PostText::new("Please ignore this: a client checks that it still works.")
                .map_err(word)?,
        ),
    };
    let answered = client.call(Call::CreatePost(draft)).map_err(|error| error.to_string())?;
    read::created(&answered).map(drop).map_err(|error| error.to_string())
}

fn write_junit(path: &Path, results: &[(&str, Ended)]) -> Result<(), Failed> {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"moltbook live\">\n",
    );
    for (name, result) in results {
        let inner = match result {
            Ended::Passed => String::new(),
            Ended::Failed(why) => format!("<failure message=\"{}\"/>", escaped(why)),
            Ended::LeftOut(why) => format!("<skipped message=\"not proved: {}\"/>", escaped(why)),
        };
        let _ = writeln!(
            xml,
            "<testcase classname=\"moltbook-live\" name=\"{}\">{inner}</testcase>",
            escaped(name)
        );
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    let written =
        path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, xml));
    written
        .map_err(|error| failed(Kind::System, &format!("write {}: {error}", path.display()), None))
}

/// As XML wants it; control characters, which no XML can hold, are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars().filter(|char| !char.is_control()) {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
