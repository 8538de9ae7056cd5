//! `entity task`: tasks between the running node and its peers.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::console::{Failed, Kind, printable, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Delegate tasks to peers, and end those that peers delegated
///
/// Asks the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity task able text.count text.sort\n  entity task delegate entity-b 'count the words' --capability text.count --input '{\"text\":\"one two\"}'\n  entity task list\n  entity task complete 6b7c3e0e-6a9f-4a38-9f62-6d3c1c1c1c1c '{\"words\":2}'"
)]
pub(super) struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    /// Say which capabilities this node has; a task that wants another one is refused
    Able(AbleArgs),
    /// Delegate a task to a peer
    Delegate(DelegateArgs),
    /// Show the tasks of both directions, oldest first
    List(ListArgs),
    /// End a task that a peer delegated, and tell it the result
    Complete(CompleteArgs),
}

#[derive(Debug, Args)]
struct AbleArgs {
    /// All of them; none takes all away
    capabilities: Vec<String>,
    #[command(flatten)]
    data_dir: DataDir,
}

#[derive(Debug, Args)]
struct DelegateArgs {
    /// The id of a peer the node knows
    to: String,
    /// What to do, in words
    description: String,
    /// What the peer must be able to do
    #[arg(long)]
    capability: Option<String>,
    /// The data of the task, a JSON object
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// An amount that is promised; nothing is paid by it
    #[arg(long, value_name = "AMOUNT")]
    reward: Option<String>,
    /// A UUID, so that repeating the command delegates nothing twice
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CompleteArgs {
    /// The id of the task
    id: String,
    /// What came of it, a JSON object
    #[arg(default_value = "{}", value_name = "JSON")]
    result: String,
    /// It could not be done
    #[arg(long)]
    failed: bool,
    /// Who delegated it; needed only where two peers chose the same id
    #[arg(long, value_name = "PEER")]
    from: Option<String>,
    #[command(flatten)]
    data_dir: DataDir,
}

pub(super) fn run(args: TaskArgs) -> Result<(), Failed> {
    match args.command {
        TaskCommand::Able(args) => able(args),
        TaskCommand::Delegate(args) => delegate(args),
        TaskCommand::List(args) => list(args),
        TaskCommand::Complete(args) => complete(args),
    }
}

fn able(args: AbleArgs) -> Result<(), Failed> {
    let params = serde_json::json!({ "capabilities": args.capabilities });
    ask(&args.data_dir.resolve(), "capability.set", &params)?;
    match args.capabilities.as_slice() {
        [] => say("able to do no task that wants a capability"),
        able => say(format_args!("able to do {}", able.join(", "))),
    }
    Ok(())
}

fn delegate(args: DelegateArgs) -> Result<(), Failed> {
    #[derive(Serialize)]
    struct Params<'a> {
        to: &'a str,
        description: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        capability: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reward: Option<&'a str>,
    }
    #[derive(Deserialize)]
    struct Delegated {
        id: String,
    }
    let params = Params {
        to: &args.to,
        description: &args.description,
        id: args.id.as_deref(),
        capability: args.capability.as_deref(),
        input: args.input.as_deref().map(|text| object("--input", text)).transpose()?,
        reward: args.reward.as_deref(),
    };
    let delegated = ask(&args.data_dir.resolve(), "task.delegate", &params)?;
    if args.json {
        say(delegated);
        return Ok(());
    }
    let Delegated { id } = read(&delegated)?;
    say(format_args!(
        "delegated to {} as {id}; `entity task list` shows what becomes of it",
        args.to
    ));
    Ok(())
}

fn list(args: ListArgs) -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Page {
        tasks: Vec<Box<RawValue>>,
        next: usize,
    }
    #[derive(Deserialize)]
    struct Line {
        id: String,
        peer: String,
        direction: String,
        state: String,
        description: String,
        code: Option<String>,
        result: Option<Box<RawValue>>,
    }
    let (data_dir, mut after, mut tasks) = (args.data_dir.resolve(), 0, Vec::new());
    loop {
        let page = ask(&data_dir, "task.list", &serde_json::json!({ "after": after }))?;
        let page: Page = read(&page)?;
        if page.tasks.is_empty() {
            break;
        }
        after = page.next;
        tasks.extend(page.tasks);
    }
    if args.json {
        let all = serde_json::json!({ "tasks": tasks });
        say(all);
        return Ok(());
    }
    if tasks.is_empty() {
        say("no tasks; delegate one with `entity task delegate PEER 'WHAT TO DO'`");
    }
    for task in &tasks {
        let line: Line = read(task)?;
        let way = if line.direction == "delegated" { "to" } else { "from" };
        say(format_args!(
            "{}  {:8}  {way} {}: {}",
            line.id,
            line.state,
            line.peer,
            printable(&line.description)
        ));
        if let Some(code) = line.code {
            say(format_args!("    because {}", printable(&code)));
        }
        if let Some(result) = line.result {
            say(format_args!("    {result}"));
        }
    }
    Ok(())
}

fn complete(args: CompleteArgs) -> Result<(), Failed> {
    #[derive(Serialize)]
    struct Params<'a> {
        id: &'a str,
        result: Box<RawValue>,
        failed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<&'a str>,
    }
    let result = object("RESULT", &args.result)?;
    let (id, failed, from) = (args.id.as_str(), args.failed, args.from.as_deref());
    let params = Params { id, result, failed, from };
    ask(&args.data_dir.resolve(), "task.complete", &params)?;
    let end = if failed { "failed" } else { "done" };
    say(format_args!("task {id} is {end}; its delegator hears so"));
    Ok(())
}

fn object(what: &str, text: &str) -> Result<Box<RawValue>, Failed> {
    serde_json::from_str(text).map_err(|error| {
        let help = "write a JSON object, for example '{\"text\":\"one two\"}'".to_owned();
        let error = std::io::Error::other(format!("read {what}: {error}"));
        Failed::new(Kind::Usage, error, Some(help))
    })
}

fn read<'a, T: Deserialize<'a>>(answer: &'a RawValue) -> Result<T, Failed> {
    let read = serde_json::from_str(answer.get());
    read.map_err(|error| AskError::Broken(std::io::Error::other(error)).into())
}
