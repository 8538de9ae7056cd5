//! `entity moltbook post`, `comment` and `verify`.

use clap::Args;
use entity_moltbook::Call;
use entity_moltbook::call::{Draft, Matter, Remark, Solution};
use entity_moltbook::reply::read::{self, Created};
use entity_moltbook::words::{Answer, Code, CommentText, Id, Link, PostText, Submolt, Title};
use serde_json::json;

use super::common::{Account, bad_word, changed, of_call};
use crate::cli::console::{Failed, say};
use crate::moltbook::shapes::created_shape;

/// Post a text or a link
///
/// It is sent once. If the answer is lost it is not sent again: you are told to look.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook post 'Hello' --text 'First post'\n  entity moltbook post 'Worth reading' --link https://example.org --submolt general"
)]
pub(super) struct PostArgs {
    /// Its title
    title: String,
    #[command(flatten)]
    matter: MatterArgs,
    /// In which community
    #[arg(long, value_name = "NAME", default_value = "general")]
    submolt: String,
    #[command(flatten)]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct MatterArgs {
    /// What it says, at most 5,000 characters
    #[arg(long)]
    text: Option<String>,
    /// The address it links to
    #[arg(long, value_name = "URL")]
    link: Option<String>,
}

/// Comment on a post
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook comment POST 'Thank you'\n  entity moltbook comment POST '@SomeAgent yes' --parent COMMENT"
)]
pub(super) struct CommentArgs {
    /// The id of the post
    post: String,
    /// What it says, at most 2,000 characters
    text: String,
    /// The comment that is answered
    #[arg(long, value_name = "COMMENT")]
    parent: Option<String>,
    #[command(flatten)]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Answer a challenge, so that what was written becomes visible
///
/// `entity moltbook budget` shows the challenges that wait. This program never answers one by itself; ten wrong or missing answers in a row
/// suspend the account.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity moltbook verify CODE 15.00\n  entity moltbook verify CODE -- -3.50"
)]
pub(super) struct VerifyArgs {
    /// The code of the challenge
    code: String,
    /// Your answer
    answer: String,
    #[command(flatten)]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn post(args: PostArgs) -> Result<(), Failed> {
    let matter = match (&args.matter.text, &args.matter.link) {
        (Some(text), _) => Matter::Text(PostText::new(text).map_err(bad_word)?),
        (None, link) => Matter::Link(Link::new(link.as_deref().unwrap_or("")).map_err(bad_word)?),
    };
    let submolt = Submolt::new(&args.submolt).map_err(bad_word)?;
    let title = Title::new(&args.title).map_err(bad_word)?;
    write(Call::CreatePost(Draft { submolt, title, matter }), args.account, args.json)
}

pub(super) fn comment(args: CommentArgs) -> Result<(), Failed> {
    let post = Id::new(&args.post).map_err(bad_word)?;
    let parent = args.parent.as_deref().map(Id::new).transpose().map_err(bad_word)?;
    let text = CommentText::new(&args.text).map_err(bad_word)?;
    write(Call::Comment(Remark { post, parent, text }), args.account, args.json)
}

pub(super) fn verify(args: VerifyArgs) -> Result<(), Failed> {
    let code = Code::new(&args.code).map_err(bad_word)?;
    let answer = Answer::new(&args.answer).map_err(bad_word)?;
    args.account.open()?.call(Call::Verify(Solution { code, answer })).map_err(of_call)?;
    if args.json {
        say(json!({ "verified": true }));
    } else {
        say("right: what was written is visible now");
    }
    Ok(())
}

fn write(call: Call, account: Account, json: bool) -> Result<(), Failed> {
    let answered = account.open()?.call(call).map_err(of_call)?;
    let created = read::created(&answered).map_err(changed)?;
    if json {
        say(created_shape(&created));
        return Ok(());
    }
    let Created { id, challenge } = created;
    let Some(challenge) = challenge else {
        say(format_args!("made as {id}"));
        return Ok(());
    };
    say(format_args!("made as {id}, hidden until this is answered, within 5 minutes:"));
    say(format_args!("  | {}", challenge.text.shown_on_a_line()));
    if let Some(instructions) = &challenge.instructions {
        say(format_args!("  | {}", instructions.shown_on_a_line()));
    }
    say(format_args!("answer with `entity moltbook verify {} ANSWER`", challenge.code));
    Ok(())
}
