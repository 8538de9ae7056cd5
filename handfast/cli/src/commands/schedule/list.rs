//! `handfast schedule list`

use std::fmt::Write as _;

use handfast_scenario::ExitCode;
use handfast_schedule::state::Last;
use handfast_schedule::{Job, Outcome, State};
use jiff::Timestamp;
use rustix::process::Pid;
use serde_json::{Value, json};

use super::next::upcoming;
use super::store::Folder;
use super::{load_with_jobs, local, now};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// List the jobs, when they are next, and how they ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  handfast schedule list\n  handfast schedule list --json")]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load_with_jobs(around)?;
    let folder = Folder::of(&loaded.root);
    let (state, holder) = (folder.state()?, folder.holder());
    let jobs = &loaded.project.schedule;
    let text = if args.json {
        let jobs: Vec<Value> = jobs.iter().map(|job| value(job, state.as_ref(), now())).collect();
        let mut text =
            format!("{:#}", json!({ "carried_out_by": holder.map(Pid::as_raw_pid), "jobs": jobs }));
        text.push('\n');
        text
    } else {
        let mut text = String::new();
        for job in jobs {
            describe(&mut text, job, state.as_ref(), now()).unwrap_or_default();
        }
        match holder {
            Some(pid) => writeln!(text, "carried out by process {}", pid.as_raw_pid()),
            None => writeln!(text, "nobody carries this out: start `handfast schedule run`"),
        }
        .unwrap_or_default();
        text
    };
    Stream::Out.print(&text);
    Ok(ExitCode::Passed)
}

fn describe(
    text: &mut String,
    job: &Job,
    state: Option<&State>,
    now: Timestamp,
) -> std::fmt::Result {
    let (cron, zone) = (&job.calendar.cron, &job.calendar.zone);
    writeln!(
        text,
        "{}  {}  {}  handfast {}",
        job.name,
        cron.as_str(),
        zone.name(),
        job.command.join(" ")
    )?;
    match upcoming(job, state, now).next() {
        None => writeln!(text, "    next  never")?,
        Some((occurrence, due)) => {
            let later = if due > occurrence { format!(", begins {due}") } else { String::new() };
            writeln!(text, "    next  {}  {occurrence}{later}", local(job, occurrence))?;
        }
    }
    let Some(state) = state else { return Ok(()) };
    if let Some(running) = state.running().filter(|running| running.job == job.name) {
        writeln!(
            text,
            "    runs  since {}, due {}",
            running.began.strftime("%FT%TZ"),
            running.occurrence
        )?;
    }
    if let Some(owed) = state.owed(&job.name) {
        writeln!(text, "    waits since {}", owed.occurrence)?;
    }
    match state.last(&job.name) {
        None => writeln!(text, "    last  none"),
        Some(last) => writeln!(
            text,
            "    last  {}, due {}, from {} to {}",
            last.outcome,
            last.occurrence,
            last.began.strftime("%FT%TZ"),
            last.ended.strftime("%FT%TZ")
        ),
    }
}

fn value(job: &Job, state: Option<&State>, now: Timestamp) -> Value {
    let next = upcoming(job, state, now).next();
    let running = state.and_then(State::running).filter(|running| running.job == job.name);
    json!({
        "name": job.name.as_str(),
        "cron": job.calendar.cron.as_str(),
        "zone": job.calendar.zone.name(),
        "command": job.command,
        "next": next.map(|(occurrence, due)| json!({
            "occurrence": occurrence.to_string(),
            "local": local(job, occurrence),
            "due": due.to_string(),
        })),
        "running": running.map(|running| json!({
            "occurrence": running.occurrence.to_string(),
            "attempt": running.attempt,
            "began": running.began.to_string(),
        })),
        "waiting": state.and_then(|state| state.owed(&job.name)).map(|owed| owed.occurrence.to_string()),
        "last": state.and_then(|state| state.last(&job.name)).map(last),
    })
}

fn last(last: &Last) -> Value {
    let (outcome, code) = match last.outcome {
        Outcome::Exited(code) => ("exited", Some(code)),
        Outcome::Died(_) => ("died", None),
        Outcome::Interrupted => ("interrupted", None),
        Outcome::NotStarted => ("not-started", None),
    };
    json!({
        "occurrence": last.occurrence.to_string(),
        "attempt": last.attempt,
        "began": last.began.to_string(),
        "ended": last.ended.to_string(),
        "outcome": outcome,
        "exit_code": code,
    })
}
