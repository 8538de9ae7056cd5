//! `entity jwt`: tokens by which a peer shows who it is.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;

use super::console::{Failed, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Issue and verify tokens by which peers show who they are
///
/// The running node does both: it holds the key, and knows the keys of others.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity jwt issue --audience entity-b\n  entity jwt verify TOKEN --subject entity-a"
)]
pub(super) struct JwtArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Issue a token in the name of the running node, good for at most five minutes
    #[command(
        after_help = "Examples:\n  entity jwt issue --audience entity-b\n  entity jwt issue --seconds 60 --json"
    )]
    Issue(IssueArgs),
    /// Verify a token with the key that the running node has for its subject
    #[command(
        after_help = "Examples:\n  entity jwt verify TOKEN\n  entity jwt verify TOKEN --subject entity-a --audience entity-b --json"
    )]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct IssueArgs {
    /// Whom the token is for [default: anybody]
    #[arg(long, value_name = "ID")]
    audience: Option<String>,
    /// How long it is good, 1 to 300 seconds
    #[arg(long, value_name = "N", default_value = "300", value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The token
    token: String,
    /// Whom it has to speak for [default: any known peer]
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Whom it has to be for [default: the running node, or nobody in particular]
    #[arg(long, value_name = "ID")]
    audience: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

#[derive(Deserialize)]
struct Verified {
    sub: String,
    aud: Option<String>,
    iat: i64,
    exp: i64,
}

pub(super) fn run(args: JwtArgs) -> Result<(), Failed> {
    match args.action {
        Action::Issue(args) => issue(args),
        Action::Verify(args) => verify(args),
    }
}

fn issue(args: IssueArgs) -> Result<(), Failed> {
    let params = json!({"aud": args.audience, "ttl_s": args.seconds});
    let answer = ask(&args.common.data_dir.resolve(), "jwt.issue", &params)?;
    if args.common.json {
        say(answer);
        return Ok(());
    }
    let Issued { token } = read(answer.get())?;
    say(token);
    Ok(())
}

fn verify(args: VerifyArgs) -> Result<(), Failed> {
    let params = json!({"token": args.token, "aud": args.audience, "sub": args.subject});
    let answer = ask(&args.common.data_dir.resolve(), "jwt.verify", &params)?;
    if args.common.json {
        say(answer);
        return Ok(());
    }
    let Verified { sub, aud, iat, exp } = read(answer.get())?;
    say(format_args!("subject   {sub}"));
    say(format_args!("audience  {}", aud.as_deref().unwrap_or("anybody")));
    say(format_args!("issued    {iat} (Unix seconds), good for {} s", exp - iat));
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Failed> {
    Ok(serde_json::from_str(answer)
        .map_err(|error| AskError::Broken(std::io::Error::other(error)))?)
}
